"""FLUSH ([MS-SMB2] 2.2.17, 2.2.18)."""

from gateway.wire.codec import Body, u16, u32, u64, wire

__all__ = ["FlushRequest", "FlushResponse"]


@wire
class FlushRequest(Body):
    """[MS-SMB2] 2.2.17."""

    structure_size: u16 = 24
    reserved1: u16 = 0
    reserved2: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0


@wire
class FlushResponse(Body):
    """[MS-SMB2] 2.2.18."""

    structure_size: u16 = 4
    reserved: u16 = 0
