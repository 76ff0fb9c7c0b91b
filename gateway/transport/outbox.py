"""The one way out of a connection: a bounded queue of buffers and whoever flushes it.

Whoever has a message puts it in and flushes. While the socket takes it at once, that is all. When it does not, one
flusher (a task started for the purpose) waits until it does, and everybody else only adds to the queue.
"""

import os
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio

from vfs_backends.extent import Extent

__all__ = ["Outbox"]

IOV_MAX: Final = 1024
_ZEROS: Final = bytes(64 * 1024)

Buffer = bytes | bytearray | memoryview


class Outbox:
    """What is to be sent on `sock` (non-blocking).

    `limit` (bytes) is where `full` begins: the owner then stops taking requests until `has_room`. A peer that takes
    nothing for `stall_seconds` is given up: the flusher calls `on_broken`, as after any other error of the socket.
    `start` runs a coroutine function as a task of the connection.
    """

    __slots__ = (
        "_extents",
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
        self._extents: deque[tuple[int, Extent]] = deque()
        """Parts of files, each with how many bytes leave before it."""
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

    def put(self, buffers: list[Buffer], sent: Callable[[], None] | None = None, extent: Extent | None = None) -> None:
        """Add one message; it leaves with the next flush. `sent` is called when it has, or never will.

        The list is not the caller's any more. `extent` is the end of the message; what is missing at the end of its
        file is sent as zeros.
        """
        if self._queue:
            self._queue += buffers
        else:
            self._queue = buffers
        size = 0
        for buffer in buffers:
            size += len(buffer)
        if extent is not None:
            self._extents.append((self._put + size, extent))
            size += extent.left
        self.size += size
        self._put += size
        if sent is not None:
            self._marks.append((self._put, sent))
            if self.broken:
                self._call_marks()

    def flush(self) -> None:
        """Send what the socket takes now; if that is not all, see to it that the rest follows. Never waits."""
        if self._flushing or not self.size or self.broken:
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
            while queue or self._extents:
                if self._extents:
                    self._send_mixed()
                    continue
                count = len(queue)
                if count == 1:
                    sent = self._sock.send(queue[0])
                else:
                    sent = self._sock.sendmsg(queue if count <= IOV_MAX else queue[:IOV_MAX])
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

    def _send_mixed(self) -> None:
        """Send once, of what comes before the first extent or else of that. Raises OSError."""
        before, extent = self._extents[0]
        before -= self._put - self.size
        if before > 0:
            queue = self._queue
            count = 0
            while before > 0 and count < IOV_MAX:
                before -= len(queue[count])
                count += 1
            sent = self._sock.sendmsg(queue[:count], (), socket.MSG_MORE)
            self._forget(sent)
        else:
            sent = os.sendfile(self._sock.fileno(), extent.fd, extent.offset, extent.left)
            extent.sent(sent)
            if sent == 0 or extent.left == 0:
                self._extents.popleft()
            if sent == 0:
                self._pad(extent.left)
        self.size -= sent
        if self._marks:
            self._call_marks()

    def _pad(self, missing: int) -> None:
        """The file has become shorter: its length has been announced, so there must be as many bytes."""
        whole, rest = divmod(missing, len(_ZEROS))
        self._queue[:0] = [_ZEROS] * whole + [_ZEROS[:rest]]

    def _call_marks(self) -> None:
        """Tell those whose messages have left; all of them, if nothing leaves any more."""
        sent = self._put - self.size
        while self._marks and (self.broken or self._marks[0][0] <= sent):
            self._marks.popleft()[1]()

    def close(self) -> None:
        """The connection is over: nothing is sent any more."""
        self.broken = True
        self._queue.clear()
        self._extents.clear()
        self._call_marks()

    def _forget(self, sent: int) -> None:
        """Take the first `sent` bytes off the queue."""
        queue = self._queue
        count = 0
        while count < len(queue) and sent >= len(queue[count]):
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
            if self._extents and not self._extents[0][1].is_at_hand():
                await self._extents[0][1].fetch()
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
