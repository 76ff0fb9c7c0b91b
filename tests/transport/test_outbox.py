"""The one way out: order, partial sends, limits, and peers that do not read."""

import os
import socket

import pytest
import trio

from gateway.transport.outbox import IOV_MAX, Outbox


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
