"""QUERY_INFO ([MS-SMB2] 2.2.37, 2.2.38)."""

from typing import Final, Self

from gateway.wire.codec import BODY, Body, take, u8, u16, u32, u64, wire
from gateway.wire.output import OutputResponse

__all__ = ["SL_INDEX_SPECIFIED", "SL_RESTART_SCAN", "SL_RETURN_SINGLE_ENTRY", "QueryInfoRequest", "QueryInfoResponse"]

SL_RESTART_SCAN: Final = 0x00000001
SL_RETURN_SINGLE_ENTRY: Final = 0x00000002
SL_INDEX_SPECIFIED: Final = 0x00000004


@wire
class QueryInfoRequest(Body):
    """[MS-SMB2] 2.2.37. The input (a list of extended attributes, or a quota query) is not copied."""

    structure_size: u16 = 41
    info_type: u8 = 0
    file_info_class: u8 = 0
    output_buffer_length: u32 = 0
    input_buffer_offset: u16 = 0
    reserved: u16 = 0
    input_buffer_length: u32 = 0
    additional_information: u32 = 0
    flags: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    input: memoryview = memoryview(b"")

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.37; raises `WireError`."""
        self: Self = cls._read(message, BODY)
        self.input = take(message, self.input_buffer_offset, self.input_buffer_length, at_least=cls.END)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        self.input_buffer_length = len(self.input)
        self.input_buffer_offset = self.END if self.input_buffer_length else 0
        return self.pack() + (bytes(self.input) or b"\0")


@wire
class QueryInfoResponse(OutputResponse):
    """[MS-SMB2] 2.2.38."""
