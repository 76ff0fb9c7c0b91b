"""The one way out of a connection: a bounded queue of buffers and whoever flushes it.

Whoever has a message puts it in and flushes. While the socket takes it at once, that is all. When it does not, one
flusher (a task started for the purpose) waits until it does, and everybody else only adds to the queue.
"""

import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

__all__ = ["Outbox"]

IOV_MAX: Final = 1024

Buffer = bytes | bytearray | memoryview


class Outbox:
    """What is to be sent on `sock` (non-blocking).

    `limit` (bytes) is where `full` begins: the owner then stops taking requests until `has_room`. A peer that takes
    nothing for `stall_seconds` is given up: the flusher calls `on_broken`, as after any other error of the socket.
    `start` runs a coroutine function as a task of the connection.
    """

    __slots__ = (
        "_flushing",
        "_marks",
        "_put",
        "_queue",
        "_room",
        "_sock",
        "_start",
        "broken",
        "limit",
        "on_broken",
        "size",
        "stall_seconds",
    )

    def __init__(
        self,
        sock: socket.socket,
        *,
        limit: int,
        stall_seconds: float,
        start: Callable[[Callable[[], Awaitable[None]]], None],
        on_broken: Callable[[], None],
    ) -> None:
        self._sock = sock
        self._start = start
        self._queue: list[Buffer] = []
        self._put = 0
        """Bytes that were ever put in."""
        self._marks: deque[tuple[int, Callable[[], None]]] = deque()
        """What to call once so many bytes were sent."""
        self._flushing = False
        self._room: trio.Event | None = None
        self.limit = limit
        self.stall_seconds = stall_seconds
        self.on_broken = on_broken
        self.size = 0
        """Bytes that wait."""
        self.broken = False

    @property
    def full(self) -> bool:
        return self.size > self.limit

    def put(self, buffers: list[Buffer], sent: Callable[[], None] | None = None) -> None:
        """Add one message; it leaves with the next flush. `sent` is called when it has, or never will."""
        self._queue.extend(buffers)
        size = 0
        for buffer in buffers:
            size += len(buffer)
        self.size += size
        self._put += size
        if sent is not None:
            self._marks.append((self._put, sent))
            if self.broken:
                self._call_marks()

    def flush(self) -> None:
        """Send what the socket takes now; if that is not all, see to it that the rest follows. Never waits."""
        if self._flushing or not self._queue or self.broken:
            return
        if not self._send():
            self._flushing = True
            self._start(self._flush_rest)

    async def has_room(self) -> None:
        """Wait until no more than `limit` bytes wait."""
        while self.full and not self.broken:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()

    def _send(self) -> bool:
        """Send until the queue is empty (True) or the socket blocks (False)."""
        queue = self._queue
        try:
            while queue:
                sent = self._sock.sendmsg(queue if len(queue) <= IOV_MAX else queue[:IOV_MAX])
                self.size -= sent
                if self._marks:
                    self._call_marks()
                if self.size == 0:
                    queue.clear()
                    return True
                self._forget(sent)
        except BlockingIOError:
            return False
        except OSError:
            self._break()
        return True

    def _call_marks(self) -> None:
        """Tell those whose messages have left; all of them, if nothing leaves any more."""
        sent = self._put - self.size
        while self._marks and (self.broken or self._marks[0][0] <= sent):
            self._marks.popleft()[1]()

    def close(self) -> None:
        """The connection is over: nothing is sent any more."""
        self.broken = True
        self._queue.clear()
        self._call_marks()

    def _forget(self, sent: int) -> None:
        """Take the first `sent` bytes off the queue."""
        queue = self._queue
        count = 0
        while sent >= len(queue[count]):
            sent -= len(queue[count])
            count += 1
        del queue[:count]
        if sent:
            queue[0] = memoryview(queue[0])[sent:]

    async def _flush_rest(self) -> None:
        while not self.broken:
            with trio.move_on_after(self.stall_seconds) as deadline:
                await trio.lowlevel.wait_writable(self._sock)
            if deadline.cancelled_caught:
                self._break()
                break
            done = self._send()
            if not self.full and self._room is not None:
                self._room.set()
                self._room = None
            if done:
                break
        self._flushing = False

    def _break(self) -> None:
        self.close()
        self.size = 0
        if self._room is not None:
            self._room.set()
            self._room = None
        self.on_broken()
