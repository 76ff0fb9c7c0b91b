"""QUERY_DIRECTORY ([MS-SMB2] 2.2.33, 2.2.34)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import Layout
from gateway.wire.output import OutputResponse
from gateway.wire.pieces import take, utf16, utf16_bytes

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


@dataclass
class QueryDirectoryRequest:
    """[MS-SMB2] 2.2.33."""

    structure_size: int = 33
    file_information_class: int = 0
    flags: int = 0
    file_index: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    file_name_offset: int = 0
    file_name_length: int = 0
    output_buffer_length: int = 0
    pattern: str = ""

    @staticmethod
    def parse(message: memoryview) -> "QueryDirectoryRequest":
        """[MS-SMB2] 2.2.33; raises `WireError`."""
        self = QueryDirectoryRequest(*_REQUEST.unpack(message))
        self.pattern = utf16(take(message, self.file_name_offset, self.file_name_length, at_least=_REQUEST.end))
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        pattern = utf16_bytes(self.pattern)
        self.file_name_offset = _REQUEST.end
        self.file_name_length = len(pattern)
        return _REQUEST.pack(self) + pattern


@dataclass
class QueryDirectoryResponse(OutputResponse):
    """[MS-SMB2] 2.2.34."""


_REQUEST: Final = Layout(QueryDirectoryRequest, "HBBIQQHHI")
