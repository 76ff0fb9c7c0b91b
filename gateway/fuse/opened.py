"""What programs, and the mount itself for a moment, have open."""

from contextlib import AbstractContextManager

from gateway.fuse.inodes import Inode
from gateway.share.opens import Open
from vfs_backends.api import DirectoryStream, Handle, Stat

__all__ = ["Asked", "OpenFile"]


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


class Asked(AbstractContextManager[Handle]):
    """A handle for as long as a file is asked something; it is given up in the end, unless it is that of an open."""

    __slots__ = ("_handle", "_is_kept")

    def __init__(self, handle: Handle, *, is_kept: bool) -> None:
        self._handle = handle
        self._is_kept = is_kept

    def __enter__(self) -> Handle:
        return self._handle

    def __exit__(self, *_: object) -> None:
        if not self._is_kept:
            self._handle.discard()
