"""IOCTL ([MS-SMB2] 2.2.31, 2.2.32)."""

from typing import Final, Self

from gateway.wire.codec import BODY, Body, align8, pad8, take, u16, u32, u64, wire

__all__ = ["NO_FILE_ID", "SMB2_0_IOCTL_IS_FSCTL", "IoctlRequest", "IoctlResponse"]

SMB2_0_IOCTL_IS_FSCTL: Final = 0x00000001

NO_FILE_ID: Final = 0xFFFF_FFFF_FFFF_FFFF
"""Both halves of the file id of controls that mean no file."""


@wire
class IoctlRequest(Body):
    """[MS-SMB2] 2.2.31; the input is not copied, and nothing uses the output of a request."""

    structure_size: u16 = 57
    reserved: u16 = 0
    ctl_code: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    input_offset: u32 = 0
    input_count: u32 = 0
    max_input_response: u32 = 0
    output_offset: u32 = 0
    output_count: u32 = 0
    max_output_response: u32 = 0
    flags: u32 = 0
    reserved2: u32 = 0
    input: memoryview = memoryview(b"")

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.31; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        self.input = take(message, self.input_offset, self.input_count, at_least=cls.END)
        take(message, self.output_offset, self.output_count, at_least=cls.END)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in."""
        self.input_offset = self.END
        self.input_count = len(self.input)
        self.output_offset = self.output_count = 0
        return self.pack() + bytes(self.input)


@wire
class IoctlResponse(Body):
    """[MS-SMB2] 2.2.32. Hardly any control answers with input."""

    structure_size: u16 = 49
    reserved: u16 = 0
    ctl_code: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    input_offset: u32 = 0
    input_count: u32 = 0
    output_offset: u32 = 0
    output_count: u32 = 0
    flags: u32 = 0
    reserved2: u32 = 0
    input: memoryview | bytes = b""
    output: memoryview | bytes = b""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.32; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        self.input = take(message, self.input_offset, self.input_count, at_least=cls.END)
        self.output = take(message, self.output_offset, self.output_count, at_least=cls.END)
        return self

    def to_bytes(self, more_padding: int = 0) -> bytes:
        """The body, with its offsets and lengths filled in, and `more_padding` bytes before the output."""
        self.input_offset = self.END
        self.input_count = len(self.input)
        self.output_offset = align8(self.END + self.input_count) + more_padding
        self.output_count = len(self.output)
        padding = pad8(self.input_count) + bytes(more_padding) if self.output_count else b""
        return b"".join((self.pack(), self.input, padding, self.output))
