"""pyfuse3's tasks, made to run so that the hub can serve their requests out of their turns of the event loop.

See `gateway.fuse.driven`, whose coroutines take the place of the tasks' own; pyfuse3 is given in place of trio what
makes them so.
"""

from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pyfuse3
import trio

from gateway.fuse.driven import Driven, Looking
from gateway.fuse.turns import Turn
from gateway.transport.hub import Hub

__all__ = ["install"]


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
        await Driven(function(*args), self._turn, self._hub)


class _LowLevel:
    """What pyfuse3 uses of `trio.lowlevel`."""

    current_task = staticmethod(trio.lowlevel.current_task)
    current_trio_token = staticmethod(trio.lowlevel.current_trio_token)

    def __init__(self) -> None:
        self.wait_readable = Looking().wait_readable


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
