"""Enumerations of directories, in slices."""

import itertools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, Protocol

import trio

from vfs_backends.api import DirectoryEntry, DirectoryStream
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import committed, may_wait
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.names import name_from_bytes, name_to_bytes
from vfs_backends.posix.sidestore import NAME as HIDDEN
from vfs_backends.posix.volume import Volume

if TYPE_CHECKING:
    from vfs_backends.posix.handles import PosixHandle

__all__ = ["PosixDirectoryStream", "Scan", "decoded", "next_names", "open_scan"]


class Scan(Protocol):
    """What os.scandir() returns."""

    def __iter__(self) -> Iterator["os.DirEntry[str]"]: ...
    def __next__(self) -> "os.DirEntry[str]": ...
    def close(self) -> None: ...


_STATS: Final = 256
"""Entries looked at in one go, which takes about a millisecond."""
_NAMES: Final = 4096
"""The same, of names alone."""
_IN_THREAD: Final = 64


def open_scan(fd: int) -> Scan:
    """Begin to read a directory, at its beginning. Raises OSError."""
    # Another open file description: the position is the description's, and the handle's may be in use.
    scan = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=fd)
    try:
        return os.scandir(scan)
    finally:
        os.close(scan)  # scandir has made its own


def decoded(name: str) -> str:
    """A name as we show it, of one that `os` has decoded in its own way."""
    return name if name.isascii() else name_from_bytes(os.fsencode(name))


def next_names(scan: Scan, limit: int) -> list[str]:
    """As `os` decodes them. Raises OSError."""
    return [entry.name for entry in itertools.islice(scan, limit)]


class PosixDirectoryStream(DirectoryStream):
    """Reads on in a directory; what a name leads to is looked up relative to the handle's descriptor."""

    def __init__(self, handle: "PosixHandle", volume: Volume, scan: Scan) -> None:
        self._handle = handle
        self._volume = volume
        self._scan: Scan | None = scan
        # Read from the directory and not yet looked at, last first, as `os` decodes them.
        self._names: list[str] = []

    async def read(
        self, limit: int, accept: Callable[[str], bool] | None = None, *, with_stat: bool = True
    ) -> list[DirectoryEntry]:
        found: list[DirectoryEntry] = []
        handle = self._handle
        budget = _STATS if with_stat else _NAMES
        if self._volume.threads.always:
            if not committed():
                may_wait()  # before anything is taken, which an inline pass would lose
            budget = limit = min(limit, _IN_THREAD)
        looks = with_stat and not self._volume.threads.always
        while len(found) < limit and (self._names or await self._fill()):
            if budget == 0:
                if found:
                    break
                # Nothing is lost if this is done again: what was passed over was not wanted.
                await _pause()
                budget = _NAMES
            budget -= 1
            stored = self._names.pop()
            if stored == HIDDEN:
                continue
            is_plain = stored.isascii()
            name = stored if is_plain else decoded(stored)
            if accept is not None and not accept(name):
                continue
            if looks:
                raw = stored.encode() if is_plain else os.fsencode(stored)
                stat = self._volume.entry_stat(handle.fd, raw, handle.path)
                if stat is not None:
                    found.append(DirectoryEntry(name, stat))
            else:
                found.append(DirectoryEntry(name, None))
        if with_stat and not looks and found:
            return await self._in_thread(found)
        return found

    async def _in_thread(self, found: list[DirectoryEntry]) -> list[DirectoryEntry]:
        """Look at what was found, all in one visit to a thread."""
        names = [name_to_bytes(entry.name) for entry in found]
        stats = await self._handle.in_thread(self._volume.entry_stats, self._handle.fd, names, self._handle.path)
        return [DirectoryEntry(entry.name, stat) for entry, stat in zip(found, stats, strict=True) if stat is not None]

    async def _fill(self) -> bool:
        """Read more names; False at the end. Raises VfsError."""
        scan = self._scan
        if self._handle.fd < 0 or scan is None:
            raise VfsError(Kind.INVALID, f"{self._handle.path}: the enumeration is closed")
        try:
            if self._volume.threads.always:
                self._names = await self._handle.in_thread(next_names, scan, _IN_THREAD)
            else:
                self._names = next_names(scan, _STATS)
        except OSError as error:
            raise vfs_error(error, self._handle.path) from error
        self._names.reverse()
        return bool(self._names)

    async def rewind(self) -> None:
        try:
            if self._volume.threads.always:
                scan = await self._handle.in_thread(open_scan, self._handle.fd)
            else:
                scan = open_scan(self._handle.fd)
        except OSError as error:
            raise vfs_error(error, self._handle.path) from error
        self.discard()
        self._scan = scan

    def discard(self) -> None:
        scan, self._scan = self._scan, None
        self._names = []
        if scan is not None:
            scan.close()


async def _pause() -> None:
    if not committed():
        may_wait()
        await trio.lowlevel.checkpoint()
