"""ECHO: [MS-SMB2] 3.3.5.17."""

from typing import Final

from gateway.protocol.message import HEADROOM
from gateway.smb.context import ConnectionContext
from gateway.smb.registry import command
from gateway.wire.echo import EchoRequest, EchoResponse
from gateway.wire.header import Opcode

__all__ = ["handle"]

_ANSWER: Final = bytes(HEADROOM) + EchoResponse().to_bytes()


@command(Opcode.ECHO, EchoRequest, ConnectionContext)
def handle(ctx: ConnectionContext, request: EchoRequest) -> bytearray:
    """[MS-SMB2] 3.3.5.17."""
    return bytearray(_ANSWER)
