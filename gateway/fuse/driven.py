"""A task of pyfuse3, driven so that the hub can serve its requests out of its turns of the event loop.

Such a task waits for a request, answers it, and waits for the next. Here it does so in a coroutine that is driven
by hand: as long as there is nothing to wait for but the next request, it is the hub that drives it (see
`gateway.transport.hub`). What has to wait for anything else takes it back to its own task first, by `Turn.take_back`.
"""

import select
from collections.abc import Awaitable, Coroutine, Generator
from typing import Any, Final

from gateway.fuse.turns import DONE, TakenBack, Turn
from gateway.transport.hub import Hub

__all__ = ["Driven", "Looking"]

_STREAK: Final = 32
"""So many requests are read at most before others have a go."""


class _Quiet:
    """Awaited by who has nothing to do until a descriptor is readable."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __await__(self) -> Generator[Any, Any, None]:
        yield self


class Driven:
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


class Looking:
    """Where a request comes from."""

    def __init__(self) -> None:
        self._poll: select.poll | None = None
        self._quiet: _Quiet | None = None
        self._streak = 0

    def wait_readable(self, fd: int) -> Awaitable[None]:
        """Wait for a request; without looking after others, if one is there and it was not so too often."""
        if self._poll is None or self._quiet is None:
            self._poll = select.poll()
            self._poll.register(fd, select.POLLIN)
            self._quiet = _Quiet(fd)
        if self._streak < _STREAK and self._poll.poll(0):
            self._streak += 1
            return DONE
        self._streak = 0
        return self._quiet
