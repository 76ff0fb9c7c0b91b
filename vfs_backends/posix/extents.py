"""What of a file is in the page cache, and can be sent from there: cachestat(2), sendfile(2)."""

import contextlib
import os
from typing import TYPE_CHECKING, Final

from vfs_backends.extent import Extent
from vfs_backends.posix.syscalls import cached_pages

if TYPE_CHECKING:
    from vfs_backends.posix.handles import PosixHandle

__all__ = ["PosixExtent", "can_send"]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_PIECE: Final = 256 << 10


class PosixExtent(Extent):
    """Part of a regular file on a local file system."""

    def __init__(self, handle: "PosixHandle", offset: int, size: int) -> None:
        super().__init__(handle.fd, offset, size)
        self._handle = handle
        handle.pin()

    def is_at_hand(self) -> bool:
        return is_cached(self.fd, self.offset, self.left)

    async def fetch(self) -> None:
        with contextlib.suppress(OSError):
            await self._handle.in_thread(_read_through, self.fd, self.offset, self.left)

    def release(self) -> None:
        self._handle.unpin()


def is_cached(fd: int, offset: int, size: int) -> bool:
    """Whether so many bytes (one at least) of a file are all there, and in memory."""
    end = offset + size
    try:
        # A page that is still being read counts as cached; the last one is the last to come.
        if os.preadv(fd, [bytearray(1)], end - 1, os.RWF_NOWAIT) == 0:
            return False
    except (OSError, OverflowError):
        return False
    return cached_pages(fd, offset, size) == (end - 1) // _PAGE - offset // _PAGE + 1


def can_send(fd: int, offset: int) -> bool:
    """Whether the file system lets its files be sent from where they are; by sending one byte to nobody."""
    nobody = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        return os.sendfile(nobody, fd, offset, 1) == 1
    except OSError:
        return False
    finally:
        os.close(nobody)


def _read_through(fd: int, offset: int, size: int) -> None:
    room = bytearray(min(size, _PIECE))
    end = offset + size
    while offset < end and (count := os.preadv(fd, [room], offset)):
        offset += count
