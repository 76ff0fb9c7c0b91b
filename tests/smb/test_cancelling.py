"""CANCEL."""

import pytest
import trio

from gateway.nt.status import (
    STATUS_CANCELLED,
    STATUS_NOTIFY_CLEANUP,
)
from gateway.wire.cancel import CancelRequest
from gateway.wire.header import Opcode
from tests.smb.client import Call
from tests.smb.parking import outcome, parked, quiet
from vfs_backends.faults import Fault


async def test_cancel_by_async_id(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    interim = await parked(client, client.notify_call(directory))
    other = await parked(client, client.notify_call(directory))
    await client.cancel(0, interim.header.async_id)
    assert await outcome(client, interim) == STATUS_CANCELLED
    await quiet(client)
    await client.cancel(other.header.message_id, other.header.async_id)
    assert await outcome(client, other) == STATUS_CANCELLED


async def test_cancel_by_message_id(server) -> None:
    """As it is done before the interim has come."""
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    call = client.notify_call(directory)
    await client.send(call)
    assert call.message_id is not None
    await client.cancel(call.message_id)
    final = await client.final(call.message_id)
    assert (final.status, final.signed) == (STATUS_CANCELLED, True)


async def test_cancel_in_the_same_burst(server) -> None:
    """The request has not even begun to run in its task."""
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    call = client.notify_call(directory)
    frames = [client.frame(call)]
    frames.append(client.frame(Call(Opcode.CANCEL, CancelRequest(), message_id=call.message_id)))
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    assert (await client.final(call.message_id)).status == STATUS_CANCELLED
    await quiet(client)


async def test_cancel_has_no_answer_and_costs_nothing(server) -> None:
    """Also of what is over, or never was."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    await client.cancel(client.next_id - 1)
    await client.cancel(777, 0)
    await client.cancel(0, 777)
    await client.send(
        Call(Opcode.CANCEL, CancelRequest(), message_id=1), Call(Opcode.CANCEL, CancelRequest(), message_id=2)
    )
    await quiet(client)
    await client.write(file, b"x")


async def test_cancel_in_a_compound_behind_what_waits(server, autojump_clock) -> None:
    """It has no answer there either."""
    server.files.faults.append(Fault("flush", delay=0.01))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    flush = client.flush_call(file)
    await client.send(flush, Call(Opcode.CANCEL, CancelRequest(), message_id=777), client.read_call(file, 1))
    assert flush.message_id is not None
    first = await client.final(flush.message_id)
    second = await client.final(client.next_id - 1)
    assert first.status == 0
    assert first.frame == second.frame
    assert client._inbox == []


async def test_cancel_that_is_signed_wrongly(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    interim = await parked(client, client.notify_call(directory))
    cancel = Call(Opcode.CANCEL, CancelRequest(), async_id=interim.header.async_id)
    frame = client.frame(cancel)
    frame[50] ^= 1
    await client.send_frame(frame)
    await quiet(client)
    await client.cancel(0, interim.header.async_id)
    assert await outcome(client, interim) == STATUS_CANCELLED


async def test_cancel_of_others(server) -> None:
    """Neither message ids nor async ids of another connection."""
    client, tree = await server.with_tree()
    other = await server.logged_on()
    directory = await client.open_directory(tree)
    interim = await parked(client, client.notify_call(directory))
    await other.cancel(interim.header.message_id)
    await other.cancel(0, interim.header.async_id)
    await quiet(other)
    await quiet(client)
    await client.close_file(directory)
    assert await outcome(client, interim) == STATUS_NOTIFY_CLEANUP


async def test_what_has_had_an_effect_is_not_cancelled(server, autojump_clock) -> None:
    server.files.faults.append(Fault("create_file", delay=0.1))
    client, tree = await server.with_tree()
    call = client.create_call(tree, "file")
    interim = await parked(client, call)
    await client.cancel(0, interim.header.async_id)
    response = await client.final(interim.header.message_id)
    file = client.opened(tree, response)
    await client.close_file(file)


async def test_what_has_had_no_effect_yet_is_cancelled(server, autojump_clock) -> None:
    server.files.faults.append(Fault("lookup", delay=0.1))
    client, tree = await server.with_tree()
    interim = await parked(client, client.create_call(tree, "file"))
    await client.cancel(0, interim.header.async_id)
    assert await outcome(client, interim) == STATUS_CANCELLED


async def test_a_failed_log_on_cannot_be_hurried(server, expected_logs) -> None:
    """Whoever guesses passwords waits for his answer, whatever he sends meanwhile."""
    expected_logs.append("log-on failed")
    client = await server.logged_on()
    for _ in range(3):
        with pytest.raises(Exception, match="LOGON_FAILURE"):
            await client.log_on("bob", "wrong")
    client.session = next(iter(client.sessions.values()))
    began = trio.current_time()
    async with trio.open_nursery() as nursery:

        async def hurry() -> None:
            await trio.sleep(0.1)
            for number in range(client.next_id):
                await client.cancel(number, sign=False)

        nursery.start_soon(hurry)
        with pytest.raises(Exception, match="LOGON_FAILURE"):
            await client.log_on("bob", "wrong")
    assert trio.current_time() - began >= 0.5
