"""Requests that take their time: interims, and others that are not concerned."""

import trio

from gateway.auth.throttle import Throttle
from gateway.nt.status import (
    STATUS_CANCELLED,
    STATUS_NOTIFY_CLEANUP,
)
from gateway.smb.service import Encryption
from gateway.wire.echo import EchoRequest
from gateway.wire.header import SMB2_FLAGS_ASYNC_COMMAND, Opcode
from gateway.wire.read import ReadResponse
from gateway.wire.tree_connect import TreeConnectRequest
from tests.smb.client import Call
from tests.smb.parking import outcome, parked
from vfs_backends.faults import Fault

SLOW = 2.0
"""Seconds that a storage blocks: many times what the others need."""


# --- interims


async def test_an_interim_after_a_while(server, autojump_clock) -> None:
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


async def test_no_interim_for_what_is_soon_done(server, autojump_clock) -> None:
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


async def test_a_final_keeps_its_requests_sealing(make_server, autojump_clock) -> None:
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


# --- others are not concerned


async def test_slow_storage_delays_nobody_else(make_server) -> None:
    """Neither another connection nor other requests of the same one."""
    server = await make_server()
    server.files.faults.append(Fault("read_into", blocking=SLOW, path=lambda path: path == "slow"))
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
    assert trio.current_time() - began < SLOW
    assert read.message_id is not None
    final = await client.final(read.message_id)
    assert bytes(final.parse(ReadResponse).data) == b"content"
    assert trio.current_time() - began >= SLOW


async def test_a_connection_that_goes_while_storage_is_slow(server) -> None:
    server.files.faults.append(Fault("write", blocking=0.1))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    await client.send(client.write_call(file, b"content"))
    await trio.sleep(0.01)
    client.close()


async def test_writes_that_wait_keep_their_data(server) -> None:
    """However many come at a time, and whatever is received after them."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    server.files.faults.append(Fault("write", delay=0.05, skip=2))
    chunks = [bytes([number]) * 65536 for number in range(12)]
    calls = [client.write_call(file, chunk, number * 65536) for number, chunk in enumerate(chunks)]
    frames = [client.frame(call) for call in calls]
    await client.send_bytes(b"".join([len(frame).to_bytes(4, "big") + frame for frame in frames]))
    for call in calls:
        assert (await client.answer(call)).status == 0
    for number, chunk in enumerate(chunks):
        assert await client.read(file, 65536, number * 65536) == chunk
