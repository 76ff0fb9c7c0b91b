"""The one way out: order, partial sends, limits, and peers that do not read."""

import os
import socket
from typing import BinaryIO

import pytest
import trio

from gateway.transport.outbox import IOV_MAX, Outbox
from vfs_backends.extent import Extent


class Ends:
    """A pair of sockets, one of which an outbox sends on."""

    def __init__(
        self, nursery: trio.Nursery, *, limit: int = 1000, stall_seconds: float = 5.0, buffers: int = 0
    ) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.theirs.setblocking(False)
        if buffers:
            self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
            self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        self.broken = trio.Event()
        self.flushers = 0
        self.nursery = nursery
        self.outbox = Outbox(
            self.ours, limit=limit, stall_seconds=stall_seconds, start=self._start, on_broken=self.broken.set
        )

    def _start(self, flusher) -> None:
        self.flushers += 1
        self.nursery.start_soon(flusher)

    async def receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                data += self.theirs.recv(count - len(data))
            except BlockingIOError:
                await trio.lowlevel.wait_readable(self.theirs)
        return data

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
async def make_ends(nursery):
    made = []

    def make(**options) -> Ends:
        made.append(Ends(nursery, **options))
        return made[-1]

    yield make
    nursery.cancel_scope.cancel()
    for one in made:
        one.close()


async def test_what_the_socket_takes_at_once(make_ends) -> None:
    ends = make_ends()
    ends.outbox.put([b"one", bytearray(b"two"), memoryview(b"three")])
    ends.outbox.put([b"four"])
    assert ends.outbox.size == 15
    ends.outbox.flush()
    assert (ends.outbox.size, ends.flushers) == (0, 0)
    assert await ends.receive(15) == b"onetwothreefour"
    ends.outbox.flush()


async def test_more_than_the_socket_takes(make_ends) -> None:
    """In order, whatever is added while it waits, and by a single flusher."""
    ends = make_ends(buffers=4096, limit=100)
    parts = [os.urandom(size) for size in (1, 50_000, 3, 70_000, 0, 200)]
    for part in parts[:3]:
        ends.outbox.put([part])
    ends.outbox.flush()
    assert ends.outbox.full
    for part in parts[3:]:
        ends.outbox.put([part])
        ends.outbox.flush()
    whole = b"".join(parts)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends.outbox.has_room)
        assert await ends.receive(len(whole)) == whole
    assert ends.outbox.size == 0
    assert ends.flushers == 1
    ends.outbox.put([b"again"])
    ends.outbox.flush()
    assert await ends.receive(5) == b"again"


async def test_more_buffers_than_a_call_takes(make_ends) -> None:
    ends = make_ends()
    count = 2 * IOV_MAX + 7
    ends.outbox.put([bytes([number % 256]) for number in range(count)])
    ends.outbox.flush()
    assert await ends.receive(count) == bytes(number % 256 for number in range(count))


async def test_several_wait_for_room(make_ends) -> None:
    ends = make_ends(buffers=4096, limit=100)
    ends.outbox.put([bytes(100_000)])
    ends.outbox.flush()
    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ends.outbox.has_room)
        await trio.testing.wait_all_tasks_blocked()
        await ends.receive(100_000)
    await ends.outbox.has_room()


async def test_marks(make_ends) -> None:
    """Each is told when its own message has left, and all when nothing leaves any more."""
    ends = make_ends(buffers=4096)
    told: list[str] = []
    ends.outbox.put([b"a" * 10], lambda: told.append("first"))
    ends.outbox.put([b"b" * 50_000], lambda: told.append("second"))
    ends.outbox.put([b"c" * 50_000])
    ends.outbox.put([b"d"], lambda: told.append("last"))
    ends.outbox.flush()
    assert told == ["first"]
    await ends.receive(60_000)
    await trio.testing.wait_all_tasks_blocked()
    assert told == ["first", "second"]
    ends.outbox.close()
    assert told == ["first", "second", "last"]
    ends.outbox.put([b"e"], lambda: told.append("late"))
    assert told[-1] == "late"
    ends.outbox.flush()


async def test_a_peer_that_has_gone(make_ends) -> None:
    ends = make_ends()
    ends.theirs.close()
    told: list[bool] = []
    ends.outbox.put([b"x"], lambda: told.append(True))
    ends.outbox.flush()
    assert ends.broken.is_set()
    assert ends.outbox.broken
    assert told == [True]
    await ends.outbox.has_room()
    ends.outbox.put([b"y"])
    ends.outbox.flush()
    assert ends.flushers == 0


async def test_a_peer_that_goes_while_something_waits(make_ends) -> None:
    ends = make_ends(buffers=4096, limit=10)
    ends.outbox.put([bytes(100_000)])
    ends.outbox.flush()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ends.outbox.has_room)
        await trio.testing.wait_all_tasks_blocked()
        ends.theirs.close()
        await ends.broken.wait()


async def test_a_peer_that_does_not_read(make_ends, autojump_clock) -> None:
    ends = make_ends(buffers=4096, limit=10, stall_seconds=30)
    ends.outbox.put([bytes(100_000)])
    ends.outbox.flush()
    began = trio.current_time()
    await ends.outbox.has_room()
    assert ends.broken.is_set()
    assert trio.current_time() - began == pytest.approx(30, abs=0.1)


async def test_a_peer_that_reads_slowly_is_kept(make_ends, autojump_clock) -> None:
    """As long as it takes something now and then."""
    ends = make_ends(buffers=4096, limit=10, stall_seconds=30)
    ends.outbox.put([bytes(60_000)])
    ends.outbox.flush()
    began, taken = trio.current_time(), 0
    while taken < 60_000:
        await trio.sleep(20)
        await trio.testing.wait_all_tasks_blocked()
        taken += len(ends.theirs.recv(1 << 20))
        assert not ends.broken.is_set()
    await ends.outbox.has_room()
    assert trio.current_time() - began > 60


class Piece(Extent):
    """Part of a file, which is at hand or not as the test says."""

    def __init__(self, file: BinaryIO, offset: int, size: int, *, at_hand: bool = True) -> None:
        super().__init__(file.fileno(), offset, size)
        self.at_hand = at_hand
        self.fetched = self.released = 0

    def is_at_hand(self) -> bool:
        return self.at_hand

    async def fetch(self) -> None:
        self.fetched += 1
        await trio.lowlevel.checkpoint()

    def release(self) -> None:
        self.released += 1


@pytest.fixture
def file(tmp_path):
    with (tmp_path / "file").open("w+b") as made:
        made.write(os.urandom(200_000))
        made.flush()
        yield made


def content(file: BinaryIO, offset: int, size: int) -> bytes:
    return os.pread(file.fileno(), size, offset)


async def test_parts_of_files(make_ends, file) -> None:
    """Between other messages, in their order."""
    ends = make_ends()
    pieces = [Piece(file, 0, 1000), Piece(file, 5, 7), Piece(file, 100_000, 30_000)]
    whole = b""
    for number, piece in enumerate(pieces):
        head = [b"head%d" % number] * 3
        whole += b"".join(head) + content(file, piece.offset, piece.left) + b"plain"
        ends.outbox.put(list(head), piece.release, piece)
        ends.outbox.put([b"plain"])
    assert ends.outbox.size == len(whole)
    ends.outbox.flush()
    assert (ends.outbox.size, ends.flushers) == (0, 0)
    assert await ends.receive(len(whole)) == whole
    assert [piece.released for piece in pieces] == [1, 1, 1]


@pytest.mark.parametrize("at_hand", [True, False])
async def test_parts_of_files_that_the_socket_does_not_take(make_ends, file, at_hand) -> None:
    """What is not at hand any more when it takes some again is waited for, for the loop must not."""
    ends = make_ends(buffers=4096, limit=100)
    pieces = [Piece(file, 1, 150_000, at_hand=at_hand), Piece(file, 3, 70_000)]
    whole = b"".join(b"head" + content(file, piece.offset, piece.left) for piece in pieces) + b"last"
    for piece in pieces:
        ends.outbox.put([b"head"], piece.release, piece)
        ends.outbox.flush()
    ends.outbox.put([b"last"])
    assert ends.outbox.full
    assert await ends.receive(len(whole)) == whole
    await trio.testing.wait_all_tasks_blocked()
    assert (ends.outbox.size, ends.flushers) == (0, 1)
    assert [piece.released for piece in pieces] == [1, 1]
    assert (pieces[0].fetched > 0) == (not at_hand)
    assert pieces[1].fetched == 0


async def test_more_buffers_before_a_part_of_a_file_than_a_call_takes(make_ends, file) -> None:
    ends = make_ends()
    count = 2 * IOV_MAX + 7
    piece = Piece(file, 0, 10)
    ends.outbox.put([bytes([number % 256]) for number in range(count)], piece.release, piece)
    ends.outbox.flush()
    expected = bytes(number % 256 for number in range(count)) + content(file, 0, 10)
    assert await ends.receive(len(expected)) == expected


@pytest.mark.parametrize("left", [0, 1, 70_000])
async def test_a_file_that_becomes_shorter(make_ends, file, left) -> None:
    """The peer was told how much would come."""
    ends = make_ends()
    piece = Piece(file, 1000, 199_000)
    there = content(file, 1000, left)
    file.truncate(1000 + left)
    ends.outbox.put([b"head"], piece.release, piece)
    ends.outbox.put([b"next"])
    ends.outbox.flush()
    whole = b"head" + there + bytes(199_000 - left) + b"next"
    assert await ends.receive(len(whole)) == whole
    assert (ends.outbox.size, piece.released) == (0, 1)


async def test_a_peer_that_goes_in_the_middle_of_a_file(make_ends, file) -> None:
    ends = make_ends(buffers=4096, limit=100)
    pieces = [Piece(file, 0, 150_000), Piece(file, 0, 10)]
    for piece in pieces:
        ends.outbox.put([b"head"], piece.release, piece)
    ends.outbox.flush()
    ends.theirs.close()
    await ends.broken.wait()
    assert [piece.released for piece in pieces] == [1, 1]
    late = Piece(file, 0, 10)
    ends.outbox.put([b"head"], late.release, late)
    ends.outbox.flush()
    assert late.released == 1
