"""What one client may make the server hold and wait for: time, memory, messages, requests."""

import os

import pytest
import trio
import trio.testing

from gateway.auth.throttle import Throttle
from gateway.nt.constants import FILE_DELETE_ON_CLOSE, FILE_OPEN, FSCTL_VALIDATE_NEGOTIATE_INFO
from gateway.nt.status import STATUS_CANCELLED, STATUS_INSUFFICIENT_RESOURCES, STATUS_OBJECT_NAME_NOT_FOUND
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.transport.budget import MemoryBudget
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.read import ReadResponse
from gateway.wire.session_setup import SessionSetupResponse
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest
from tests.smb.client import Call, Client, ConnectionEnded, LogOn, Refused
from tests.smb.server import Server
from vfs_backends.faults import Fault

MIB = 1 << 20


def behind(view: memoryview) -> int:
    """Bytes of the storage that a view keeps."""
    assert isinstance(view.obj, bytearray)
    return len(view.obj)


async def lives(client: Client) -> bool:
    return (await client.call(Opcode.ECHO, EchoRequest())).status == 0


async def lifetime(server: Server, client: Client) -> float:
    """Wait for the connection to end; how long that took, in seconds."""
    began = trio.current_time()
    assert await client.ended()
    return trio.current_time() - began


async def used(budget: MemoryBudget, size: int) -> None:
    """Wait until so much of it is taken, and nothing changes any more."""
    with trio.fail_after(20):
        while budget.used != size:  # noqa: ASYNC110 - what arrives on a socket tells nobody
            await trio.sleep(0.01)
    await trio.sleep(0.05)
    assert budget.used == size


# --- time


async def test_who_says_nothing(server, autojump_clock) -> None:
    client = await server.connect()
    assert await lifetime(server, client) == pytest.approx(45, abs=1)


async def test_who_negotiates_and_says_nothing(server, autojump_clock) -> None:
    client = await server.negotiated()
    await trio.sleep(40)
    assert await lives(client)
    assert await lifetime(server, client) == pytest.approx(5, abs=1)


async def test_who_keeps_talking_and_does_not_log_on(server, autojump_clock) -> None:
    client = await server.negotiated()
    began = trio.current_time()

    async def talk() -> None:
        while True:
            assert await lives(client)
            await trio.sleep(1)

    with pytest.raises(ConnectionEnded):
        await talk()
    assert trio.current_time() - began == pytest.approx(45, abs=2)


async def test_who_is_in_the_middle_of_logging_on(server, autojump_clock) -> None:
    client = await server.negotiated()
    log_on = LogOn(client, "alice", "Secret-1", None, 0, 0, 1)
    await log_on.step(log_on.context.step() or b"")
    assert await lifetime(server, client) == pytest.approx(45, abs=1)


async def test_who_has_logged_on_may_be_quiet(server, autojump_clock) -> None:
    client, tree = await server.with_tree()
    await trio.sleep(80_000)
    assert await client.create_status(tree, "file") == 0


@pytest.mark.parametrize("logged_on", [True, False])
@pytest.mark.parametrize("sent", [1, 3, 4, 50])
async def test_who_stops_in_the_middle_of_a_message(server, autojump_clock, logged_on, sent) -> None:
    client = await (server.logged_on() if logged_on else server.negotiated())
    await client.send_bytes((100).to_bytes(4, "big").ljust(104, b"x")[:sent])
    assert await lifetime(server, client) == pytest.approx(30, abs=1)


async def test_who_sends_slowly(server, autojump_clock) -> None:
    """As long as something comes now and then."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    call = client.write_call(file, bytes(1000))
    frame = client.frame(call)
    data = len(frame).to_bytes(4, "big") + frame
    for start in range(0, len(data), 200):
        await client.send_bytes(data[start : start + 200])
        await trio.sleep(20)
    assert (await client.answer(call)).status == 0


# --- messages


@pytest.mark.parametrize("size", [60 * 1024 + 1, MIB, 0xFFFFFF])
async def test_large_messages_of_strangers(server, size) -> None:
    """Refused as soon as the length is there: nothing is kept for them."""
    client = await server.negotiated()
    await client.send_bytes(size.to_bytes(4, "big"))
    assert await client.ended()


async def test_the_largest_message_of_a_stranger(server) -> None:
    client = await server.negotiated()
    frame = client.frame(Call(Opcode.ECHO, EchoRequest()))
    await client.send_frame(frame.ljust(60 * 1024, b"\0"))
    assert (await client.final(client.next_id - 1)).status == 0


async def test_the_largest_message_of_all(server) -> None:
    client = await server.logged_on()
    most = 8 * MIB + server.service.limits.message_overhead
    await client.send_bytes((most + 1).to_bytes(4, "big"))
    assert await client.ended()


async def test_strangers_have_one_request_at_a_time(server) -> None:
    client = await server.negotiated()
    first, second = Call(Opcode.ECHO, EchoRequest(), credits=100), Call(Opcode.ECHO, EchoRequest(), message_id=2)
    response = (await client.ask(first))[0]
    assert response.header.credits == 1
    frames = [client.frame(one) for one in (Call(Opcode.ECHO, EchoRequest()), second)]
    second.message_id = client.next_id
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    assert await client.ended()


async def test_what_comes_after_a_large_message(server) -> None:
    """Behind it in the same burst, cut anywhere."""
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file = await client.create(tree, "file")
    data = bytes(range(256)) * 1024
    calls = [client.write_call(file, data, 0), client.read_call(file, 1000), client.write_call(file, data, len(data))]
    frames = [client.frame(one) for one in calls]
    burst = b"".join(len(one).to_bytes(4, "big") + one for one in frames)
    for start in range(0, len(burst), 99_991):
        await client.send_bytes(burst[start : start + 99_991])
        await trio.testing.wait_all_tasks_blocked()
    for one in calls:
        assert (await client.answer(one)).status == 0


# --- requests


async def test_requests_in_tasks(make_server) -> None:
    """Beyond the limit the reader waits; nothing is lost."""
    server = await make_server(limits=Limits(max_requests_in_flight=4))
    server.files.faults.append(Fault("flush", delay=0.01))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=100))
    file = await client.create(tree, "file")
    most = 0
    connection = server.connections[-1]
    calls = [client.flush_call(file) for _ in range(40)]
    for one in calls:
        await client.send(one)
    for one in calls:
        most = max(most, connection.in_flight.running)
        assert (await client.answer(one)).status == 0
    assert 1 < most <= 4
    assert connection.in_flight.running == 0


async def test_a_peer_that_does_not_read(make_server, autojump_clock) -> None:
    """It is not read from any more, and dropped in the end; its share is not blocked by it."""
    server = await make_server(limits=Limits(output_queue=100_000))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=4000))
    file = await client.create(tree, "file", share=0)
    await client.write(file, bytes(60_000))
    connection = server.connections[-1]
    began = trio.current_time()

    async def ask_and_not_read() -> None:
        for _ in range(2000):
            await client.send(client.read_call(file, 60_000))
            assert connection.outbox.size < 1_000_000

    with pytest.raises(ConnectionEnded):
        await ask_and_not_read()
    assert trio.current_time() - began == pytest.approx(30, abs=1)
    other, their_tree = await server.with_tree()
    assert await other.create_status(their_tree, "file", share=0) == 0


async def test_a_peer_that_reads_in_the_end(make_server) -> None:
    """Everything comes, in order, however much had to wait."""
    server = await make_server(limits=Limits(output_queue=100_000))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=500))
    file = await client.create(tree, "file")
    await client.write(file, bytes(60_000))
    calls = [client.read_call(file, 60_000) for _ in range(200)]
    frames = [client.frame(one) for one in calls]
    async with trio.open_nursery() as nursery:

        async def send() -> None:
            for frame in frames:
                await client.send_frame(frame)

        nursery.start_soon(send)
        await trio.sleep(0.05)
        for one in calls:
            assert (await client.answer(one)).status == 0


async def test_what_takes_long_to_close_is_closed_all_the_same(server, autojump_clock) -> None:
    """However slow the storage: nothing stays in use behind a connection that is gone."""
    client, tree = await server.with_tree()
    for number in range(30):
        await client.create(tree, f"file {number}", options=FILE_DELETE_ON_CLOSE)
    server.files.faults.append(Fault("remove", delay=1))
    client.close()
    await trio.sleep(60)
    assert server.service.opens == 0
    assert server.files.left_open() == []
    other, their_tree = await server.with_tree()
    assert await other.create_status(their_tree, "file 29", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


# --- memory for all


@pytest.mark.parametrize("protection", ["signed", "sealed"])
async def test_large_answers_use_the_same_storage(make_server, protection) -> None:
    """One after the other, and nothing of the one is in the other."""
    server = await make_server(encryption=Encryption(required=protection == "sealed"))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file = await client.create(tree, "file")
    content = os.urandom(MIB)
    await client.write(file, content)
    pool = server.service.buffers
    pool._large.clear()
    for offset, length in ((0, MIB), (5, MIB - 5), (MIB // 2, MIB), (100, MIB // 2)):
        assert await client.read(file, length, offset) == content[offset : offset + length]
        assert len(pool._large) == 1
    one, other = client.read_call(file, MIB // 2), client.read_call(file, MIB // 2, 7)
    assert [bytes(answer.parse(ReadResponse).data) for answer in await client.ask(one, other)] == [
        content[: MIB // 2],
        content[7 : 7 + MIB // 2],
    ]


async def test_large_requests_share_a_budget(make_server) -> None:
    """Of several connections at once, more than there is memory for: they take turns."""
    server: Server = await make_server()
    server.service.budget = MemoryBudget(3 * MIB)
    clients = []
    for number in range(4):
        client, tree = await server.with_tree()
        await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
        clients.append((client, await client.create(tree, f"file {number}")))
    data = bytes(range(256)) * 8192

    async def use(client, file) -> None:
        for _ in range(3):
            assert await client.write(file, data) == len(data)
            assert await client.read(file, len(data)) == data

    async with trio.open_nursery() as nursery:
        for client, file in clients:
            nursery.start_soon(use, client, file)
    assert server.service.budget.used == 0


async def test_what_a_connection_held_comes_back(make_server) -> None:
    """Whether it was about to send a large message, waited for memory, or did not read its answer."""
    server: Server = await make_server()
    budget = server.service.budget = MemoryBudget(5 * MIB)
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file = await client.create(tree, "file")
    await client.write(file, bytes(2 * MIB))
    await client.send(client.read_call(file, 2 * MIB))
    await trio.testing.wait_all_tasks_blocked()
    sender = await server.logged_on()
    await sender.send_bytes(MIB.to_bytes(4, "big") + bytes(100_000))
    waiting = await server.logged_on()
    await waiting.send_bytes((8 * MIB).to_bytes(4, "big") + bytes(100_000))
    await used(budget, 3 * MIB + 4)
    await server.hang_up()
    assert budget.used == 0


async def test_the_beginning_of_a_large_message_holds_little(make_server) -> None:
    """However many announce one: memory is taken as it comes."""
    server: Server = await make_server()
    clients = [await server.logged_on() for _ in range(20)]
    for client in clients:
        await client.send_bytes((8 * MIB).to_bytes(4, "big") + bytes(1000))
    await trio.testing.wait_all_tasks_blocked()
    assert server.service.budget.used == 0
    assert max(len(one._frames._view) for one in server.connections) <= 64 * 1024
    for client in clients[:3]:
        await client.send_bytes(bytes(100_000))
    await used(server.service.budget, 3 * 2 * MIB)
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file = await client.create(tree, "file")
    assert await client.write(file, bytes(8 * MIB)) == 8 * MIB


async def test_messages_that_have_begun_come_to_their_end(make_server) -> None:
    """Together they need more memory than there is, and each has some already."""
    server: Server = await make_server()
    budget = server.service.budget = MemoryBudget(16 * MIB)
    data = bytes(range(256)) * (8 * MIB // 256)
    writes = []
    for number in range(8):
        client, tree = await server.with_tree()
        await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
        call = client.write_call(await client.create(tree, f"file {number}", share=7), data)
        frame = client.frame(call)
        await client.send_bytes(len(frame).to_bytes(4, "big") + frame[:200_000])
        writes.append((client, call, frame[200_000:]))
    await used(budget, 16 * MIB)

    async def finish(client, call, rest) -> None:
        await client.send_bytes(rest)
        assert (await client.answer(call)).status == 0

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            for one in writes:
                nursery.start_soon(finish, *one)
    assert budget.used == 0


# --- guessing


async def test_guessing_is_slow(make_server, autojump_clock, expected_logs) -> None:
    """Each failure takes longer; who knows the password does not wait."""
    expected_logs.append("log-on failed")
    server: Server = await make_server()
    server.service.throttle = Throttle(free=2, first=1, longest=8)
    client = await server.logged_on("bob")
    waits = []
    for _ in range(8):
        began = trio.current_time()
        with pytest.raises(Refused):
            await client.log_on("alice", "wrong")
        waits.append(round(trio.current_time() - began))
    assert waits == [0, 0, 1, 2, 4, 8, 8, 8]
    began = trio.current_time()
    await client.log_on()
    assert trio.current_time() - began < 0.5
    with pytest.raises(Refused):
        await client.log_on("alice", "wrong")
    assert trio.current_time() - began < 0.5


async def test_a_guess_does_not_stop_the_others(server, expected_logs) -> None:
    expected_logs.append("log-on failed")
    server.service.throttle = Throttle(free=0, first=5)
    client = await server.negotiated()
    log_on = LogOn(client, "alice", "wrong", None, 0, 0, 1)
    first = await log_on.step(log_on.context.step() or b"")
    token = log_on.context.step(first.parse(SessionSetupResponse).security_buffer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_expect_failure, log_on, token or b"")
        await trio.testing.wait_all_tasks_blocked(0.01)
        other, tree = await server.with_tree()
        assert await other.create_status(tree, "file") == 0
        nursery.cancel_scope.cancel()


async def _expect_failure(log_on: LogOn, token: bytes) -> None:
    with pytest.raises(Refused):
        await log_on.step(token)


async def test_nobody_holds_memory_and_waits_for_more(make_server) -> None:
    """A compound whose answers are larger than all there is: or it would wait for itself, and all others for it."""
    server: Server = await make_server()
    server.service.budget = MemoryBudget(3 * MIB)
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file = await client.create(tree, "file")
    await client.write(file, bytes(MIB))
    found = [one.status for one in await client.ask(*[client.read_call(file, MIB, credits=16) for _ in range(5)])]
    assert found == [0, 0, 0, STATUS_INSUFFICIENT_RESOURCES, STATUS_INSUFFICIENT_RESOURCES]
    assert server.service.budget.used == 0
    assert len(await client.read(file, MIB)) == MIB


async def test_what_waits_for_ever_holds_nothing(make_server) -> None:
    """Behind a large write in its compound, a CHANGE_NOTIFY parks: the memory of the write comes back."""
    server: Server = await make_server()
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file, directory = await client.create(tree, "file"), await client.open_directory(tree)
    server.files.faults.append(Fault("write", delay=0.001))
    write, notify = client.write_call(file, bytes(MIB)), client.notify_call(directory)
    await client.send(write, notify)
    assert write.message_id is not None
    assert notify.message_id is not None
    assert (await client.final(write.message_id)).status == 0
    interim = await client.next(notify.message_id)
    assert server.service.budget.used == 0
    (pending,) = server.connections[-1].in_flight.pendings.values()
    assert behind(pending.request.message) < 4096
    await client.cancel(0, interim.header.async_id)
    assert (await client.final(notify.message_id)).status == STATUS_CANCELLED


async def test_small_requests_in_tasks_hold_little(server) -> None:
    server.files.faults.append(Fault("flush", delay=1))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=100))
    file = await client.create(tree, "file")
    calls = [client.flush_call(file) for _ in range(50)]
    frames = [client.frame(one) for one in calls]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    await trio.testing.wait_all_tasks_blocked()
    pendings = server.connections[-1].in_flight.pendings.values()
    held = {id(one.request.message.obj): behind(one.request.message) for one in pendings}
    assert len(held) == 50
    assert sum(held.values()) < 50 * 4096


@pytest.mark.parametrize("ends", ["hang up", "protocol error"])
async def test_answers_that_are_never_sent(server, ends) -> None:
    """Finished, behind them an element that goes on, and then the connection ends: their memory comes back."""
    server.files.faults.append(Fault("flush", delay=0.01))
    client, tree = await server.with_tree(dialects=(0x0302,))
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=200))
    file = await client.create(tree, "file")
    await client.write(file, bytes(MIB))
    last = client.flush_call(file)
    if ends == "protocol error":
        changed = ValidateNegotiateInfoRequest(dialects=(0x0302,)).to_bytes()
        last = client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, changed)
    await client.send(client.read_call(file, MIB), client.read_call(file, MIB), last)
    await trio.testing.wait_all_tasks_blocked()
    await server.hang_up()
    assert server.service.budget.used == 0
