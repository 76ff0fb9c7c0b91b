"""The tasks that answer the kernel, driven by the hub as long as there is nothing else to wait for."""

import socket
from collections.abc import Awaitable, Callable

import pytest
import trio

from gateway.fuse import driving
from gateway.fuse.turns import Turn
from gateway.transport.hub import Hub


class Reader:
    """In place of a task of pyfuse3: answers each byte that comes."""

    def __init__(self, hub: Hub) -> None:
        self.turn = Turn()
        self.trio = driving._Trio(self.turn, hub)
        self.ours, self.theirs = socket.socketpair()
        self.tasks: list[trio.lowlevel.Task] = []
        """In which the bytes were answered."""
        self.has_ended = trio.Event()

    async def run(self, *, started: Callable[[], None]) -> None:
        self.own = trio.lowlevel.current_task()
        started()
        try:
            await self.read()
        finally:
            self.has_ended.set()

    async def read(self) -> None:
        while True:
            await self.trio.lowlevel.wait_readable(self.ours.fileno())
            byte = self.ours.recv(1)
            if byte == b"w":
                await self.turn.take_back()
                await trio.sleep(0.001)
            elif byte == b"s":
                await trio.lowlevel.checkpoint()
            elif byte == b"f":
                raise ValueError("as it was told to")
            elif byte in (b"e", b""):
                return
            self.tasks.append(trio.lowlevel.current_task())
            self.ours.send(byte)

    async def ask(self, byte: bytes) -> bytes:
        """Another task's question, and the answer to it."""
        self.theirs.send(byte)
        await trio.lowlevel.wait_readable(self.theirs)
        return self.theirs.recv(1)


async def with_reader(use: Callable[[Reader], Awaitable[None]], *, is_served: bool = True) -> Reader:
    """Run a reader until it has been used; without `is_served` the hub does not run."""
    hub = Hub()
    reader = Reader(hub)
    with reader.ours, reader.theirs:
        async with trio.open_nursery() as running:
            if is_served:
                await running.start(hub.run)
            async with reader.trio.open_nursery() as nursery:
                begun = trio.Event()
                nursery.start_soon(lambda: reader.run(started=begun.set), name="reader")
                await begun.wait()
                await use(reader)
                reader.theirs.close()
            running.cancel_scope.cancel()
    return reader


async def ask_twice(reader: Reader) -> None:
    assert [await reader.ask(b"1"), await reader.ask(b"2")] == [b"1", b"2"]


async def test_the_hub_drives_a_task_that_only_waits_for_requests() -> None:
    reader = await with_reader(ask_twice)
    assert reader.own not in reader.tasks


async def test_without_a_hub_the_task_answers_itself() -> None:
    reader = await with_reader(ask_twice, is_served=False)
    assert reader.tasks == [reader.own, reader.own]


async def test_what_waits_goes_back_to_its_task() -> None:
    async def use(reader: Reader) -> None:
        assert await reader.ask(b"w") == b"w"
        assert await reader.ask(b"1") == b"1"

    reader = await with_reader(use)
    assert reader.tasks[0] is reader.own
    assert reader.tasks[1] is not reader.own


async def test_requests_that_are_there_already_are_answered_in_one_go() -> None:
    async def use(reader: Reader) -> None:
        reader.theirs.send(b"12345")
        received = b""
        while len(received) < 5:
            await trio.lowlevel.wait_readable(reader.theirs)
            received += reader.theirs.recv(5)
        assert received == b"12345"

    await with_reader(use)


@pytest.mark.parametrize("is_served", [True, False])
async def test_the_end_of_a_task_is_its_end(is_served: bool) -> None:
    async def use(reader: Reader) -> None:
        reader.theirs.send(b"e")
        await reader.has_ended.wait()

    await with_reader(use, is_served=is_served)


@pytest.mark.parametrize("is_served", [True, False])
async def test_what_a_task_raises_comes_out_of_it(is_served: bool) -> None:
    async def use(reader: Reader) -> None:
        reader.theirs.send(b"f")
        await reader.has_ended.wait()

    with pytest.raises(ExceptionGroup) as caught:
        await with_reader(use, is_served=is_served)
    assert caught.group_contains(ValueError, match="as it was told to")


async def test_a_task_must_say_that_it_waits() -> None:
    async def use(reader: Reader) -> None:
        reader.theirs.send(b"s")
        await trio.sleep_forever()

    with pytest.raises(ExceptionGroup) as caught:
        await with_reader(use)
    assert caught.group_contains(RuntimeError, match="out of its turn")


@pytest.mark.parametrize("is_served", [True, False])
async def test_cancellation_ends_the_task(is_served: bool) -> None:
    ended = trio.Event()

    async def use(reader: Reader) -> None:
        await ask_twice(reader)
        nonlocal ended
        ended = reader.has_ended
        raise KeyError("to end it all")

    with trio.fail_after(10), pytest.raises(ExceptionGroup) as caught:
        await with_reader(use, is_served=is_served)
    assert caught.group_contains(KeyError)
    assert ended.is_set()
