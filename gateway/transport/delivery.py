"""Whether what was sent has arrived: what a peer's system does not acknowledge shows that it is gone. tcp(7), TCP_INFO.

A break notification that nobody gets would otherwise have others wait for its answer as long as anybody may take for
one ([MS-SMB2] 3.3.4.6).
"""

import math
import socket
import struct
from collections.abc import Awaitable, Callable

import trio

__all__ = ["Delivery"]

_UNACKNOWLEDGED_AT, _LAST_ACK_AT, _INFO_SIZE = 24, 56, 60
"""Of struct tcp_info: segments on their way, and milliseconds since the last acknowledgement."""


class Delivery:
    """Watches, from each `expect` on, until all that was sent on `sock` is acknowledged.

    If nothing is for `patience` seconds, `is_slow` is set until it is, and `on_delay` called; if nothing is for
    `seconds`, or less if it was expected on another socket before, `on_silence`. `start` runs a coroutine function as a
    task of the connection.
    """

    def __init__(
        self,
        sock: socket.socket,
        patience: float,
        seconds: float,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        on_delay: Callable[[], None],
        on_silence: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._patience = patience
        self._seconds = seconds
        self._start = start
        self._on_delay = on_delay
        self._on_silence = on_silence
        self._since = 0.0
        """From when on it is waited for."""
        self._first = 0.0
        """The same, here or elsewhere."""
        self._watching = False
        self.is_slow = False
        self.pretends_silence = False
        """For tests: as if nothing were acknowledged any more."""

    def expect(self, since: float | None = None) -> None:
        """Something has just been sent that has to arrive; `since`: when it was first sent, elsewhere."""
        self._since = trio.current_time()
        self._first = self._since if since is None else since
        if not self._watching:
            self._watching = True
            self._start(self._watch)

    async def _watch(self) -> None:
        while True:
            due = self._first + self._seconds if self.is_slow else self._since + self._patience
            # Who is slow is looked at often all the same: to know when it is not any more.
            await trio.sleep(min(max(due - trio.current_time(), 0), self._patience))
            silent, now = self._silent_seconds(), trio.current_time()
            if silent is None:
                break
            if now - silent > self._since:
                # Something was acknowledged meanwhile: the rest has its time from then on.
                self._since = self._first = now - silent
                self.is_slow = False
            elif self.is_slow and now >= self._first + self._seconds:
                self._on_silence()
                break
            elif not self.is_slow and now >= self._since + self._patience:
                self.is_slow = True
                self._on_delay()
        self._watching = self.is_slow = False

    def _silent_seconds(self) -> float | None:
        """How long nothing was acknowledged although something is to be; None if nothing is."""
        if self.pretends_silence:
            return math.inf
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        except OSError:  # no TCP: what is sent has arrived
            return None
        if len(info) < _INFO_SIZE or not struct.unpack_from("I", info, _UNACKNOWLEDGED_AT)[0]:
            return None
        milliseconds: int = struct.unpack_from("I", info, _LAST_ACK_AT)[0]
        return milliseconds / 1000
