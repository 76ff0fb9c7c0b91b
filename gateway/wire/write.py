"""WRITE ([MS-SMB2] 2.2.21, 2.2.22)."""

import struct
from typing import Final, Self

from gateway.wire.codec import BODY, Body, take, u16, u32, u64, wire

__all__ = ["SMB2_WRITEFLAG_WRITE_THROUGH", "SMB2_WRITEFLAG_WRITE_UNBUFFERED", "WriteRequest", "WriteResponse"]

SMB2_WRITEFLAG_WRITE_THROUGH: Final = 0x00000001
SMB2_WRITEFLAG_WRITE_UNBUFFERED: Final = 0x00000002

_DATA_OFFSET: Final = BODY + 48


@wire
class WriteRequest(Body):
    """[MS-SMB2] 2.2.21. The channel information of SMB Direct is located here and read by who speaks it."""

    structure_size: u16 = 49
    data_offset: u16 = 0
    length: u32 = 0
    offset: u64 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    channel: u32 = 0
    remaining_bytes: u32 = 0
    write_channel_info_offset: u16 = 0
    write_channel_info_length: u16 = 0
    flags: u32 = 0
    data: memoryview = memoryview(b"")

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.21; the data is not copied. Raises `WireError`."""
        self: Self = cls._read(message, BODY)
        self.data = take(message, self.data_offset, self.length, at_least=_DATA_OFFSET)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in."""
        self.data_offset = _DATA_OFFSET
        self.length = len(self.data)
        return self.pack() + bytes(self.data)


@wire
class WriteResponse(Body):
    """[MS-SMB2] 2.2.22."""

    structure_size: u16 = 17
    reserved: u16 = 0
    count: u32 = 0
    remaining: u32 = 0
    write_channel_info_offset: u16 = 0
    write_channel_info_length: u16 = 0

    @staticmethod
    def message(count: int) -> bytearray:
        """The answer to a WRITE of `count` bytes, with room for the header in front."""
        buffer = bytearray(_RESPONSE_END)
        _pack_response_into(buffer, BODY, 17, 0, count, 0, 0, 0)
        return buffer


_RESPONSE: Final = struct.Struct("<HHIIHH")
_RESPONSE_END: Final = BODY + _RESPONSE.size
_pack_response_into: Final = _RESPONSE.pack_into
