"""CANCEL, which has no response ([MS-SMB2] 2.2.30)."""

from gateway.wire.codec import Body, u16, wire

__all__ = ["CancelRequest"]


@wire
class CancelRequest(Body):
    """[MS-SMB2] 2.2.30."""

    structure_size: u16 = 4
    reserved: u16 = 0
