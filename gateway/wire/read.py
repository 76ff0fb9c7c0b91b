"""READ ([MS-SMB2] 2.2.19, 2.2.20)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import BODY, Layout
from gateway.wire.pieces import NOTHING, View, take
from vfs_backends.native import mypyc_attr

__all__ = [
    "READ_HEADROOM",
    "READ_RESPONSE_SIZE",
    "SMB2_READFLAG_READ_COMPRESSED",
    "SMB2_READFLAG_READ_UNBUFFERED",
    "ReadRequest",
    "ReadResponse",
]

SMB2_READFLAG_READ_UNBUFFERED: Final = 0x01
SMB2_READFLAG_READ_COMPRESSED: Final = 0x02
READ_RESPONSE_SIZE: Final = 16
"""Of a response without its data."""
READ_HEADROOM: Final = BODY + READ_RESPONSE_SIZE
"""What stands in front of the data of a response in its message."""


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class ReadRequest:
    """[MS-SMB2] 2.2.19. The channel information of SMB Direct is located here and read by who speaks it."""

    structure_size: int = 49
    padding: int = 0
    flags: int = 0
    length: int = 0
    offset: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    minimum_count: int = 0
    channel: int = 0
    remaining_bytes: int = 0
    read_channel_info_offset: int = 0
    read_channel_info_length: int = 0

    @staticmethod
    def parse(message: memoryview) -> "ReadRequest":
        """[MS-SMB2] 2.2.19; raises `WireError`."""
        self = ReadRequest.__new__(ReadRequest)
        (
            self.structure_size,
            self.padding,
            self.flags,
            self.length,
            self.offset,
            self.persistent_file_id,
            self.volatile_file_id,
            self.minimum_count,
            self.channel,
            self.remaining_bytes,
            self.read_channel_info_offset,
            self.read_channel_info_length,
        ) = _REQUEST.unpack(message)
        return self

    def to_bytes(self) -> bytes:
        """The body; its variable part is one byte at least, even if that means nothing."""
        return _REQUEST.pack(self) + b"\0"


@dataclass
class ReadResponse:
    """[MS-SMB2] 2.2.20."""

    structure_size: int = 17
    data_offset: int = 0
    reserved: int = 0
    data_length: int = 0
    data_remaining: int = 0
    reserved2: int = 0
    data: View = NOTHING

    @staticmethod
    def parse(message: memoryview) -> "ReadResponse":
        """[MS-SMB2] 2.2.20; the data is not copied. Raises `WireError`."""
        self = ReadResponse(*_RESPONSE.unpack(message))
        self.data = take(message, self.data_offset, self.data_length, at_least=READ_HEADROOM)
        return self

    def to_bytes(self) -> bytes:
        """Body and data glued together; a server uses `pack_into`."""
        self.data_offset = READ_HEADROOM
        self.data_length = len(self.data)
        return _RESPONSE.pack(self) + (bytes(self.data) or b"\0")

    @staticmethod
    def pack_into(buffer: bytearray | memoryview, offset: int, length: int) -> None:
        """Write the body at `offset` of `buffer`, for `length` bytes of data that follow it there."""
        _RESPONSE.packed_into(buffer, offset, 17, READ_HEADROOM, 0, length, 0, 0)


_REQUEST: Final = Layout(ReadRequest, "HBBIQQQIIIHH")
_RESPONSE: Final = Layout(ReadResponse, "HBBIII")
