"""QUERY_DIRECTORY ([MS-SMB2] 2.2.33, 2.2.34)."""

from typing import Final, Self

from gateway.wire.codec import BODY, Body, take, u8, u16, u32, u64, utf16, utf16_bytes, wire
from gateway.wire.output import OutputResponse

__all__ = [
    "SMB2_INDEX_SPECIFIED",
    "SMB2_REOPEN",
    "SMB2_RESTART_SCANS",
    "SMB2_RETURN_SINGLE_ENTRY",
    "QueryDirectoryRequest",
    "QueryDirectoryResponse",
]

SMB2_RESTART_SCANS: Final = 0x01
SMB2_RETURN_SINGLE_ENTRY: Final = 0x02
SMB2_INDEX_SPECIFIED: Final = 0x04
SMB2_REOPEN: Final = 0x10


@wire
class QueryDirectoryRequest(Body):
    """[MS-SMB2] 2.2.33."""

    structure_size: u16 = 33
    file_information_class: u8 = 0
    flags: u8 = 0
    file_index: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    file_name_offset: u16 = 0
    file_name_length: u16 = 0
    output_buffer_length: u32 = 0
    pattern: str = ""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.33; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        self.pattern = utf16(take(message, self.file_name_offset, self.file_name_length, at_least=cls.END))
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        pattern = utf16_bytes(self.pattern)
        self.file_name_offset = self.END
        self.file_name_length = len(pattern)
        return self.pack() + pattern


@wire
class QueryDirectoryResponse(OutputResponse):
    """[MS-SMB2] 2.2.34."""
