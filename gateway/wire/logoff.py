"""LOGOFF ([MS-SMB2] 2.2.7, 2.2.8)."""

from gateway.wire.codec import Body, u16, wire

__all__ = ["LogoffRequest", "LogoffResponse"]


@wire
class LogoffRequest(Body):
    """[MS-SMB2] 2.2.7."""

    structure_size: u16 = 4
    reserved: u16 = 0


@wire
class LogoffResponse(Body):
    """[MS-SMB2] 2.2.8."""

    structure_size: u16 = 4
    reserved: u16 = 0
