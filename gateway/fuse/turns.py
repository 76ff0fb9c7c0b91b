"""Who reads the next request from the kernel.

pyfuse3 has a pool of tasks that take turns in waiting for a request; each wakes the next one before it begins to work
on what it got. Most requests are answered without waiting for anything, so that is one change of tasks too many: here
a task keeps its turn, and passes it on only if its request has to wait.
"""

from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Final, Generic, TypeVar, cast

import trio

__all__ = ["DONE", "Passing", "TakenBack", "Turn"]

T = TypeVar("T")


class _Done:
    """What need not be waited for: cheaper to await than a coroutine."""

    def __await__(self) -> Generator[Any, Any, None]:
        return _NOTHING


_NOTHING: Final = cast("Generator[Any, Any, None]", iter(()))
DONE: Final = _Done()


class TakenBack:
    """Awaited by who is about to wait for more than a request: the rest is for a task, in its turn of the loop."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield self


_TAKEN_BACK: Final = TakenBack()


class Turn:
    """A lock that is not handed over when it is given up, but by `pass_on`."""

    def __init__(self) -> None:
        self._is_taken = False
        self._others = trio.lowlevel.ParkingLot()
        self.is_away = False
        """Whether who has it is driven by the hub, out of its task."""

    def __aenter__(self) -> Awaitable[None]:
        if self._is_taken:
            return self._wait()
        self._is_taken = True
        return DONE

    async def _wait(self) -> None:
        while self._is_taken:
            await self._others.park()
        self._is_taken = True

    def __aexit__(self, *_: object) -> Awaitable[None]:
        self._is_taken = False
        return DONE

    def take_back(self) -> Awaitable[None]:
        """Go on in the task, where one may wait for anything."""
        return _TAKEN_BACK if self.is_away else DONE

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
