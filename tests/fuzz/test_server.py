"""A whole server, and frames that are not what they should be: it answers or hangs up, soon, and nothing breaks.

Before anybody has logged on, real frames of other clients; after that, each request of this project's own client. Every
byte is changed in several ways, and every length is tried.
"""

import itertools
import logging
import random
import struct
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.auth.throttle import Throttle
from gateway.nt.constants import FSCTL_VALIDATE_NEGOTIATE_INFO
from gateway.nt.status import STATUS_INTERNAL_ERROR
from gateway.wire.cancel import CancelRequest
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Header, Opcode
from gateway.wire.oplock_break import OplockBreakAcknowledgment
from gateway.wire.session_setup import SessionSetupRequest
from gateway.wire.tree_connect import TreeConnectRequest
from gateway.wire.tree_disconnect import TreeDisconnectRequest
from tests.fuzz.frames import CORPUS
from tests.smb.client import ANY_FILE, EXCLUSIVE, NOW, Call, Client, ConnectionEnded, File
from tests.smb.server import Exported, Server

FRAMES = {path.stem: path.read_bytes() for path in CORPUS}
MUTATIONS = (lambda byte: 0, lambda byte: 0xFF, lambda byte: byte ^ 0x80, lambda byte: (byte + 1) & 0xFF)
SECONDS = 5
"""How long an answer may take at most."""
LAST_ONLY = (Opcode.LOCK, Opcode.CHANGE_NOTIFY)
"""What waits for ever answers INTERNAL_ERROR where it is not the last element of its compound."""
BODY = 64
RESTART = 150
"""After so many frames the next ones go to a new session, and what was opened is closed."""


class Errors(logging.Handler):
    """What has been told that tells of a defect."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.told: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """A server that does not slow log-ons down. At the end nothing is left, and no defect has shown."""
    errors = Errors()
    logging.getLogger("gateway").addHandler(errors)
    try:
        async with trio.open_nursery() as nursery:
            made = Server(nursery, [Exported()], signing_required=False)
            made.service.throttle = Throttle(free=1 << 30, free_per_address=1 << 30)
            await made.start()
            yield made
            await made.stop()
    finally:
        logging.getLogger("gateway").removeHandler(errors)
    assert errors.told == []


@pytest.fixture
async def server():
    async with serving() as made:
        yield made


async def outlives(client: Client, frames: Iterable[bytes]) -> bool:
    """Send the frames and, behind them, an ECHO; whether the connection is still there. No answer is a crash's."""
    with trio.fail_after(SECONDS):
        try:
            for frame in frames:
                await client.send_frame(frame)
            await client.send_frame(client.frame(Call(Opcode.ECHO, EchoRequest())))
            while True:
                for header in headers(await client.receive_frame()):
                    assert header.status != STATUS_INTERNAL_ERROR or header.command in LAST_ONLY, header
                    if header.command == Opcode.ECHO and header.message_id == client.next_id - 1:
                        return True
        except ConnectionEnded:
            return False


def headers(frame: bytearray) -> Iterator[Header]:
    """Of all elements of an answer."""
    rest = memoryview(frame)
    while True:
        header = Header.parse(rest)
        yield header
        if not header.next_command:
            return
        rest = rest[header.next_command :]


# --- before anybody has logged on


def variants(frame: bytes, seed: str) -> Iterator[bytes]:
    """The frame as it is, cut, and changed in places."""
    chance = random.Random(seed)
    yield frame
    for _ in range(6):
        yield frame[: chance.randrange(len(frame))]
    for _ in range(16):
        changed = bytearray(frame)
        for _ in range(chance.choice((1, 1, 2, 5))):
            place = chance.randrange(len(changed))
            changed[place] = chance.choice(MUTATIONS)(changed[place])
        yield bytes(changed)


@pytest.mark.parametrize("name", FRAMES)
async def test_strangers(server, name) -> None:
    """Each variant as the very first frame, and as the first one after NEGOTIATE."""
    for number, variant in enumerate(variants(FRAMES[name], name)):
        frame = variant
        client = await server.connect()
        if number % 2:
            await client.negotiate()
            # Real message ids: or the connection would end for that alone.
            if len(frame) >= 32:
                frame = frame[:24] + client.next_id.to_bytes(8, "little") + frame[32:]
                client.next_id += 1
        await outlives(client, [frame])
        client.close()
    other = await server.logged_on()
    assert (await other.call(Opcode.ECHO, EchoRequest())).status == 0


@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", b"\xfeSMB", b"\xfdSMB", b"\xffSMB"]))
@settings(max_examples=60, deadline=None)
def test_noise(data, prefix) -> None:
    """As frames, and without being any."""

    async def run() -> None:
        async with serving() as made:
            client = await made.connect()
            await outlives(client, [prefix + data])
            client = await made.connect()
            await client.send_bytes(prefix + data)

    trio.run(run)


# --- after that


_numbers = itertools.count(1)


class Session:
    """A log-on whose requests need no signature, with a file and a directory at hand."""

    def __init__(self, client: Client, tree: int, file: File, directory: File) -> None:
        self.client, self.tree, self.file, self.directory = client, tree, file, directory
        self.frames = 0

    @classmethod
    async def begin(cls, server: Server) -> "Session":
        client = await server.logged_on(dialects=(0x0302,), signs=False)
        tree = await client.connect()
        file = await client.create(tree, f"file {next(_numbers)}")
        await client.write(file, bytes(1000))
        directory = await client.open_directory(tree)
        await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=2000))
        return cls(client, tree, file, directory)


Make = Callable[[Session], Call]
REQUESTS: dict[str, Make] = {
    "create": lambda one: one.client.create_call(
        one.tree, "new", contexts=[(b"MxAc", b""), (b"QFid", b""), (b"AlSi", bytes(8)), (b"ExtA", bytes(8))]
    ),
    "create with a lease": lambda one: one.client.create_call(one.tree, "file", contexts=[(b"RqLs", bytes(52))]),
    "close": lambda one: one.client.close_call(one.file, flags=1),
    "flush": lambda one: one.client.flush_call(one.file),
    "read": lambda one: one.client.read_call(one.file, 100, 10),
    "write": lambda one: one.client.write_call(one.file, b"content", 10),
    "lock": lambda one: one.client.lock_call(one.file, (0, 10, EXCLUSIVE | NOW), (20, 10, EXCLUSIVE | NOW)),
    "blocking lock": lambda one: one.client.lock_call(one.file, (0, 10, EXCLUSIVE)),
    "ioctl": lambda one: one.client.ioctl_call(one.tree, 0x000900C0, b"", 64, one.file),
    "validate": lambda one: one.client.ioctl_call(one.tree, FSCTL_VALIDATE_NEGOTIATE_INFO, bytes(26)),
    "list": lambda one: one.client.list_call(one.directory, 1000, flags=1),
    "notify": lambda one: one.client.notify_call(one.directory),
    "query": lambda one: one.client.query_info_call(one.file, 18),
    "query security": lambda one: _query(one, 3, 0),
    "query file system": lambda one: _query(one, 2, 5),
    "set times": lambda one: one.client.set_info_call(one.file, 4, bytes(40)),
    "rename": lambda one: one.client.set_info_call(
        one.file, 10, struct.pack("<B7xQI", 1, 0, 8) + "file".encode("utf-16-le")
    ),
    "dispose": lambda one: one.client.set_info_call(one.file, 13, b"\0"),
    "set attributes": lambda one: one.client.set_info_call(one.file, 15, b"\0\0\0\0\0\1\1\0ab\0\0"),
    "tree connect": lambda one: Call(Opcode.TREE_CONNECT, TreeConnectRequest(path=r"\\server\files")),
    "tree disconnect": lambda one: Call(Opcode.TREE_DISCONNECT, TreeDisconnectRequest(), one.tree + 1),
    "log on again": lambda one: Call(Opcode.SESSION_SETUP, SessionSetupRequest(security_buffer=b"NTLMSSP\0\1\0\0\0")),
    "cancel": lambda one: Call(Opcode.CANCEL, CancelRequest(), credits=0),
    "break": lambda one: Call(
        Opcode.OPLOCK_BREAK,
        OplockBreakAcknowledgment(persistent_file_id=one.file.file_id[0], volatile_file_id=one.file.file_id[1]),
        one.tree,
    ),
}
requests = pytest.mark.parametrize("name", REQUESTS)


def _query(one: Session, kind: int, level: int) -> Call:
    call = one.client.query_info_call(one.file, level)
    call.body.info_type = kind
    call.body.additional_information = 7
    return call


class Driver:
    """Sends what a test makes of requests, each in a session that works."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.session: Session | None = None
        self.ended = 0

    async def send(self, make: Make, change: Callable[[bytearray], bytes | bytearray]) -> None:
        if self.session is None:
            self.session = await Session.begin(self.server)
        session = self.session
        session.frames += 1
        frame = change(session.client.message(make(session)))
        alive = await outlives(session.client, [bytes(frame)])
        if not alive or session.frames == RESTART:
            self.ended += not alive
            session.client.close()
            self.session = None

    async def works(self) -> None:
        """The server is none the worse for it."""
        session = await Session.begin(self.server)
        assert await session.client.read(session.file, 10) == bytes(10)
        session.client.close()


def set_byte(place: int, mutate: Callable[[int], int]) -> Callable[[bytearray], bytearray]:
    def change(frame: bytearray) -> bytearray:
        frame[place] = mutate(frame[place])
        return frame

    return change


def cut(length: int) -> Callable[[bytearray], bytearray]:
    return lambda frame: frame[:length]


async def size_of(server: Server, make: Make) -> int:
    session = await Session.begin(server)
    session.client.close()
    return len(session.client.message(make(session)))


@requests
async def test_bodies(server, name) -> None:
    """Every byte of the body changed in each way, and the body cut at every length."""
    make, driver = REQUESTS[name], Driver(server)
    for place in range(BODY, await size_of(server, make)):
        for mutate in MUTATIONS:
            await driver.send(make, set_byte(place, mutate))
        await driver.send(make, cut(place))
    await driver.works()


@pytest.mark.parametrize("name", ["read", "create", "log on again"])
async def test_headers(server, name) -> None:
    make, driver = REQUESTS[name], Driver(server)
    for place in range(BODY):
        for mutate in MUTATIONS[1:]:
            await driver.send(make, set_byte(place, mutate))
    assert driver.ended
    await driver.works()


CHANGES = st.lists(
    st.tuples(st.integers(BODY, 300), st.sampled_from("BHIQ"), st.integers(0, 2**64 - 1)), min_size=1, max_size=5
)


@given(steps=st.lists(st.tuples(st.sampled_from(sorted(REQUESTS)), CHANGES), min_size=1, max_size=12))
@settings(max_examples=40, deadline=None)
def test_several_changes(steps) -> None:
    """Fields of all widths at once, one request after the other in one session."""

    async def run() -> None:
        async with serving() as made:
            driver = Driver(made)
            for name, changes in steps:
                await driver.send(REQUESTS[name], several(changes))
            await driver.works()

    trio.run(run)


def several(changes: list[tuple[int, str, int]]) -> Callable[[bytearray], bytearray]:
    def change(frame: bytearray) -> bytearray:
        for place, code, value in changes:
            size = struct.calcsize(code)
            room = len(frame) - BODY - size
            if room >= 0:
                struct.pack_into("<" + code, frame, BODY + place % (room + 1), value & ((1 << 8 * size) - 1))
        return frame

    return change


async def test_compounds(server) -> None:
    """Elements put together at random, related or not, ending in the wrong places now and then."""
    chance = random.Random(5)
    driver = Driver(server)
    for _ in range(150):
        if driver.session is None:
            driver.session = await Session.begin(server)
        session = driver.session
        calls = [REQUESTS[chance.choice(sorted(REQUESTS))](session) for _ in range(chance.randrange(1, 5))]
        for call in calls[1:]:
            call.flags |= chance.choice((0, 4))
            if call.flags and chance.random() < 0.5 and hasattr(call.body, "volatile_file_id"):
                call.body.persistent_file_id, call.body.volatile_file_id = ANY_FILE
        frame = session.client.frame(*calls)
        if chance.random() < 0.3:
            place = chance.randrange(len(frame))
            frame[place] = chance.choice(MUTATIONS)(frame[place])
        if not await outlives(session.client, [bytes(frame)]):
            session.client.close()
            driver.session = None
    await driver.works()
