"""READ ([MS-SMB2] 2.2.19, 2.2.20)."""

import struct
from typing import ClassVar, Final, Self

from gateway.wire.codec import BODY, Body, take, u8, u16, u32, u64, wire

__all__ = ["SMB2_READFLAG_READ_COMPRESSED", "SMB2_READFLAG_READ_UNBUFFERED", "ReadRequest", "ReadResponse"]

SMB2_READFLAG_READ_UNBUFFERED: Final = 0x01
SMB2_READFLAG_READ_COMPRESSED: Final = 0x02
_RESPONSE: Final = struct.Struct("<HHIII")
_HEADROOM: Final = BODY + _RESPONSE.size
_pack_response_into: Final = _RESPONSE.pack_into


@wire
class ReadRequest(Body):
    """[MS-SMB2] 2.2.19. The channel information of SMB Direct is located here and read by who speaks it."""

    structure_size: u16 = 49
    padding: u8 = 0
    flags: u8 = 0
    length: u32 = 0
    offset: u64 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    minimum_count: u32 = 0
    channel: u32 = 0
    remaining_bytes: u32 = 0
    read_channel_info_offset: u16 = 0
    read_channel_info_length: u16 = 0

    def to_bytes(self) -> bytes:
        """The body; its variable part is one byte at least, even if that means nothing."""
        return self.pack() + b"\0"


@wire
class ReadResponse(Body):
    """[MS-SMB2] 2.2.20."""

    HEADROOM: ClassVar[int] = _HEADROOM
    """What stands in front of the data: read a file straight into `buffer[HEADROOM:]`."""

    structure_size: u16 = 17
    data_offset: u8 = 0
    reserved: u8 = 0
    data_length: u32 = 0
    data_remaining: u32 = 0
    reserved2: u32 = 0
    data: memoryview = memoryview(b"")

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.20; the data is not copied. Raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        self.data = take(message, self.data_offset, self.data_length, at_least=cls.HEADROOM)
        return self

    def to_bytes(self) -> bytes:
        """Body and data glued together; a server uses `pack_into`."""
        self.data_offset = self.HEADROOM
        self.data_length = len(self.data)
        return self.pack() + (bytes(self.data) or b"\0")

    @staticmethod
    def pack_into(buffer: bytearray | memoryview, length: int) -> None:
        """Write the body at 64 of `buffer`, for `length` bytes of data that follow it there."""
        _pack_response_into(buffer, BODY, 17, _HEADROOM, length, 0, 0)
