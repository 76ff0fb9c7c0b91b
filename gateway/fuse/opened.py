"""What programs, and the mount itself for a moment, have open."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

from gateway.fuse.inodes import Inode
from gateway.share.opens import Open
from vfs_backends.api import DirectoryStream, Stat
from vfs_backends.inline import nothing_happened

__all__ = ["Brief", "OpenFile"]


class OpenFile:
    """A file or directory that a program has open."""

    __slots__ = ("appends", "inode", "listing", "names", "one", "stats")

    def __init__(self, inode: Inode, one: Open) -> None:
        self.inode = inode
        self.one = one
        self.appends = False
        """O_APPEND."""
        self.listing: DirectoryStream | None = None
        self.names: list[str] = []
        """What was listed of a directory up to now; the kernel counts in it."""
        self.stats: dict[str, Stat] = {}
        """Of those of the names that the kernel was not told of yet."""


class Brief(AbstractAsyncContextManager[Open]):
    """An open that is used at once, and closed in the end. It is on the hot path: a generator would take longer."""

    __slots__ = ("_close", "_one")

    def __init__(self, one: Open, close: Callable[[Open], Awaitable[None]]) -> None:
        self._one = one
        self._close = close

    async def __aenter__(self) -> Open:
        nothing_happened()
        return self._one

    async def __aexit__(self, *_: object) -> None:
        await self._close(self._one)
