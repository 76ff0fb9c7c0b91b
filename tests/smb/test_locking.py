"""LOCK, waiting or not, and sent again."""

import pytest

from gateway.nt.status import (
    STATUS_CANCELLED,
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INVALID_PARAMETER,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_RANGE_NOT_LOCKED,
)
from gateway.wire.cancel import CancelRequest
from gateway.wire.header import Opcode
from tests.smb.client import EXCLUSIVE, NOW, SHARED, UNLOCK, Call, Client, File
from tests.smb.parking import outcome, parked, quiet


async def two_files(client: Client, tree: int) -> tuple[File, File]:
    return await client.create(tree, "file"), await client.create(tree, "file")


async def locked(client: Client, file: File, *locks: tuple[int, int, int]) -> int:
    return (await client.ask(client.lock_call(file, *locks)))[0].status


async def test_a_lock_that_waits_is_granted(server) -> None:
    client, tree = await server.with_tree()
    one, two = await two_files(client, tree)
    assert await locked(client, one, (0, 10, EXCLUSIVE | NOW)) == 0
    assert await locked(client, two, (5, 10, EXCLUSIVE | NOW)) == STATUS_LOCK_NOT_GRANTED
    interim = await parked(client, client.lock_call(two, (5, 10, EXCLUSIVE)))
    await quiet(client)
    assert await locked(client, one, (0, 10, UNLOCK)) == 0
    assert await outcome(client, interim) == 0
    assert await locked(client, one, (0, 10, SHARED | NOW)) == STATUS_LOCK_NOT_GRANTED
    (response,) = await client.ask(client.write_call(one, b"x", 5))
    assert response.status == STATUS_FILE_LOCK_CONFLICT


async def numbered(client: Client, file: File, index: int, number: int, *locks: tuple[int, int, int]) -> int:
    call = client.lock_call(file, *locks)
    call.body.lock_sequence = index << 4 | number
    return (await client.ask(call))[0].status


async def test_a_lock_that_is_sent_again(server) -> None:
    """It has succeeded already, and is held but once."""
    client, tree = await server.with_tree(dialects=(0x0302,))
    one, other = await client.create(tree, "file"), await client.create(tree, "file")
    first, second = (0, 10, EXCLUSIVE | NOW), (20, 10, EXCLUSIVE | NOW)
    assert await numbered(client, one, 1, 5, first) == 0
    assert await numbered(client, one, 1, 5, first) == 0
    assert await numbered(client, other, 1, 5, first) == STATUS_LOCK_NOT_GRANTED
    assert await numbered(client, one, 64, 5, second) == 0
    assert await numbered(client, one, 1, 6, first) == STATUS_LOCK_NOT_GRANTED
    assert await numbered(client, one, 1, 5, first) == STATUS_LOCK_NOT_GRANTED  # what has failed does not count
    assert await numbered(client, one, 64, 5, second) == 0
    assert await numbered(client, one, 1, 7, (0, 10, UNLOCK)) == 0
    assert await numbered(client, one, 1, 7, (0, 10, UNLOCK)) == 0
    assert await locked(client, other, first) == 0


@pytest.mark.parametrize(("dialect", "index"), [(0x0210, 1), (0x0302, 0), (0x0302, 65)])
async def test_numbers_of_locks_that_do_not_count(server, dialect, index) -> None:
    client, tree = await server.with_tree(dialects=(dialect,))
    file = await client.create(tree, "file")
    assert await numbered(client, file, index, 5, (0, 10, EXCLUSIVE | NOW)) == 0
    assert await numbered(client, file, index, 5, (0, 10, EXCLUSIVE | NOW)) == STATUS_LOCK_NOT_GRANTED


@pytest.mark.parametrize("how", ["close", "log off", "connection"])
async def test_a_lock_is_granted_when_its_holder_goes(server, how) -> None:
    client, tree = await server.with_tree()
    holder, their_tree = await server.with_tree()
    theirs = await holder.create(their_tree, "file")
    mine = await client.create(tree, "file")
    assert await locked(holder, theirs, (0, 10, EXCLUSIVE | NOW)) == 0
    interim = await parked(client, client.lock_call(mine, (0, 1, SHARED)))
    if how == "close":
        await holder.close_file(theirs)
    elif how == "log off":
        await holder.log_off()
    else:
        holder.close()
    assert await outcome(client, interim) == 0


async def test_a_lock_that_waits_is_cancelled(server) -> None:
    client, tree = await server.with_tree()
    one, two = await two_files(client, tree)
    assert await locked(client, one, (0, 10, EXCLUSIVE | NOW)) == 0
    interim = await parked(client, client.lock_call(two, (0, 10, EXCLUSIVE)))
    await client.cancel(0, interim.header.async_id)
    assert await outcome(client, interim) == STATUS_CANCELLED
    assert await locked(client, one, (0, 10, UNLOCK)) == 0
    assert await locked(client, one, (0, 10, EXCLUSIVE | NOW)) == 0


async def test_a_lock_that_is_cancelled_and_granted_at_once(server) -> None:
    """Whichever comes first: a lock that the client was refused is not held, and one that it was granted is."""
    client, tree = await server.with_tree()
    one, two = await two_files(client, tree)
    for cancels_first in (True, False):
        assert await locked(client, one, (0, 10, EXCLUSIVE | NOW)) == 0
        interim = await parked(client, client.lock_call(two, (0, 10, EXCLUSIVE)))
        unlock = client.lock_call(one, (0, 10, UNLOCK))
        cancel = Call(Opcode.CANCEL, CancelRequest(), message_id=0, async_id=interim.header.async_id)
        frames = [client.frame(call) for call in ((cancel, unlock) if cancels_first else (unlock, cancel))]
        await client.send_bytes(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))
        status = await outcome(client, interim)
        assert unlock.message_id is not None
        assert (await client.final(unlock.message_id)).status == 0
        if cancels_first:
            assert status == STATUS_CANCELLED
        held = await locked(client, two, (0, 10, UNLOCK))
        assert held == (0 if status == 0 else STATUS_RANGE_NOT_LOCKED)


@pytest.mark.parametrize("how", ["close", "disconnect", "log off"])
async def test_a_lock_that_waits_ends_with_its_file(server, how) -> None:
    """With an error: nobody must take it for granted."""
    client, tree = await server.with_tree()
    holder, their_tree = await server.with_tree()
    theirs = await holder.create(their_tree, "file")
    mine = await client.create(tree, "file")
    assert await locked(holder, theirs, (0, 10, EXCLUSIVE | NOW)) == 0
    interim = await parked(client, client.lock_call(mine, (0, 10, EXCLUSIVE)))
    if how == "close":
        await client.close_file(mine)
    elif how == "disconnect":
        await client.disconnect(tree)
    else:
        await client.log_off()
    assert await outcome(client, interim) == STATUS_RANGE_NOT_LOCKED


async def test_locks_that_cannot_be_meant(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    for locks in (
        [],
        [(0, 1, 0)],
        [(0, 1, EXCLUSIVE | SHARED)],
        [(0, 1, EXCLUSIVE), (5, 1, EXCLUSIVE)],
        [(0, 1, EXCLUSIVE | NOW), (5, 1, UNLOCK)],
        [(0, 1, UNLOCK | NOW)],
    ):
        assert await locked(client, file, *locks) == STATUS_INVALID_PARAMETER
    assert await locked(client, file, (0, 1, EXCLUSIVE | NOW)) == 0
    assert await locked(client, file, (0, 1, UNLOCK), (0, 1, EXCLUSIVE | NOW)) == STATUS_INVALID_PARAMETER
    assert await locked(client, file, (0, 1, UNLOCK)) == STATUS_RANGE_NOT_LOCKED
