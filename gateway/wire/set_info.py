"""SET_INFO ([MS-SMB2] 2.2.39, 2.2.40)."""

from typing import Self

from gateway.wire.codec import BODY, Body, take, u8, u16, u32, u64, wire

__all__ = ["SetInfoRequest", "SetInfoResponse"]


@wire
class SetInfoRequest(Body):
    """[MS-SMB2] 2.2.39; the buffer is not copied."""

    structure_size: u16 = 33
    info_type: u8 = 0
    file_info_class: u8 = 0
    buffer_length: u32 = 0
    buffer_offset: u16 = 0
    reserved: u16 = 0
    additional_information: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    buffer: memoryview = memoryview(b"")

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.39; raises `WireError`."""
        self: Self = cls._read(message, BODY)
        self.buffer = take(message, self.buffer_offset, self.buffer_length, at_least=cls.END)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        self.buffer_offset = self.END
        self.buffer_length = len(self.buffer)
        return b"".join((self.pack(), self.buffer))


@wire
class SetInfoResponse(Body):
    """[MS-SMB2] 2.2.40."""

    structure_size: u16 = 2
