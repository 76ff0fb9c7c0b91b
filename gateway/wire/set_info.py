"""SET_INFO ([MS-SMB2] 2.2.39, 2.2.40)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import Layout
from gateway.wire.pieces import NOTHING, View, take
from vfs_backends.native import mypyc_attr

__all__ = ["SetInfoRequest", "SetInfoResponse"]


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class SetInfoRequest:
    """[MS-SMB2] 2.2.39; the buffer is not copied."""

    structure_size: int = 33
    info_type: int = 0
    file_info_class: int = 0
    buffer_length: int = 0
    buffer_offset: int = 0
    reserved: int = 0
    additional_information: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    buffer: View = NOTHING

    @staticmethod
    def parse(message: memoryview) -> "SetInfoRequest":
        """[MS-SMB2] 2.2.39; raises `WireError`."""
        self = SetInfoRequest.__new__(SetInfoRequest)
        (
            self.structure_size,
            self.info_type,
            self.file_info_class,
            self.buffer_length,
            self.buffer_offset,
            self.reserved,
            self.additional_information,
            self.persistent_file_id,
            self.volatile_file_id,
        ) = _REQUEST.unpack(message)
        self.buffer = take(message, self.buffer_offset, self.buffer_length, at_least=_REQUEST.end)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        self.buffer_offset, self.buffer_length = _REQUEST.end, len(self.buffer)
        return _REQUEST.pack(self) + bytes(self.buffer)


@dataclass
class SetInfoResponse:
    """[MS-SMB2] 2.2.40."""

    structure_size: int = 2

    @staticmethod
    def parse(message: memoryview) -> "SetInfoResponse":
        """[MS-SMB2] 2.2.40; raises `WireError`."""
        return SetInfoResponse(*_RESPONSE.unpack(message))

    def to_bytes(self) -> bytes:
        """The body."""
        return _RESPONSE.packed(self.structure_size)


_REQUEST: Final = Layout(SetInfoRequest, "HBBIHHIQQ")
_RESPONSE: Final = Layout(SetInfoResponse, "H")
