"""Entries of a directory, as QUERY_DIRECTORY answers them ([MS-FSCC] 2.4, [MS-SMB2] 3.3.5.18)."""

from collections.abc import Mapping
from struct import Struct
from typing import Final

from gateway.nt import constants as nt
from gateway.nt.shortnames import own_short_name, short_name
from gateway.nt.status import STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS, StatusError
from gateway.nt.time import filetimes_from_ns
from gateway.smb.hiding import HidesName
from gateway.smb.info.buffers import check_minimum
from gateway.smb.info.stat import file_attributes
from vfs_backends.api import Stat

__all__ = ["DIRECTORY_CLASSES", "DirectoryPacker", "ShortNamesPacker"]

# NextEntryOffset, FileIndex, four times, EndOfFile, AllocationSize, FileAttributes, FileNameLength ... There are no
# short names; FileIndex is zero, as on NTFS.
_TIMES_AND_SIZES: Final = "<I4xQQQQQQII"
_NAMES: Final = Struct("<I4xI")

DIRECTORY_CLASSES: Final[Mapping[int, Struct]] = {
    nt.FILE_DIRECTORY_INFORMATION: Struct(_TIMES_AND_SIZES),
    nt.FILE_FULL_DIRECTORY_INFORMATION: Struct(_TIMES_AND_SIZES + "I"),
    nt.FILE_BOTH_DIRECTORY_INFORMATION: Struct(_TIMES_AND_SIZES + "I26x"),
    nt.FILE_NAMES_INFORMATION: _NAMES,
    nt.FILE_ID_BOTH_DIRECTORY_INFORMATION: Struct(_TIMES_AND_SIZES + "I26x2xQ"),
    nt.FILE_ID_FULL_DIRECTORY_INFORMATION: Struct(_TIMES_AND_SIZES + "I4xQ"),
    nt.FILE_ID_EXTD_DIRECTORY_INFORMATION: Struct(_TIMES_AND_SIZES + "I4xQ8x"),
}
"""The fixed part of an entry of each class; the name follows."""

_WITH_EA_SIZE: Final = frozenset({nt.FILE_FULL_DIRECTORY_INFORMATION, nt.FILE_BOTH_DIRECTORY_INFORMATION})
_WITH_ID: Final = frozenset(
    {
        nt.FILE_ID_BOTH_DIRECTORY_INFORMATION,
        nt.FILE_ID_FULL_DIRECTORY_INFORMATION,
        nt.FILE_ID_EXTD_DIRECTORY_INFORMATION,
    }
)
"""These have an EA size too."""

_S_IFMT: Final = 0o170000
_S_IFDIR: Final = 0o040000
_LAST: Final = bytes(4)
_PADDING: Final = tuple(bytes(length) for length in range(8))


_WITH_SHORT_NAME: Final = frozenset(
    DIRECTORY_CLASSES[each] for each in (nt.FILE_BOTH_DIRECTORY_INFORMATION, nt.FILE_ID_BOTH_DIRECTORY_INFORMATION)
)
"""The layouts that have room for a short name."""
_SHORT_NAME_AT: Final = 68
_SHORT_NAME: Final = Struct("<Bx24s")


class DirectoryPacker:
    """Collects entries until they fill a client's buffer."""

    __slots__ = (
        "_has_id",
        "_hides",
        "_layout",
        "_limit",
        "_parts",
        "_size",
        "count",
        "has_ea_size",
        "needs_stat",
    )

    def __init__(self, info_class: int, limit: int, *, hides: HidesName | None = None) -> None:
        """For entries of `info_class` in `limit` bytes.

        Raises StatusError: INVALID_INFO_CLASS for a class that is not one of directories, INFO_LENGTH_MISMATCH if not
        even an entry without a name fits.
        """
        layout = DIRECTORY_CLASSES.get(info_class)
        if layout is None:
            raise StatusError(STATUS_INVALID_INFO_CLASS)
        check_minimum(limit, layout.size)
        self._layout = layout
        self._limit = limit
        self._hides = hides
        self._parts: list[bytes] = []
        self._size = 0
        self._has_id = info_class in _WITH_ID
        self.has_ea_size = self._has_id or info_class in _WITH_EA_SIZE
        """Whether entries tell how long their extended attributes are."""
        self.needs_stat = layout is not _NAMES
        """Whether entries need more than their names."""
        self.count = 0
        """How many entries there are."""

    def add(self, name: str, stat: Stat | None, ea_size: int = 0) -> bool:
        """Append an entry; False if it does not fit any more. `stat` may be None only where `needs_stat` is not set.

        Raises StatusError (INFO_LENGTH_MISMATCH) if the very first one does not fit, as Samba does: a warning such as
        BUFFER_OVERFLOW would have clients look for entries.
        """
        encoded = name.encode("utf-16-le", "surrogatepass")
        length = len(encoded)
        entry_size = self._layout.size + length
        size = self._size
        start = (size + 7) & ~7
        if start + entry_size > self._limit:
            if not self.count:
                raise StatusError(STATUS_INFO_LENGTH_MISMATCH)
            return False
        parts = self._parts
        if start != size:
            parts.append(_PADDING[start - size])
        parts.append(self._fixed((entry_size + 7) & ~7, name, length, stat, ea_size))
        parts.append(encoded)
        self._size = start + entry_size
        self.count += 1
        return True

    def _fixed(self, following: int, name: str, length: int, stat: Stat | None, ea_size: int) -> bytes:
        if stat is None or not self.needs_stat:
            return _NAMES.pack(following, length)
        directory = stat.mode & _S_IFMT == _S_IFDIR
        common = (
            following,
            *filetimes_from_ns(stat.birthtime_ns, stat.atime_ns, stat.mtime_ns, stat.ctime_ns),
            0 if directory else stat.size,
            0 if directory else stat.allocated,
            file_attributes(stat, name, hides=self._hides),
            length,
        )
        if self._has_id:
            return self._layout.pack(*common, ea_size, stat.node_id.inode)
        if self.has_ea_size:
            return self._layout.pack(*common, ea_size)
        return self._layout.pack(*common)

    def to_bytes(self) -> bytes:
        """All entries, each leading to the next; the last one is not padded."""
        parts = self._parts
        if not parts:
            return b""
        return b"".join((*parts[:-2], _LAST, parts[-2][4:], parts[-1]))


class ShortNamesPacker(DirectoryPacker):
    """The same, with the short names of what has no 8.3 name anyway."""

    __slots__ = ()

    def _fixed(self, following: int, name: str, length: int, stat: Stat | None, ea_size: int) -> bytes:
        fixed = super()._fixed(following, name, length, stat, ea_size)
        if self._layout not in _WITH_SHORT_NAME or own_short_name(name) or name in (".", ".."):
            return fixed
        encoded = short_name(name).encode("utf-16-le")
        packed = bytearray(fixed)
        _SHORT_NAME.pack_into(packed, _SHORT_NAME_AT, len(encoded), encoded)
        return bytes(packed)
