"""Byte-range locks by open file description: F_OFD_SETLK, F_OFD_GETLK, fcntl_locking(2)."""

import errno
import fcntl
import os
import struct
from collections.abc import Iterable
from typing import Final

from vfs_backends.records import LockKind, LockSegment

__all__ = ["LAST_OFFSET", "is_locked", "set_locks"]

LAST_OFFSET: Final = (1 << 63) - 1
"""The kernel's offsets end here, and a client's do not."""

_FLOCK: Final = struct.Struct("hhqqi4x")
_CONFLICT: Final = frozenset({errno.EAGAIN, errno.EACCES})
_KINDS: Final = {
    LockKind.NONE: fcntl.F_UNLCK,
    LockKind.SHARED: fcntl.F_RDLCK,
    LockKind.EXCLUSIVE: fcntl.F_WRLCK,
}


def set_locks(fd: int, segments: Iterable[LockSegment]) -> bool:
    """Lock and unlock, in order; false, at the first that somebody else does not let. Never waits. Raises OSError."""
    for kind, start, length in segments:
        try:
            fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(_KINDS[kind], os.SEEK_SET, start, length, 0))
        except OSError as error:
            if error.errno in _CONFLICT:
                return False
            raise
    return True


def is_locked(fd: int, wanted: LockSegment) -> bool:
    """Whether a lock of somebody else stands in the way of such a one. Never waits. Raises OSError."""
    kind, start, length = wanted
    request = _FLOCK.pack(_KINDS[kind], os.SEEK_SET, start, length, 0)
    found: int = _FLOCK.unpack(fcntl.fcntl(fd, fcntl.F_OFD_GETLK, request))[0]
    return found != fcntl.F_UNLCK
