"""Logging: what is told, by component, and on behalf of which connection.

Each component is the standard logger `gateway.<component>`. It tells what an administrator should know (INFO and above)
until it is enabled, and then everything.
"""

import logging
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from typing import TextIO

__all__ = [
    "COMPONENTS",
    "ContextFilter",
    "connection_id",
    "disable",
    "enable",
    "enabled",
    "set_up",
]

COMPONENTS: Mapping[str, str] = {
    "smb": "each request, and the status it is answered with",
    "auth": "log-ons",
    "vfs": "what the storage refuses",
    "oplock": "oplocks, leases and their breaks",
    "ipc": "remote procedure calls over named pipes",
    "conn": "connections",
    "fuse": "the mount for local programs",
}
"""Name to what it is about."""

connection_id: ContextVar[int | None] = ContextVar("connection_id", default=None)

# Backends do not know the gateway; what they tell belongs to the component of storage all the same.
_FURTHER_LOGGERS = {"vfs": ("vfs_backends",)}
_FORMAT = "%(asctime)s %(levelname)s %(name)s:%(context)s %(message)s"


class ContextFilter(logging.Filter):
    """Lets everything through, with the attribute `context`: empty, or such as ` [conn 3]`."""

    def filter(self, record: logging.LogRecord) -> bool:
        connection = connection_id.get()
        record.context = "" if connection is None else f" [conn {connection}]"
        return True


def _loggers(component: str) -> list[logging.Logger]:
    if component not in COMPONENTS:
        raise ValueError(f"there is no component {component!r}; expected all, {', '.join(COMPONENTS)}")
    names = (f"gateway.{component}", *_FURTHER_LOGGERS.get(component, ()))
    return [logging.getLogger(name) for name in names]


def _set_level(component: str, level: int) -> None:
    for name in COMPONENTS if component == "all" else (component,):
        for logger in _loggers(name):
            logger.setLevel(level)


def enable(component: str) -> None:
    """Tell everything about a component, or about `all`. Raises ValueError if there is none of that name."""
    _set_level(component, logging.DEBUG)


def disable(component: str) -> None:
    """Tell of a component, or of `all`, only what everybody should know. Raises ValueError as `enable` does."""
    _set_level(component, logging.NOTSET)


def enabled() -> list[str]:
    """The components that tell everything."""
    return [name for name in COMPONENTS if _loggers(name)[0].level == logging.DEBUG]


def set_up(components: Iterable[str], stream: TextIO) -> logging.Handler:
    """Write what loggers tell to the stream, from now on; returns the handler, for whoever wants to remove it.

    Raises ValueError if there is no such component.
    """
    for component in components:
        enable(component)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter(_FORMAT))
    # On the handler, because a logger's filter does not see what its children tell.
    handler.addFilter(ContextFilter())
    logging.getLogger().addHandler(handler)
    logging.getLogger("gateway").setLevel(logging.INFO)
    return handler
