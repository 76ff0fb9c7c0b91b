"""What CLOSE, and the end of all else, waits for."""

import pytest

from gateway.nt.status import (
    STATUS_FILE_CLOSED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.wire.close import SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB, CloseResponse
from gateway.wire.header import Opcode
from gateway.wire.logoff import LogoffRequest
from gateway.wire.tree_connect import TreeConnectRequest
from gateway.wire.tree_disconnect import TreeDisconnectRequest
from tests.smb.client import Call
from tests.smb.parking import outcome, parked
from vfs_backends.faults import Fault


async def test_close_waits_for_what_goes_on(server, autojump_clock) -> None:
    """A write that has begun comes to its end, and is answered before the close."""
    server.files.faults.append(Fault("write", delay=0.05))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    write = client.write_call(file, b"content")
    interim = await parked(client, write)
    close = client.close_call(file)
    await client.send(close)
    assert close.message_id is not None
    closed = await client.final(close.message_id)
    assert closed.status == 0
    assert [one.status for one in client._inbox if one.header.message_id == interim.header.message_id] == [0]
    server.files.faults.clear()
    again = await client.create(tree, "file")
    assert await client.read(again, 100) == b"content"


async def test_close_in_the_same_burst_waits_too(server, autojump_clock) -> None:
    """What was sent before the CLOSE is done before it, and the CLOSE tells the attributes that it leaves."""
    server.files.faults.append(Fault("write", delay=0.02))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    write = client.write_call(file, b"content")
    close = client.close_call(file, SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB)
    frames = [client.frame(one) for one in (write, close)]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    assert write.message_id is not None
    assert close.message_id is not None
    assert (await client.final(write.message_id)).status == 0
    closed = await client.final(close.message_id)
    assert closed.status == 0
    assert closed.parse(CloseResponse).end_of_file == 7


async def test_two_closes(server, autojump_clock) -> None:
    server.files.faults.append(Fault("write", delay=0.05))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    calls = [client.write_call(file, b"content"), client.close_call(file), client.close_call(file)]
    for call in calls:
        await client.send(call)
    found = [(await client.answer(call)).status for call in calls]
    assert found[0] == 0
    assert sorted(found[1:]) == [0, STATUS_FILE_CLOSED]


@pytest.mark.parametrize("how", ["disconnect", "log off", "connection", "previous session"])
async def test_what_goes_on_when_all_is_closed(server, autojump_clock, how) -> None:
    """An open that comes into being while its tree or session goes does not stay behind; the fixture would find it."""
    server.files.faults.append(Fault("create_file", delay=0.1))
    client, tree = await server.with_tree()
    assert client.session is not None
    interim = await parked(client, client.create_call(tree, "file"))
    if how == "disconnect":
        await client.send(Call(Opcode.TREE_DISCONNECT, TreeDisconnectRequest(), tree))
    elif how == "log off":
        await client.send(Call(Opcode.LOGOFF, LogoffRequest()))
    elif how == "connection":
        client.close()
        return
    else:
        again = await server.negotiated()
        await again.log_on(previous=client.session.session_id)
    status = await outcome(client, interim)
    assert status != 0
    # The file may be there or not, but nobody has it open.
    other, their_tree = await server.with_tree()
    server.files.faults.clear()
    assert await other.create_status(their_tree, "file", share=0) == 0


async def test_a_tree_that_comes_into_being_while_its_session_goes(server) -> None:
    client = await server.logged_on()
    calls = [
        Call(Opcode.TREE_CONNECT, TreeConnectRequest(path=r"\\server\files")),
        Call(Opcode.LOGOFF, LogoffRequest()),
    ]
    frames = [client.frame(one) for one in calls]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    found = [(await client.answer(one)).status for one in calls]
    assert found[1] == 0
    assert found[0] in (0, STATUS_USER_SESSION_DELETED)
