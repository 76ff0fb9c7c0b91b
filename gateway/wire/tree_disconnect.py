"""TREE_DISCONNECT ([MS-SMB2] 2.2.11, 2.2.12)."""

from gateway.wire.codec import Body, u16, wire

__all__ = ["TreeDisconnectRequest", "TreeDisconnectResponse"]


@wire
class TreeDisconnectRequest(Body):
    """[MS-SMB2] 2.2.11."""

    structure_size: u16 = 4
    reserved: u16 = 0


@wire
class TreeDisconnectResponse(Body):
    """[MS-SMB2] 2.2.12."""

    structure_size: u16 = 4
    reserved: u16 = 0
