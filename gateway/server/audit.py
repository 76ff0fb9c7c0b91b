"""Where audit records go: with everything else that is told, or to a file of their own, one JSON object a line."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from logging.handlers import WatchedFileHandler

from gateway.server.errors import ServerError

__all__ = ["audit_log"]


@contextmanager
def audit_log(path: str) -> Iterator[None]:
    """Let the logger `gateway.audit` write to a file; an empty path changes nothing. Raises `ServerError`.

    A file that is renamed or removed, by logrotate say, is made anew.
    """
    if not path:
        yield
        return
    logger = logging.getLogger("gateway.audit")
    try:
        handler = WatchedFileHandler(path, encoding="utf-8")
    except OSError as error:
        raise ServerError(f"cannot write {path}: {error.strerror}; see `audit log`") from error
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    propagate, logger.propagate, level = logger.propagate, False, logger.level
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.propagate = propagate
        logger.removeHandler(handler)
        handler.close()
