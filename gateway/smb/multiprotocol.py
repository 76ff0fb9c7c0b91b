"""SMB1's NEGOTIATE, by which old clients come to SMB2. [MS-SMB2] 3.3.5.3.1, 3.3.5.3.2."""

from typing import TYPE_CHECKING

from gateway.protocol.errors import ProtocolError
from gateway.protocol.message import Reply, Request
from gateway.smb.commands.negotiate import agreed, response
from gateway.wire.errors import WireError
from gateway.wire.header import Header, Opcode
from gateway.wire.negotiate import DIALECT_202, DIALECT_210, DIALECT_WILDCARD, NegotiateRequest
from gateway.wire.smb1 import SMB1_DIALECT_202, SMB1_DIALECT_WILDCARD, Smb1NegotiateRequest

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection

__all__ = ["answer_smb1"]


def answer_smb1(connection: "SmbConnection", message: memoryview) -> None:
    """Answer an SMB1 NEGOTIATE that offers SMB2. Raises `ProtocolError` for anything else of SMB1."""
    try:
        offered = Smb1NegotiateRequest.parse(message).dialects
    except WireError as error:
        raise ProtocolError(f"SMB1: {error}") from error
    policy = connection.service.negotiate_policy
    if SMB1_DIALECT_WILDCARD in offered and policy.max_dialect >= DIALECT_210:
        # The client negotiates once more, in SMB2; until then nothing is settled.
        body = response(connection, DIALECT_WILDCARD)
    elif SMB1_DIALECT_202 in offered and policy.min_dialect == DIALECT_202:
        agreed(connection, NegotiateRequest(dialects=(DIALECT_202,)))
        body = response(connection, DIALECT_202)
    else:
        raise ProtocolError("a client that speaks SMB1 only")
    connection.protocol.window.use(0, 1)
    request = Request(Header(command=Opcode.NEGOTIATE, credits=1), message, sealed=False)
    connection.send([Reply(request, 0, body.to_bytes())], None)
