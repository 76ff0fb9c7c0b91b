"""Whether what was sent has arrived: what a peer's system does not acknowledge shows that it is gone. tcp(7), TCP_INFO.

A break notification that nobody gets would otherwise have others wait for its answer as long as anybody may take for
one ([MS-SMB2] 3.3.4.6).
"""

import socket
import struct
from collections.abc import Awaitable, Callable

import trio

__all__ = ["Delivery"]

_UNACKNOWLEDGED_AT, _LAST_ACK_AT, _INFO_SIZE = 24, 56, 60
"""Of struct tcp_info: segments on their way, and milliseconds since the last acknowledgement."""


class Delivery:
    """Watches, from each `expect` on, until all that was sent on `sock` is acknowledged.

    If nothing is for `seconds`, calls `on_silence`. `start` runs a coroutine function as a task of the connection.
    """

    def __init__(
        self,
        sock: socket.socket,
        seconds: float,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        on_silence: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._seconds = seconds
        self._start = start
        self._on_silence = on_silence
        self._since = 0.0
        self._watching = False
        self.pretends_silence = False
        """For tests: as if nothing were acknowledged any more."""

    def expect(self) -> None:
        """Something has just been sent that has to arrive."""
        self._since = trio.current_time()
        if not self._watching:
            self._watching = True
            self._start(self._watch)

    async def _watch(self) -> None:
        while (left := self._since + self._seconds - trio.current_time()) > 0:
            await trio.sleep(left)
            silent = self._silent_seconds()
            if silent is None:
                break
            if silent < self._seconds:
                # Something was acknowledged meanwhile: the rest has its time from then on.
                self._since = max(self._since, trio.current_time() - silent)
            elif self._since + self._seconds <= trio.current_time():
                self._on_silence()
                break
        self._watching = False

    def _silent_seconds(self) -> float | None:
        """How long nothing was acknowledged although something is to be; None if nothing is."""
        if self.pretends_silence:
            return self._seconds
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_SIZE)
        except OSError:  # no TCP: what is sent has arrived
            return None
        if len(info) < _INFO_SIZE or not struct.unpack_from("I", info, _UNACKNOWLEDGED_AT)[0]:
            return None
        milliseconds: int = struct.unpack_from("I", info, _LAST_ACK_AT)[0]
        return milliseconds / 1000
