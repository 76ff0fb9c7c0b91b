"""Information classes of files that can be queried ([MS-FSCC] 2.4, [MS-SMB2] 3.3.5.20.1)."""

from collections.abc import Callable
from struct import Struct
from typing import Final

from acl.mask import FILE_READ_ATTRIBUTES, FILE_READ_EA
from gateway.nt import constants as nt
from gateway.nt.info import FileInfo, StreamInfo
from gateway.nt.shortnames import own_short_name, short_name
from gateway.nt.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    StatusError,
)
from gateway.smb.info.buffers import check_minimum, cut
from gateway.wire.pieces import align8, utf16_bytes

__all__ = ["FILE_CLASSES", "FileClass", "file_class"]

_DIALECT_3_0: Final = 0x0300
_DIALECT_3_1_1: Final = 0x0311

_BASIC: Final = Struct("<QQQQI4x")
_STANDARD: Final = Struct("<QQIBB2x")
_ALL_TAIL: Final = Struct("<QIIQIII")
_STREAM: Final = Struct("<IIQQ")
_COMPRESSION: Final = Struct("<Q8x")
_NETWORK_OPEN: Final = Struct("<QQQQQQI4x")
_TWO_LONGS: Final = Struct("<II")
_LONG: Final = Struct("<I")
_LONG_LONG: Final = Struct("<Q")
_ID: Final = Struct("<QQ8x")

_pack_basic: Final = _BASIC.pack
_pack_standard: Final = _STANDARD.pack
_pack_all_tail: Final = _ALL_TAIL.pack

_DEFAULT_STREAM: Final = "::$DATA"


class FileClass:
    """An information class that can be queried."""

    __slots__ = ("_pack", "access", "minimum")

    def __init__(self, pack: Callable[[FileInfo], bytes] | None, minimum: int, access: int = 0) -> None:
        """`pack`: from the file to bytes; None if it is asked of somebody else (EAs, pipes)."""
        self._pack = pack
        self.minimum = minimum
        """The least room a client must offer, in bytes: the size of the structure in C, padding included."""
        self.access = access
        """What the open must have been granted."""

    def pack(self, info: FileInfo, limit: int) -> tuple[int, bytes]:
        """The answer in at most `limit` bytes, and its status: SUCCESS, or BUFFER_OVERFLOW where the rest was cut off.

        Raises StatusError: INFO_LENGTH_MISMATCH for too little room, INVALID_PARAMETER for a class of pipes only.
        """
        pack = self._pack
        if pack is None:
            raise StatusError(STATUS_INVALID_PARAMETER)
        check_minimum(limit, self.minimum)
        return cut(pack(info), limit)


class _StreamClass(FileClass):
    """That of the streams."""

    __slots__ = ()

    def __init__(self, minimum: int) -> None:
        super().__init__(None, minimum)

    def pack(self, info: FileInfo, limit: int) -> tuple[int, bytes]:
        """As of any class; but only whole entries: a cut one would end in a chain that leads nowhere."""
        check_minimum(limit, self.minimum)
        return _streams(info, limit)


def file_class(info_class: int, dialect: int) -> FileClass:
    """The class of that number, for a connection of that dialect.

    Raises StatusError: NOT_SUPPORTED for what [MS-FSCC] knows and the dialect or QUERY_INFO does not, otherwise
    INVALID_INFO_CLASS.
    """
    found = FILE_CLASSES.get(info_class)
    if found is None:
        raise StatusError(STATUS_NOT_SUPPORTED if info_class in _NOT_QUERIED else STATUS_INVALID_INFO_CLASS)
    if info_class == nt.FILE_NORMALIZED_NAME_INFORMATION and dialect < _DIALECT_3_1_1:
        raise StatusError(STATUS_NOT_SUPPORTED)
    if info_class == nt.FILE_ID_INFORMATION and dialect < _DIALECT_3_0:
        raise StatusError(STATUS_NOT_SUPPORTED)
    return found


def _basic(info: FileInfo) -> bytes:
    return _pack_basic(
        info.creation_time, info.last_access_time, info.last_write_time, info.change_time, info.file_attributes
    )


def _standard(info: FileInfo) -> bytes:
    links = info.number_of_links - 1 if info.delete_pending and info.number_of_links else info.number_of_links
    return _pack_standard(info.allocation_size, info.end_of_file, links, info.delete_pending, info.is_directory)


def _counted(name: str) -> bytes:
    """FILE_NAME_INFORMATION ([MS-FSCC] 2.1.7)."""
    encoded = utf16_bytes(name)
    return _LONG.pack(len(encoded)) + encoded


def _all(info: FileInfo) -> bytes:
    """With the name, which [MS-SMB2] would leave out: Linux refuses an answer that ends before it."""
    name = utf16_bytes(info.name)
    tail = _pack_all_tail(
        info.index_number, info.ea_size, info.access_granted, info.position, info.mode, info.alignment, len(name)
    )
    return _basic(info) + _standard(info) + tail + name


def _alternate_name(info: FileInfo) -> bytes:
    """An empty name where there is none: clients read it so, and smbtorture takes no error."""
    name = info.name.rpartition("\\")[2].partition(":")[0]
    return _counted(short_name(name) if info.has_short_name else own_short_name(name))


def _normalized_name(info: FileInfo) -> bytes:
    return _counted(info.name.removeprefix("\\"))


def _compression(info: FileInfo) -> bytes:
    """Nothing is compressed: COMPRESSION_FORMAT_NONE."""
    return _COMPRESSION.pack(info.end_of_file)


def _network_open(info: FileInfo) -> bytes:
    return _NETWORK_OPEN.pack(
        info.creation_time,
        info.last_access_time,
        info.last_write_time,
        info.change_time,
        info.allocation_size,
        info.end_of_file,
        info.file_attributes,
    )


def _streams(info: FileInfo, limit: int) -> tuple[int, bytes]:
    streams = [StreamInfo(f":{name}:$DATA", size, allocated) for name, size, allocated in info.streams]
    if not info.is_directory:
        streams.insert(0, StreamInfo(_DEFAULT_STREAM, info.end_of_file, info.allocation_size))
    data = bytearray()
    previous = 0
    for name, size, allocated in streams:
        encoded = utf16_bytes(name)
        start = align8(len(data))
        if start + _STREAM.size + len(encoded) > limit:
            return STATUS_BUFFER_OVERFLOW, bytes(data)
        if data:
            data += bytes(start - len(data))
            _LONG.pack_into(data, previous, start - previous)
        data += _STREAM.pack(0, len(encoded), size, allocated) + encoded
        previous = start
    return STATUS_SUCCESS, bytes(data)


FILE_CLASSES: Final[dict[int, FileClass]] = {
    nt.FILE_BASIC_INFORMATION: FileClass(_basic, _BASIC.size, FILE_READ_ATTRIBUTES),
    nt.FILE_STANDARD_INFORMATION: FileClass(_standard, _STANDARD.size),
    nt.FILE_INTERNAL_INFORMATION: FileClass(lambda info: _LONG_LONG.pack(info.index_number), 8),
    nt.FILE_EA_INFORMATION: FileClass(lambda info: _LONG.pack(info.ea_size), 4),
    nt.FILE_ACCESS_INFORMATION: FileClass(lambda info: _LONG.pack(info.access_granted), 4),
    nt.FILE_POSITION_INFORMATION: FileClass(lambda info: _LONG_LONG.pack(info.position), 8),
    nt.FILE_FULL_EA_INFORMATION: FileClass(None, 0, FILE_READ_EA),
    nt.FILE_MODE_INFORMATION: FileClass(lambda info: _LONG.pack(info.mode), 4),
    nt.FILE_ALIGNMENT_INFORMATION: FileClass(lambda info: _LONG.pack(info.alignment), 4),
    nt.FILE_ALL_INFORMATION: FileClass(_all, 104, FILE_READ_ATTRIBUTES),
    nt.FILE_ALTERNATE_NAME_INFORMATION: FileClass(_alternate_name, 8),
    nt.FILE_STREAM_INFORMATION: _StreamClass(32),
    nt.FILE_PIPE_INFORMATION: FileClass(None, 8, FILE_READ_ATTRIBUTES),
    nt.FILE_PIPE_LOCAL_INFORMATION: FileClass(None, 40, FILE_READ_ATTRIBUTES),
    nt.FILE_PIPE_REMOTE_INFORMATION: FileClass(None, 16, FILE_READ_ATTRIBUTES),
    nt.FILE_COMPRESSION_INFORMATION: FileClass(_compression, _COMPRESSION.size),
    nt.FILE_NETWORK_OPEN_INFORMATION: FileClass(_network_open, _NETWORK_OPEN.size, FILE_READ_ATTRIBUTES),
    nt.FILE_ATTRIBUTE_TAG_INFORMATION: FileClass(
        lambda info: _TWO_LONGS.pack(info.file_attributes, info.reparse_tag), 8, FILE_READ_ATTRIBUTES
    ),
    nt.FILE_NORMALIZED_NAME_INFORMATION: FileClass(_normalized_name, 8),
    nt.FILE_ID_INFORMATION: FileClass(lambda info: _ID.pack(info.volume_id, info.index_number), _ID.size),
}

_NOT_QUERIED: Final = frozenset(
    {
        nt.FILE_DIRECTORY_INFORMATION,
        nt.FILE_FULL_DIRECTORY_INFORMATION,
        nt.FILE_BOTH_DIRECTORY_INFORMATION,
        nt.FILE_NAME_INFORMATION,
        nt.FILE_RENAME_INFORMATION,
        nt.FILE_LINK_INFORMATION,
        nt.FILE_NAMES_INFORMATION,
        nt.FILE_DISPOSITION_INFORMATION,
        nt.FILE_ALLOCATION_INFORMATION,
        nt.FILE_END_OF_FILE_INFORMATION,
        nt.FILE_MAILSLOT_QUERY_INFORMATION,
        nt.FILE_MAILSLOT_SET_INFORMATION,
        nt.FILE_OBJECT_ID_INFORMATION,
        nt.FILE_QUOTA_INFORMATION,
        nt.FILE_REPARSE_POINT_INFORMATION,
        nt.FILE_ID_BOTH_DIRECTORY_INFORMATION,
        nt.FILE_ID_FULL_DIRECTORY_INFORMATION,
        nt.FILE_VALID_DATA_LENGTH_INFORMATION,
        nt.FILE_SHORT_NAME_INFORMATION,
        nt.FILE_SFIO_RESERVE_INFORMATION,
        nt.FILE_HARD_LINK_INFORMATION,
        nt.FILE_ID_GLOBAL_TX_DIRECTORY_INFORMATION,
        nt.FILE_STANDARD_LINK_INFORMATION,
        nt.FILE_ID_EXTD_DIRECTORY_INFORMATION,
        nt.FILE_ID_64_EXTD_DIRECTORY_INFORMATION,
        nt.FILE_ID_64_EXTD_BOTH_DIRECTORY_INFORMATION,
        nt.FILE_ID_ALL_EXTD_DIRECTORY_INFORMATION,
        nt.FILE_ID_ALL_EXTD_BOTH_DIRECTORY_INFORMATION,
    }
)
"""Documented, but not among those that [MS-SMB2] 2.2.37 lists."""
