"""pyfuse3's tasks, driven so that the hub can serve their requests out of their turns of the event loop.

A task of pyfuse3 waits for a request, answers it, and waits for the next. Here it does so in a coroutine that is driven
by hand: as long as there is nothing to wait for but the next request, it is the hub that drives it (see
`gateway.transport.hub`). What has to wait for anything else takes it back to its own task first, by `Turn.take_back`.
"""

import select
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import Any, Final

import pyfuse3
import trio

from gateway.fuse.turns import DONE, TakenBack, Turn
from gateway.transport.hub import Hub

__all__ = ["install"]

_STREAK: Final = 32
"""So many requests are read at most before others have a go."""


class _Quiet:
    """Awaited by who has nothing to do until a descriptor is readable."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __await__(self) -> Generator[Any, Any, None]:
        yield self


class _Driven:
    """Awaits a coroutine, and lets the hub drive it while it is quiet."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], turn: Turn, hub: Hub) -> None:
        self._coroutine = coroutine
        self._turn = turn
        self._hub = hub
        self._error: BaseException | None = None
        """How it has ended, if it has while the hub drove it."""

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine = self._coroutine
        try:
            trap = coroutine.send(None)
            while True:
                try:
                    if isinstance(trap, _Quiet):
                        value = None
                        yield from self._hub.wait(trap.fd, self._serve).__await__()
                    else:
                        value = yield trap
                except BaseException as error:  # it is for the coroutine
                    trap = coroutine.throw(error)
                    continue
                if self._error is not None:
                    break
                trap = coroutine.send(value)
        except StopIteration:
            return
        if not isinstance(self._error, StopIteration):
            raise self._error

    def _serve(self) -> bool:
        """Answer requests as long as there are any; whether there is nothing to do but to wait for the next."""
        self._turn.is_away = True
        try:
            trap = self._coroutine.send(None)
        except BaseException as error:  # raised again in the task that it belongs to
            self._error = error
            return False
        finally:
            self._turn.is_away = False
        if isinstance(trap, _Quiet):
            return True
        if not isinstance(trap, TakenBack):
            self._error = RuntimeError(f"{self._coroutine!r} suspended out of its turn")
        return False


class _Nursery:
    """Starts pyfuse3's tasks."""

    def __init__(self, nursery: trio.Nursery, turn: Turn, hub: Hub) -> None:
        self._nursery = nursery
        self._turn = turn
        self._hub = hub

    def start_soon(self, function: Callable[..., Coroutine[Any, Any, None]], *args: object, name: object) -> None:
        self._nursery.start_soon(self._drive, function, args, name=name)

    async def _drive(self, function: Callable[..., Coroutine[Any, Any, None]], args: tuple[object, ...]) -> None:
        # What pyfuse3 gives its tasks is the nursery that it knows.
        await _Driven(function(*args), self._turn, self._hub)


class _LowLevel:
    """What pyfuse3 uses of `trio.lowlevel`."""

    current_task = staticmethod(trio.lowlevel.current_task)
    current_trio_token = staticmethod(trio.lowlevel.current_trio_token)

    def __init__(self) -> None:
        self._poll: select.poll | None = None
        self._quiet: _Quiet
        self._streak = 0

    def wait_readable(self, fd: int) -> Awaitable[None]:
        """Wait for a request; without looking after others, if one is there and it was not so too often."""
        if self._poll is None:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)
            self._quiet = _Quiet(fd)
        if self._streak < _STREAK and self._poll.poll(0):
            self._streak += 1
            return DONE
        self._streak = 0
        return self._quiet


class _Trio:
    """What pyfuse3 uses of trio. It can be told to use something else, which is how it is made to run on asyncio."""

    ClosedResourceError = trio.ClosedResourceError

    def __init__(self, turn: Turn, hub: Hub) -> None:
        self.lowlevel = _LowLevel()
        self._turn = turn
        self._hub = hub

    @asynccontextmanager
    async def open_nursery(self) -> AsyncIterator[_Nursery]:
        async with trio.open_nursery() as nursery:
            yield _Nursery(nursery, self._turn, self._hub)

    def Lock(self) -> Turn:
        return self._turn


def install(turn: Turn, hub: Hub) -> None:
    """Have pyfuse3 take this turn, and this hub, from the next mount on."""
    pyfuse3.trio = _Trio(turn, hub)  # type: ignore[attr-defined]  # its stubs do not have it
