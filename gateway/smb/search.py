"""The enumeration of a directory as QUERY_DIRECTORY sees it: a pattern, and what was read but not yet told."""

from typing import TYPE_CHECKING

import trio

from gateway.nt.shortnames import short_name
from gateway.nt.wildcard import Matcher, compile_pattern, matches_everything
from gateway.share.extended import attributes_length, entry_attributes_length
from gateway.share.visibility import readable
from gateway.smb.info.directory import DirectoryPacker
from gateway.smb.info.ea import ea_size
from vfs_backends.api import DirectoryEntry, DirectoryStream, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import may_wait

if TYPE_CHECKING:
    from gateway.share.opens import Open

__all__ = ["Search"]

_CHUNK = 256
"""Entries read at a time."""


class Search:
    """One enumeration. Requests on it take turns (`lock`)."""

    def __init__(self, file: "Open", pattern: str, *, hide_unreadable: bool = False) -> None:
        self._file = file
        self._matches = compile_pattern(pattern)
        all_match = matches_everything(pattern)
        if file.share.settings.short_names and not all_match:
            self._matches = _with_short_names(self._matches)
        self._accept = None if all_match else self._matches
        """What the storage is told of that."""
        self._stream: DirectoryStream | None = None
        self._entries: list[DirectoryEntry] = []
        self._hides = hide_unreadable
        self._unchecked: list[DirectoryEntry] = []
        """What was read, and of which it is not known yet whether the caller may."""
        self._dots: dict[str, int] = {}
        """How long the extended attributes of `.` and `..` are."""
        self._dots_read = False
        self._at_end = False
        self.started = False
        """Whether anything was told already."""
        self.lock = trio.Lock()

    async def fill(self, packer: DirectoryPacker, *, single: bool) -> None:
        """Put as many entries into `packer` as it takes (one, if `single`), and forget them."""
        taken = 0
        while True:
            if taken == len(self._entries) and not await self._read_more(packer):
                break
            entry = self._entries[taken]
            stat = entry.stat
            if stat is not None and stat.has_xattrs and packer.has_ea_size:
                added = packer.add(entry.name, stat, ea_size(await self._attributes_length(entry.name, stat)))
            else:
                added = packer.add(entry.name, stat)
            if not added:
                break
            taken += 1
            if single:
                break
        del self._entries[:taken]
        if taken:
            self.started = True

    async def _attributes_length(self, name: str, stat: Stat) -> int:
        length = self._dots.get(name)
        if length is not None:
            return length
        return await entry_attributes_length(self._file.share, self._file.handle, name, stat)

    def discard(self) -> None:
        """Give the enumeration up. May be called twice."""
        if self._stream is not None:
            self._stream.discard()

    async def _read_more(self, packer: DirectoryPacker) -> bool:
        """Read further entries; whether there were any. What has been read stays, should the request run again."""
        if not self._dots_read:
            dots = await self._read_dots(packer)
            self._dots_read = True
            if dots:
                self._entries.extend(dots)
                return True
        if self._at_end:
            return False
        if self._stream is None:
            self._stream = await self._file.handle.open_directory()
        if self._hides:
            return await self._read_readable(self._stream, packer)
        entries = await self._stream.read(_CHUNK, self._accept, with_stat=packer.needs_stat)
        self._at_end = not entries
        self._entries.extend(entries)
        return bool(entries)

    async def _read_readable(self, stream: DirectoryStream, packer: DirectoryPacker) -> bool:
        """The same, of what the caller may read."""
        file = self._file
        while not self._at_end:
            if not self._unchecked:
                self._unchecked = await stream.read(_CHUNK, self._accept, with_stat=packer.needs_stat)
                self._at_end = not self._unchecked
            entries = await readable(file.share, file.handle, self._unchecked, file.token)
            self._unchecked = []
            if entries:
                self._entries.extend(entries)
                return True
        return False

    async def _read_dots(self, packer: DirectoryPacker) -> list[DirectoryEntry]:
        """`.` and `..`, which a storage does not list. The root's parent is the root: nothing above it is told."""
        names = [name for name in (".", "..") if self._matches(name)]
        if not names:
            return []
        share, path = self._file.share, self._file.path
        own = await self._file.handle.stat()
        above = own
        if packer.has_ea_size:
            length = await attributes_length(share, self._file.handle, own)
            self._dots = {".": length, "..": length}
            own.has_xattrs = length > 0
        if path and ".." in names:
            try:
                parent = await share.fs.lookup(share.root, path.rpartition("/")[0], case_sensitive=True)
            except VfsError as error:
                if error.kind not in (Kind.NOT_FOUND, Kind.PATH_NOT_FOUND):
                    raise
            else:
                try:
                    above = await parent.stat()
                    if packer.has_ea_size:
                        length = self._dots[".."] = await attributes_length(share, parent, above)
                        above.has_xattrs = length > 0
                finally:
                    parent.discard()
        return [DirectoryEntry(name, own if name == "." else above) for name in names]

    def check_turn(self) -> None:
        """In an inline pass: wait for a task if another request is at it."""
        if self.lock.locked():
            may_wait()


def _with_short_names(matches: Matcher) -> Matcher:
    return lambda name: matches(name) or (name not in (".", "..") and matches(short_name(name)))
