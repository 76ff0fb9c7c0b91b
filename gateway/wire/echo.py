"""ECHO ([MS-SMB2] 2.2.28, 2.2.29)."""

from gateway.wire.codec import Body, u16, wire

__all__ = ["EchoRequest", "EchoResponse"]


@wire
class EchoRequest(Body):
    """[MS-SMB2] 2.2.28."""

    structure_size: u16 = 4
    reserved: u16 = 0


@wire
class EchoResponse(Body):
    """[MS-SMB2] 2.2.29."""

    structure_size: u16 = 4
    reserved: u16 = 0
