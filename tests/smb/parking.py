"""Requests that are announced before they are answered."""

from gateway.nt.status import (
    STATUS_PENDING,
)
from gateway.wire.echo import EchoRequest
from gateway.wire.header import SMB2_FLAGS_ASYNC_COMMAND, Opcode
from tests.smb.client import Call, Client, Response


async def parked(client: Client, call: Call) -> Response:
    """Send a request and return its interim."""
    (message_id,) = await client.send(call)
    interim = await client.next(message_id)
    assert interim.status == STATUS_PENDING
    assert interim.header.flags & SMB2_FLAGS_ASYNC_COMMAND
    assert interim.header.async_id
    return interim


async def outcome(client: Client, interim: Response) -> int:
    """The status of the final answer to what has been announced."""
    final = await client.final(interim.header.message_id)
    assert final.header.flags & SMB2_FLAGS_ASYNC_COMMAND
    assert final.header.async_id == interim.header.async_id
    assert final.header.session_id == interim.header.session_id
    assert final.sealed == interim.sealed
    return final.status


async def quiet(client: Client) -> None:
    """Nothing but the answer to an ECHO is on its way."""
    assert (await client.call(Opcode.ECHO, EchoRequest())).status == 0
    assert client._inbox == []
