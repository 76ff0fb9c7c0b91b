"""CHANGE_NOTIFY ([MS-SMB2] 2.2.35, 2.2.36)."""

from typing import Final

from gateway.wire.codec import Body, u16, u32, u64, wire
from gateway.wire.output import OutputResponse

__all__ = ["SMB2_WATCH_TREE", "ChangeNotifyRequest", "ChangeNotifyResponse"]

SMB2_WATCH_TREE: Final = 0x0001


@wire
class ChangeNotifyRequest(Body):
    """[MS-SMB2] 2.2.35."""

    structure_size: u16 = 32
    flags: u16 = 0
    output_buffer_length: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    completion_filter: u32 = 0
    reserved: u32 = 0


@wire
class ChangeNotifyResponse(OutputResponse):
    """[MS-SMB2] 2.2.36; the output is a list of FILE_NOTIFY_INFORMATION."""
