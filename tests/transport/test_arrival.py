"""Waiting for the rest of a message on a real socket."""

import select
import socket

import pytest
import trio

from gateway.transport.arrival import Arrival

MUCH = 1_000_000


class Ends:
    """A connection, `ours` watched: when it was given up, if it was."""

    def __init__(self, nursery: trio.Nursery) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.theirs = socket.create_connection(listener.getsockname())
            self.ours, _ = listener.accept()
        self.ours.setblocking(False)
        self.began = trio.current_time()
        self.stalled_at: list[float] = []
        self.arrival = Arrival(self.ours, 10.0, nursery.start_soon, self._stalled)

    def _stalled(self) -> None:
        self.stalled_at.append(trio.current_time() - self.began)

    def is_readable(self, seconds: float) -> bool:
        return bool(select.select([self.ours], [], [], seconds)[0])

    def receive(self, size: int) -> None:
        self.ours.setblocking(True)
        assert len(self.ours.recv(size, socket.MSG_WAITALL)) == size
        self.ours.setblocking(False)


@pytest.fixture
def ends(nursery):
    ends = Ends(nursery)
    yield ends
    ends.ours.close()
    ends.theirs.close()


async def test_a_large_rest_wakes_once_it_is_there(ends) -> None:
    ends.arrival.begun(MUCH)
    ends.theirs.sendall(bytes(MUCH - 1))
    assert not ends.is_readable(0.2)
    ends.theirs.sendall(b"!")
    assert ends.is_readable(10)


async def test_the_end_wakes_in_any_case(ends) -> None:
    ends.arrival.begun(MUCH)
    ends.theirs.sendall(b"some")
    ends.theirs.close()
    assert ends.is_readable(10)


async def test_whatever_comes_of_the_next_message_wakes(ends) -> None:
    ends.arrival.begun(MUCH)
    ends.arrival.ended()
    assert ends.arrival.mark == 1
    ends.theirs.sendall(b"!")
    assert ends.is_readable(10)


@pytest.mark.parametrize("missing", [0, 1, 5000])
async def test_a_small_rest_is_not_waited_for_together(ends, missing) -> None:
    ends.arrival.begun(MUCH)
    ends.arrival.begun(missing)
    ends.theirs.sendall(b"!")
    assert ends.is_readable(10)


async def test_no_more_is_waited_for_together_than_a_socket_holds(ends) -> None:
    ends.arrival.begun(100 << 20)
    assert ends.arrival.mark <= 4 << 20


async def test_nothing_comes(ends, autojump_clock) -> None:
    ends.arrival.begun(MUCH)
    await trio.sleep(9)
    assert ends.stalled_at == []
    await trio.sleep(50)
    assert ends.stalled_at == [10]


async def test_every_beginning_has_its_time(ends, autojump_clock) -> None:
    for _ in range(4):
        ends.arrival.begun(100)
        await trio.sleep(8)
    assert ends.stalled_at == []
    await trio.sleep(50)
    assert ends.stalled_at == [34]


@pytest.mark.parametrize("method", ["paused", "ended"])
async def test_who_does_not_wait_is_not_given_up(ends, autojump_clock, method) -> None:
    ends.arrival.begun(MUCH)
    getattr(ends.arrival, method)()
    await trio.sleep(50)
    ends.arrival.begun(MUCH)
    await trio.sleep(9)
    assert ends.stalled_at == []


async def test_a_little_is_progress_once(ends, autojump_clock) -> None:
    """What is not enough to wake for is received when the time is over, and the rest has its time from then on."""
    ends.arrival.begun(MUCH)
    ends.theirs.sendall(b"some")
    await trio.sleep(9)
    assert not ends.is_readable(0)
    await trio.sleep(2)
    assert ends.is_readable(10)
    ends.receive(4)
    ends.arrival.begun(MUCH - 4)
    await trio.sleep(9)
    assert ends.stalled_at == []
    await trio.sleep(50)
    assert ends.stalled_at == [21]


async def test_who_has_ended_is_given_up(ends, autojump_clock) -> None:
    """Even if nobody looks."""
    ends.arrival.begun(MUCH)
    ends.theirs.close()
    await trio.sleep(50)
    assert ends.stalled_at == [10]
