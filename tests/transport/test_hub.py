"""The hub: it serves sockets out of their readers' turns, and nobody else waits for it."""

import contextlib
import os
import select
import socket
import time
from contextvars import ContextVar

import pytest
import trio
import trio.testing

from gateway.transport import hub as hub_module
from gateway.transport.hub import Hub

ONCE = b"."
owner: ContextVar[str] = ContextVar("owner", default="nobody")


class Echo:
    """A reader that sends back what comes, as long as it is served by the hub."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.ours, self.theirs = socket.socketpair()
        for one in (self.ours, self.theirs):
            one.setblocking(False)
        self.served = 0
        self.woken = 0
        self.woke_twice = trio.Event()
        self.seen: set[str] = set()

    def serve(self) -> bool:
        data = self.ours.recv(4096)
        self.served += 1
        self.seen.add(owner.get())
        if data == b"fail":
            raise ConnectionResetError("as it was told to")
        self.ours.send(data)
        return data != b"wake"

    async def run(self) -> None:
        while True:
            await self.hub.wait(self.ours, self.serve)
            self.woken += 1
            if self.woken == 2:
                self.woke_twice.set()

    async def ask(self, data: bytes = ONCE) -> bytes:
        """Send, and wait for the answer; not by the hub."""
        self.theirs.send(data)
        await trio.lowlevel.wait_readable(self.theirs)
        return self.theirs.recv(4096)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
async def make_echo(nursery):
    made = []

    def make(hub: Hub) -> Echo:
        made.append(Echo(hub))
        return made[-1]

    yield make
    nursery.cancel_scope.cancel()
    for one in made:
        one.close()


@pytest.fixture
async def hub(nursery) -> Hub:
    """A hub that runs."""
    one = Hub()
    await nursery.start(one.run)
    assert one._epoll is not None
    return one


async def test_it_serves_without_waking_the_reader(hub, make_echo, nursery) -> None:
    echo = make_echo(hub)
    nursery.start_soon(echo.run)
    for number in range(100):
        text = str(number).encode()
        assert await echo.ask(text) == text
    assert (echo.served, echo.woken) == (100, 0)


async def test_the_reader_goes_on_when_it_has_to(hub, make_echo, nursery) -> None:
    echo = make_echo(hub)
    nursery.start_soon(echo.run)
    assert await echo.ask(b"wake") == b"wake"
    assert await echo.ask() == ONCE
    assert (echo.served, echo.woken) == (2, 1)


async def test_it_serves_in_the_readers_context(hub, make_echo, nursery) -> None:
    """By which the log tells the connection."""
    first, second = make_echo(hub), make_echo(hub)

    async def run_as(name: str, echo: Echo) -> None:
        owner.set(name)
        await echo.run()

    nursery.start_soon(run_as, "first", first)
    nursery.start_soon(run_as, "second", second)
    for _ in range(5):
        await first.ask()
        await second.ask()
    assert (first.seen, second.seen) == ({"first"}, {"second"})


async def test_what_fails_is_the_readers_to_know(hub, make_echo) -> None:
    echo = make_echo(hub)
    echo.theirs.send(b"fail")
    with pytest.raises(ConnectionResetError, match="as it was told to"):
        await hub.wait(echo.ours, echo.serve)
    assert not hub._waiters
    other = make_echo(hub)
    other.theirs.send(b"wake")
    await hub.wait(other.ours, other.serve)


async def test_cancellation_ends_the_wait(hub, make_echo) -> None:
    echo = make_echo(hub)
    with trio.move_on_after(0.05) as scope:
        await hub.wait(echo.ours, echo.serve)
    assert scope.cancelled_caught
    assert not hub._waiters
    echo.theirs.send(b"wake")
    await hub.wait(echo.ours, echo.serve)  # the socket is free to be waited for again


async def test_what_serves_may_cancel_its_own_reader(hub, make_echo) -> None:
    echo = make_echo(hub)
    with trio.CancelScope() as scope:

        def serve() -> bool:
            echo.ours.recv(10)
            scope.cancel()
            return False

        echo.theirs.send(ONCE)
        await hub.wait(echo.ours, serve)
    assert scope.cancelled_caught
    assert not hub._waiters


async def test_deadlines_are_kept_while_it_serves(hub, make_echo, nursery) -> None:
    """A client that is never silent does not put off a deadline."""
    echo = make_echo(hub)

    def serve() -> bool:
        echo.ours.recv(4096)
        echo.served += 1
        echo.theirs.send(ONCE)  # the next request is here before this one is done
        return True

    echo.theirs.send(ONCE)
    nursery.start_soon(hub.wait, echo.ours, serve)
    with trio.fail_after(10):
        await trio.sleep(0.1)
    assert echo.served


@pytest.mark.parametrize("has_deadline", [False, True])
async def test_a_thread_wakes_the_loop(hub, make_echo, nursery, has_deadline) -> None:
    """Although the loop itself does not sleep, and whether the hub's sleep has an end or not."""
    echo = make_echo(hub)
    nursery.start_soon(echo.run)
    with trio.fail_after(10) if has_deadline else contextlib.nullcontext():
        await trio.to_thread.run_sync(time.sleep, 0.05)


async def test_a_deadline_that_comes_with_what_is_served(hub, make_echo, nursery) -> None:
    """The hub sleeps for as long as nothing comes, until a task that begins meanwhile has a deadline."""
    echo = make_echo(hub)
    over = trio.Event()

    async def wait_a_moment() -> None:
        with trio.move_on_after(0.05):
            await trio.sleep_forever()
        over.set()

    def serve() -> bool:
        echo.ours.recv(4096)
        nursery.start_soon(wait_a_moment)
        return True

    echo.theirs.send(ONCE)
    nursery.start_soon(hub.wait, echo.ours, serve)
    await over.wait()


async def test_other_tasks_have_their_turns_while_it_serves(hub, make_echo, nursery) -> None:
    busy = [make_echo(hub) for _ in range(3)]
    for echo in busy:
        nursery.start_soon(echo.run)
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    nursery.start_soon(count)
    for _ in range(50):
        for echo in busy:
            await echo.ask()
    assert turns >= 50


async def test_each_socket_is_served_once_at_a_time(hub, make_echo, nursery) -> None:
    """One that always has more does not keep the others from being served."""
    greedy, modest = make_echo(hub), make_echo(hub)
    order = []

    def one_byte() -> bool:
        order.append("greedy")
        greedy.ours.recv(1)
        return True

    def note() -> bool:
        order.append("modest")
        modest.serve()
        return True

    greedy.theirs.send(b"x" * 1000)
    modest.theirs.send(ONCE)
    nursery.start_soon(hub.wait, greedy.ours, one_byte)
    nursery.start_soon(hub.wait, modest.ours, note)
    with trio.fail_after(10):
        await trio.lowlevel.wait_readable(modest.theirs)
    assert order.index("modest") <= 10


async def test_without_a_hub_the_loop_waits(make_echo, nursery) -> None:
    echo = make_echo(Hub())
    echo.theirs.send(ONCE)
    with trio.fail_after(10):
        await echo.hub.wait(echo.ours, echo.serve)
    assert echo.served == 0


async def test_when_it_ends_the_loop_takes_over(make_echo) -> None:
    hub = Hub()
    echo = make_echo(hub)
    async with trio.open_nursery() as readers:
        async with trio.open_nursery() as nursery:
            await nursery.start(hub.run)
            readers.start_soon(echo.run)
            await echo.ask()
            nursery.cancel_scope.cancel()
        echo.theirs.send(ONCE)
        with trio.fail_after(10):
            await echo.woke_twice.wait()
        readers.cancel_scope.cancel()
    assert echo.served == 1
    assert not hub._waiters


async def test_a_loop_that_cannot_be_watched_is_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(os, "listdir", lambda path: [])
    hub = Hub()
    with trio.fail_after(10):
        await hub.run()
    assert hub._epoll is None


async def test_it_lets_the_loop_be_idle_when_nobody_waits(hub, autojump_clock) -> None:
    """Nor does a clock that jumps stand still."""
    with trio.fail_after(10):
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(5)


async def test_it_sleeps_when_there_is_nothing_to_do(hub, make_echo, nursery) -> None:
    echo = make_echo(hub)
    nursery.start_soon(echo.run)
    await echo.ask()
    await trio.sleep(0.05)
    before = time.process_time()
    await trio.sleep(0.5)
    assert time.process_time() - before < 0.25


def test_the_epoll_object_that_watches_a_descriptor_is_found() -> None:
    reading, writing = os.pipe()
    try:
        with select.epoll() as watching, select.epoll() as other:
            watching.register(reading, select.EPOLLIN)
            other.register(writing, select.EPOLLOUT)
            assert hub_module._watcher_of(reading) == watching.fileno()
            watching.unregister(reading)
            assert hub_module._watcher_of(reading) is None
    finally:
        os.close(reading)
        os.close(writing)
