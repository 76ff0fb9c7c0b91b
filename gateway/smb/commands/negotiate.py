"""NEGOTIATE: [MS-SMB2] 3.3.5.3, 3.3.5.4."""

import secrets
from typing import TYPE_CHECKING

from gateway.auth.acceptor import initial_token
from gateway.nt.status import STATUS_INVALID_PARAMETER, StatusError
from gateway.nt.time import filetime_from_ns
from gateway.protocol.dialect import SMALL_SIZE, negotiate
from gateway.protocol.errors import ProtocolError
from gateway.smb.answer import Answer
from gateway.smb.context import ConnectionContext
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.negotiate import DIALECT_202, DIALECT_311, NegotiateRequest, NegotiateResponse

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection

__all__ = ["agreed", "handle", "response"]

_SALT_SIZE = 32


@command(Opcode.NEGOTIATE, NegotiateRequest, ConnectionContext)
async def handle(ctx: ConnectionContext, request: NegotiateRequest) -> Answer:
    """[MS-SMB2] 3.3.5.4. A second NEGOTIATE ends the connection."""
    connection = ctx.connection
    if connection.negotiated is not None:
        raise ProtocolError("a second NEGOTIATE")
    if not request.dialects:
        raise StatusError(STATUS_INVALID_PARAMETER)
    dialect = agreed(connection, request)
    preauth = None
    if dialect == DIALECT_311:
        preauth = connection.protocol.preauth_hash
        preauth.update(ctx.request.message)
    return Answer(response(connection, dialect).to_bytes(), preauth_hash=preauth)


def agreed(connection: "SmbConnection", request: NegotiateRequest) -> int:
    """Settle what the connection speaks, and return the dialect. Raises `StatusError`."""
    negotiated = negotiate(request, connection.service.negotiate_policy, secrets.token_bytes(_SALT_SIZE))
    connection.agree(negotiated)
    return negotiated.dialect


def response(connection: "SmbConnection", dialect: int) -> NegotiateResponse:
    """What is answered; before anything is settled, the sizes and capabilities of the smallest common ground."""
    service = connection.service
    negotiated = connection.negotiated
    small = dialect == DIALECT_202
    policy = service.negotiate_policy
    return NegotiateResponse(
        security_mode=policy.security_mode,
        dialect_revision=dialect,
        server_guid=service.guid,
        capabilities=negotiated.capabilities if negotiated is not None else 0,
        max_transact_size=SMALL_SIZE if small else policy.max_transact_size,
        max_read_size=SMALL_SIZE if small else policy.max_read_size,
        max_write_size=SMALL_SIZE if small else policy.max_write_size,
        system_time=filetime_from_ns(service.now()),
        server_start_time=0,  # as Windows answers since 3.1.1, and Samba always
        security_buffer=initial_token(service.auth_policy),
        contexts=negotiated.contexts if negotiated is not None else (),
    )
