"""Memory that large requests and replies of all connections share: who finds it used up waits for his turn."""

from collections import deque

import trio

from vfs_backends.inline import may_wait

__all__ = ["MemoryBudget"]


class MemoryBudget:
    """So many bytes, taken and given back. First come, first served.

    Nobody is refused, so what is taken must come back by itself: by a reply that is sent, a request that is answered,
    or the end of a connection that makes no progress.
    """

    __slots__ = ("_free", "_queue", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._queue: deque[tuple[int, trio.Event]] = deque()

    @property
    def used(self) -> int:
        """Bytes that are taken."""
        return self.total - self._free

    def try_take(self, size: int) -> bool:
        """Take `size` bytes (at most the total), if they are there and nobody waits for them."""
        if self._queue or size > self._free:
            return False
        self._free -= size
        return True

    async def take(self, size: int) -> None:
        """Take `size` bytes (at most the total), and wait for them if need be."""
        if self.try_take(size):
            return
        may_wait()
        turn = trio.Event()
        self._queue.append((size, turn))
        try:
            await turn.wait()
        except trio.Cancelled:
            if turn.is_set():
                self.give(size)
            else:
                self._queue.remove((size, turn))
                self._serve()
            raise

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        self._free += size
        if self._queue:
            self._serve()

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._free:
            size, turn = self._queue.popleft()
            self._free -= size
            turn.set()
