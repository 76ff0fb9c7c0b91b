"""QUERY_INFO ([MS-SMB2] 2.2.37, 2.2.38)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import Layout
from gateway.wire.output import OutputResponse
from gateway.wire.pieces import NOTHING, View, take
from vfs_backends.native import mypyc_attr

__all__ = ["SL_INDEX_SPECIFIED", "SL_RESTART_SCAN", "SL_RETURN_SINGLE_ENTRY", "QueryInfoRequest", "QueryInfoResponse"]

SL_RESTART_SCAN: Final = 0x00000001
SL_RETURN_SINGLE_ENTRY: Final = 0x00000002
SL_INDEX_SPECIFIED: Final = 0x00000004


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class QueryInfoRequest:
    """[MS-SMB2] 2.2.37. The input (a list of extended attributes, or a quota query) is not copied."""

    structure_size: int = 41
    info_type: int = 0
    file_info_class: int = 0
    output_buffer_length: int = 0
    input_buffer_offset: int = 0
    reserved: int = 0
    input_buffer_length: int = 0
    additional_information: int = 0
    flags: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    input: View = NOTHING

    @staticmethod
    def parse(message: memoryview) -> "QueryInfoRequest":
        """[MS-SMB2] 2.2.37; raises `WireError`."""
        self = QueryInfoRequest.__new__(QueryInfoRequest)
        (
            self.structure_size,
            self.info_type,
            self.file_info_class,
            self.output_buffer_length,
            self.input_buffer_offset,
            self.reserved,
            self.input_buffer_length,
            self.additional_information,
            self.flags,
            self.persistent_file_id,
            self.volatile_file_id,
        ) = _REQUEST.unpack(message)
        self.input = take(message, self.input_buffer_offset, self.input_buffer_length, at_least=_REQUEST.end)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        self.input_buffer_length = len(self.input)
        self.input_buffer_offset = _REQUEST.end if self.input_buffer_length else 0
        return _REQUEST.pack(self) + (bytes(self.input) or b"\0")


@dataclass
class QueryInfoResponse(OutputResponse):
    """[MS-SMB2] 2.2.38."""


_REQUEST: Final = Layout(QueryInfoRequest, "HBBIHHIIIQQ")
