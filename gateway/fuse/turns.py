"""Who reads the next request from the kernel.

pyfuse3 has a pool of tasks that take turns in waiting for a request; each wakes the next one before it begins to work
on what it got. Most requests are answered without waiting for anything, so that is one change of tasks too many: here
a task keeps its turn, and passes it on only if its request has to wait.
"""

import select
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Final, Generic, TypeVar, cast

import pyfuse3
import trio

__all__ = ["Passing", "Turn", "install"]

T = TypeVar("T")

_STREAK: Final = 32
"""So many requests are read at most before other tasks have a go."""


class _Done:
    """What need not be waited for: cheaper to await than a coroutine."""

    def __await__(self) -> Generator[Any, Any, None]:
        return _NOTHING


_NOTHING: Final = cast("Generator[Any, Any, None]", iter(()))
_DONE: Final = _Done()


class Turn:
    """A lock that is not handed over when it is given up, but by `pass_on`."""

    def __init__(self) -> None:
        self._is_taken = False
        self._others = trio.lowlevel.ParkingLot()

    def __aenter__(self) -> Awaitable[None]:
        if self._is_taken:
            return self._wait()
        self._is_taken = True
        return _DONE

    async def _wait(self) -> None:
        while self._is_taken:
            await self._others.park()
        self._is_taken = True

    def __aexit__(self, *_: object) -> Awaitable[None]:
        self._is_taken = False
        return _DONE

    def pass_on(self) -> None:
        """Let another task read, if there is one and it is nobody's turn."""
        if not self._is_taken:
            self._others.unpark()


class Passing(Generic[T]):
    """Awaits a coroutine, and passes the turn on as soon as that has to wait."""

    __slots__ = ("_coroutine", "_turn")

    def __init__(self, coroutine: Coroutine[Any, Any, T], turn: Turn) -> None:
        self._coroutine = coroutine
        self._turn = turn

    def __await__(self) -> Generator[Any, Any, T]:
        coroutine = self._coroutine
        try:
            trap = coroutine.send(None)
            self._turn.pass_on()
            while True:
                try:
                    value = yield trap
                except BaseException as error:  # it is for the coroutine
                    trap = coroutine.throw(error)
                else:
                    trap = coroutine.send(value)
        except StopIteration as end:
            result: T = end.value
            return result


class _LowLevel:
    """What pyfuse3 uses of `trio.lowlevel`."""

    current_task = staticmethod(trio.lowlevel.current_task)
    current_trio_token = staticmethod(trio.lowlevel.current_trio_token)
    notify_closing = staticmethod(trio.lowlevel.notify_closing)

    def __init__(self) -> None:
        self._poll: select.poll | None = None
        self._streak = 0

    def wait_readable(self, fd: int) -> Awaitable[None]:
        """Wait for a request; without looking after other tasks, if one is there and it was not so too often."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)
        if self._streak < _STREAK and self._poll.poll(0):
            self._streak += 1
            return _DONE
        self._streak = 0
        return self._wait_readable(fd)

    async def _wait_readable(self, fd: int) -> None:
        await trio.lowlevel.wait_readable(fd)


class _Trio:
    """What pyfuse3 uses of trio. It can be told to use something else, which is how it is made to run on asyncio."""

    ClosedResourceError = trio.ClosedResourceError
    open_nursery = staticmethod(trio.open_nursery)

    def __init__(self, turn: Turn) -> None:
        self.lowlevel = _LowLevel()
        self._turn = turn

    def Lock(self) -> Turn:
        return self._turn


def install(turn: Turn) -> None:
    """Have pyfuse3 take this turn, from the next mount on."""
    pyfuse3.trio = _Trio(turn)  # type: ignore[attr-defined]  # its stubs do not have it
