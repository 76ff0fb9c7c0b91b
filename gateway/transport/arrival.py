"""Waiting for the rest of a message: when there is enough of it to wake for, and when it will not come. socket(7).

Who wakes for every segment of a large message receives it in ten pieces. So while the rest of one is waited for, its
socket becomes readable once all of that is there (SO_RCVLOWAT).
"""

import socket
from collections.abc import Awaitable, Callable
from typing import Final

import trio

__all__ = ["Arrival"]

_LOW: Final = 64 * 1024
_HIGH: Final = 2 << 20
"""For less than the one, the mark is not worth the call that sets it; more than the other does not lie in a socket."""


class Arrival:
    """Watches `sock` from `begun` until `paused` or `ended`: if nothing comes for `seconds`, it calls `on_stall`.

    `start` runs a coroutine function as a task of the connection.
    """

    def __init__(
        self,
        sock: socket.socket,
        seconds: float,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        on_stall: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._seconds = seconds
        self._start = start
        self._on_stall = on_stall
        self._since = 0.0
        self._waiting = False
        self._watching = False
        self.mark = 1
        """Bytes that lie in the socket when it becomes readable, unless it is at its end."""

    def begun(self, missing: int) -> None:
        """Part of a message has come, or more of it, and now `missing` bytes are waited for; 0: it cannot be told."""
        self._waiting = True
        self._since = trio.current_time()
        self._set_mark(min(missing, _HIGH) if missing > _LOW else 1)
        if not self._watching:
            self._watching = True
            self._start(self._watch)

    def ended(self) -> None:
        """The next message is waited for, of which nothing has come."""
        self._waiting = False
        self._set_mark(1)

    def paused(self) -> None:
        """Nothing is received for now."""
        self._waiting = False

    def _set_mark(self, mark: int) -> None:
        if mark != self.mark:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, mark)
            self.mark = mark

    async def _watch(self) -> None:
        # One task for many messages: to have a deadline for each would cost more than to receive it.
        while self._waiting:
            now = trio.current_time()
            if now < self._since + self._seconds:
                await trio.sleep(self._since + self._seconds - now)
            elif self._has_some():
                self._since = now
                self._set_mark(1)  # so that it is received, which is progress
            else:
                self._on_stall()
                break
        self._watching = False

    def _has_some(self) -> bool:
        """Whether something has come that is not enough to wake for."""
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
