"""Requests that take their time: interims, CANCEL, CHANGE_NOTIFY, blocking LOCKs, and what CLOSE waits for."""

import pytest
import trio

from gateway.auth.throttle import Throttle
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANCELLED,
    STATUS_FILE_CLOSED,
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INTERNAL_ERROR,
    STATUS_INVALID_PARAMETER,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_NOTIFY_CLEANUP,
    STATUS_PENDING,
    STATUS_RANGE_NOT_LOCKED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.wire.cancel import CancelRequest
from gateway.wire.close import SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB, CloseResponse
from gateway.wire.echo import EchoRequest
from gateway.wire.header import SMB2_FLAGS_ASYNC_COMMAND, Opcode
from gateway.wire.logoff import LogoffRequest
from gateway.wire.read import ReadResponse
from gateway.wire.tree_connect import TreeConnectRequest
from gateway.wire.tree_disconnect import TreeDisconnectRequest
from tests.smb.client import EXCLUSIVE, NOW, SHARED, UNLOCK, Call, Client, File, Response
from vfs_backends.faults import Fault


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


# --- interims


async def test_an_interim_after_a_while(server) -> None:
    """The interim grants the credits, and the final answer none."""
    server.files.faults.append(Fault("flush", delay=0.1))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    call = client.flush_call(file)
    call.credits = 7
    interim = await parked(client, call)
    assert interim.header.credits == 7
    final = await client.final(interim.header.message_id)
    assert (final.status, final.header.credits, final.signed) == (0, 0, True)
    assert final.header.async_id == interim.header.async_id


async def test_no_interim_for_what_is_soon_done(server) -> None:
    server.files.faults.append(Fault("flush", delay=0.001))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    (message_id,) = await client.send(client.flush_call(file))
    final = await client.next(message_id)
    assert final.status == 0
    assert not final.header.flags & SMB2_FLAGS_ASYNC_COMMAND


async def test_a_tree_connect_is_never_asynchronous(server, monkeypatch) -> None:
    """Its answer tells the tree's id in the header, where the async id would be."""
    (store,) = [one.store for one in server.service.exports if one.name == "files"]
    really_open = store.open

    async def open_slowly(visitor):
        await trio.sleep(0.1)
        return await really_open(visitor)

    monkeypatch.setattr(store, "open", open_slowly)
    client = await server.logged_on()
    request = Call(Opcode.TREE_CONNECT, TreeConnectRequest(path=r"\\server\files"))
    await client.send(request)
    response = await client.next(request.message_id or 0)
    assert response.status == 0
    assert not response.header.flags & SMB2_FLAGS_ASYNC_COMMAND
    assert await client.create_status(response.header.tree_id, "file") == 0


async def test_a_log_on_is_never_asynchronous(server, expected_logs) -> None:
    """However long its failure is held back."""
    expected_logs.append("log-on failed")
    server.service.throttle = Throttle(free=0, first=0.1)
    client = await server.negotiated()
    response = await client.setup(b"NTLMSSP\0")
    assert response.status >= 0xC0000000
    assert client._frames == 2


async def test_interims_are_sealed_where_the_session_seals(make_server) -> None:
    server = await make_server(encryption=Encryption(required=True))
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    interim = await parked(client, client.notify_call(directory))
    assert interim.sealed
    await client.close_file(directory)
    assert await outcome(client, interim) == STATUS_NOTIFY_CLEANUP


async def test_a_final_keeps_its_requests_sealing(make_server) -> None:
    """Where sealing is only desired: plain answers to plain requests, however long they take."""
    server = await make_server(encryption=Encryption(desired=True))
    server.files.faults.append(Fault("flush", delay=0.3))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    assert client.session is not None
    for seals in (True, False):
        client.session.seals = seals
        interim = await parked(client, client.flush_call(file))
        final = await client.final(interim.header.message_id)
        assert (interim.sealed, final.sealed, final.signed) == (seals, seals, not seals)
    client.session.seals = True


async def test_whoever_waits_costs_no_time(server, autojump_clock) -> None:
    """A parked request is announced once; after that nothing wakes up for it."""
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    interim = await parked(client, client.notify_call(directory))
    woken = 0
    real = trio.sleep

    class Watch(trio.abc.Instrument):
        def before_task_step(self, task):
            nonlocal woken
            woken += 1

    watch = Watch()
    trio.lowlevel.add_instrument(watch)
    await real(1000)
    trio.lowlevel.remove_instrument(watch)
    assert woken < 100
    await client.cancel(interim.header.message_id, interim.header.async_id)
    assert await outcome(client, interim) == STATUS_CANCELLED


# --- CANCEL


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


async def test_cancel_in_a_compound_behind_what_waits(server) -> None:
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


async def test_what_has_had_an_effect_is_not_cancelled(server) -> None:
    server.files.faults.append(Fault("create_file", delay=0.1))
    client, tree = await server.with_tree()
    call = client.create_call(tree, "file")
    interim = await parked(client, call)
    await client.cancel(0, interim.header.async_id)
    response = await client.final(interim.header.message_id)
    file = client.opened(tree, response)
    await client.close_file(file)


async def test_what_has_had_no_effect_yet_is_cancelled(server) -> None:
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


# --- CHANGE_NOTIFY


@pytest.mark.parametrize("how", ["close", "disconnect", "log off"])
async def test_notify_ends_with_its_directory(server, how) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    interims = [await parked(client, client.notify_call(directory)) for _ in range(3)]
    if how == "close":
        await client.close_file(directory)
    elif how == "disconnect":
        await client.disconnect(tree)
    else:
        await client.log_off()
    for interim in interims:
        assert await outcome(client, interim) == STATUS_NOTIFY_CLEANUP


async def test_notify_ends_with_the_connection(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    await parked(client, client.notify_call(directory))


async def test_notify_needs_a_directory_and_the_right_to_list_it(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    assert (await client.ask(client.notify_call(file)))[0].status == STATUS_INVALID_PARAMETER
    directory = await client.open_directory(tree, access=0x80)
    assert (await client.ask(client.notify_call(directory)))[0].status == STATUS_ACCESS_DENIED


async def test_only_the_last_element_waits_for_ever(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    responses = await client.ask(client.notify_call(directory), client.query_info_call(directory, 4))
    assert [one.status for one in responses] == [STATUS_INTERNAL_ERROR, 0]
    first, second = client.query_info_call(directory, 4), client.notify_call(directory)
    await client.send(first, second)
    assert first.message_id is not None
    assert second.message_id is not None
    assert (await client.next(first.message_id)).status == 0
    interim = await client.next(second.message_id)
    assert interim.status == STATUS_PENDING
    await client.close_file(directory)
    assert await outcome(client, interim) == STATUS_NOTIFY_CLEANUP


async def test_only_so_many_wait_for_ever(make_server) -> None:
    server = await make_server(limits=Limits(max_async_requests=3))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=50))
    directory = await client.open_directory(tree)
    interims = [await parked(client, client.notify_call(directory)) for _ in range(3)]
    (response,) = await client.ask(client.notify_call(directory))
    assert response.status == 0xC000009A
    await client.cancel(0, interims[0].header.async_id)
    assert await outcome(client, interims[0]) == STATUS_CANCELLED
    await parked(client, client.notify_call(directory))


# --- LOCK


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


# --- CLOSE and what goes on


async def test_close_waits_for_what_goes_on(server) -> None:
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


async def test_close_in_the_same_burst_waits_too(server) -> None:
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


async def test_two_closes(server) -> None:
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
async def test_what_goes_on_when_all_is_closed(server, how) -> None:
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


# --- others are not concerned


async def test_slow_storage_delays_nobody_else(make_server) -> None:
    """Neither another connection nor other requests of the same one."""
    server = await make_server()
    server.files.faults.append(Fault("read_into", blocking=0.5, path=lambda path: path == "slow"))
    client, tree = await server.with_tree()
    other, their_tree = await server.with_tree()
    slow = await client.create(tree, "slow")
    await client.write(slow, b"content")
    read = client.read_call(slow, 7)
    began = trio.current_time()
    await client.send(read)
    file = await other.create(their_tree, "fast")
    for _ in range(20):
        assert await other.write(file, b"abc") == 3
        assert (await client.call(Opcode.ECHO, EchoRequest())).status == 0
    assert trio.current_time() - began < 0.4
    assert read.message_id is not None
    final = await client.final(read.message_id)
    assert bytes(final.parse(ReadResponse).data) == b"content"
    assert trio.current_time() - began >= 0.5


async def test_a_connection_that_goes_while_storage_is_slow(server) -> None:
    server.files.faults.append(Fault("write", blocking=0.1))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    await client.send(client.write_call(file, b"content"))
    await trio.sleep(0.01)
    client.close()
