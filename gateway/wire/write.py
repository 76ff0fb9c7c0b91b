"""WRITE ([MS-SMB2] 2.2.21, 2.2.22)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import BODY, Layout
from gateway.wire.pieces import NOTHING, View, take
from vfs_backends.native import mypyc_attr

__all__ = ["SMB2_WRITEFLAG_WRITE_THROUGH", "SMB2_WRITEFLAG_WRITE_UNBUFFERED", "WriteRequest", "WriteResponse"]

SMB2_WRITEFLAG_WRITE_THROUGH: Final = 0x00000001
SMB2_WRITEFLAG_WRITE_UNBUFFERED: Final = 0x00000002

_DATA_OFFSET: Final = BODY + 48


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class WriteRequest:
    """[MS-SMB2] 2.2.21. The channel information of SMB Direct is located here and read by who speaks it."""

    structure_size: int = 49
    data_offset: int = 0
    length: int = 0
    offset: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    channel: int = 0
    remaining_bytes: int = 0
    write_channel_info_offset: int = 0
    write_channel_info_length: int = 0
    flags: int = 0
    data: View = NOTHING

    @staticmethod
    def parse(message: memoryview) -> "WriteRequest":
        """[MS-SMB2] 2.2.21; the data is not copied. Raises `WireError`."""
        self = WriteRequest.__new__(WriteRequest)
        (
            self.structure_size,
            self.data_offset,
            self.length,
            self.offset,
            self.persistent_file_id,
            self.volatile_file_id,
            self.channel,
            self.remaining_bytes,
            self.write_channel_info_offset,
            self.write_channel_info_length,
            self.flags,
        ) = _REQUEST.unpack(message)
        self.data = take(message, self.data_offset, self.length, at_least=_DATA_OFFSET)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in."""
        self.data_offset = _DATA_OFFSET
        self.length = len(self.data)
        return _REQUEST.pack(self) + bytes(self.data)


@dataclass
class WriteResponse:
    """[MS-SMB2] 2.2.22."""

    structure_size: int = 17
    reserved: int = 0
    count: int = 0
    remaining: int = 0
    write_channel_info_offset: int = 0
    write_channel_info_length: int = 0

    @staticmethod
    def parse(message: memoryview) -> "WriteResponse":
        """[MS-SMB2] 2.2.22; raises `WireError`."""
        return WriteResponse(*_RESPONSE.unpack(message))

    def to_bytes(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(self)

    @staticmethod
    def behind(headroom: int, count: int) -> bytearray:
        """The answer to a WRITE of `count` bytes, with so many free bytes in front."""
        buffer = bytearray(headroom + 16)
        _RESPONSE.packed_into(buffer, headroom, 17, 0, count, 0, 0, 0)
        return buffer


_REQUEST: Final = Layout(WriteRequest, "HHIQQQIIHHI")
_RESPONSE: Final = Layout(WriteResponse, "HHIIHH")
