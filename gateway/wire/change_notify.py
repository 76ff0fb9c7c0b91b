"""CHANGE_NOTIFY ([MS-SMB2] 2.2.35, 2.2.36)."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.layout import Layout
from gateway.wire.output import OutputResponse

__all__ = ["SMB2_WATCH_TREE", "ChangeNotifyRequest", "ChangeNotifyResponse"]

SMB2_WATCH_TREE: Final = 0x0001


@dataclass
class ChangeNotifyRequest:
    """[MS-SMB2] 2.2.35."""

    structure_size: int = 32
    flags: int = 0
    output_buffer_length: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    completion_filter: int = 0
    reserved: int = 0

    @staticmethod
    def parse(message: memoryview) -> "ChangeNotifyRequest":
        """[MS-SMB2] 2.2.35; raises `WireError`."""
        return ChangeNotifyRequest(*_REQUEST.unpack(message))

    def to_bytes(self) -> bytes:
        """The body."""
        return _REQUEST.pack(self)


@dataclass
class ChangeNotifyResponse(OutputResponse):
    """[MS-SMB2] 2.2.36; the output is a list of FILE_NOTIFY_INFORMATION."""


_REQUEST: Final = Layout(ChangeNotifyRequest, "HHIQQII")
