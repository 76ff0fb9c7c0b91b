"""The opens of applications that may move from one client to another. [MS-SMB2] 3.3.1.10 (AppInstanceId)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gateway.smb.opens import FileOpen

__all__ = ["Instance", "Instances"]


class Instance(NamedTuple):
    """Which instance of an application has opened a file."""

    app_id: bytes
    version: tuple[int, int] | None = None


class Instances:
    """The opens of all sessions that tell for which instance they are."""

    def __init__(self) -> None:
        self._opens: dict[bytes, dict[FileOpen, Instance]] = {}

    def of(self, app_id: bytes) -> Iterable[tuple["FileOpen", Instance]]:
        """The opens for an application."""
        return list(self._opens.get(app_id, {}).items())

    def opened(self, one: "FileOpen", instance: Instance) -> None:
        """A file was opened for an instance."""
        one.instance = instance
        self._opens.setdefault(instance.app_id, {})[one] = instance

    def withdrawn(self, one: "FileOpen", instance: Instance) -> None:
        """Its session has lost it."""
        opens = self._opens[instance.app_id]
        del opens[one]
        if not opens:
            del self._opens[instance.app_id]
