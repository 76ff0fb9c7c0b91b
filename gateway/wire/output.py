"""What responses of QUERY_DIRECTORY, CHANGE_NOTIFY and QUERY_INFO share ([MS-SMB2] 2.2.34, 2.2.36, 2.2.38)."""

import struct
from typing import ClassVar, Self

from gateway.wire.codec import BODY, Body, take, u16, u32, wire

__all__ = ["OutputResponse"]


@wire
class OutputResponse(Body):
    """An output buffer of some length."""

    HEADROOM: ClassVar[int] = BODY + 8
    """What stands in front of the output, for `pack_into`."""

    structure_size: u16 = 9
    output_buffer_offset: u16 = 0
    output_buffer_length: u32 = 0
    output: memoryview | bytes = b""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """Read the body; the output is not copied. Raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        self.output = take(message, self.output_buffer_offset, self.output_buffer_length, at_least=cls.END)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        self.output_buffer_length = len(self.output)
        self.output_buffer_offset = self.HEADROOM
        return self.body(self.output)

    @classmethod
    def body(cls, output: memoryview | bytes) -> bytes:
        """The same of a response that need not be made for it."""
        return _HEAD.pack(9, cls.HEADROOM, len(output)) + output

    @classmethod
    def pack_into(cls, buffer: bytearray, length: int) -> None:
        """Write the body at 64 of `buffer`, for `length` bytes of output that follow it there."""
        _HEAD.pack_into(buffer, BODY, 9, cls.HEADROOM, length)


_HEAD = struct.Struct("<HHI")
