"""Memory that large requests and replies of all connections share: who finds it used up waits for his turn."""

from collections import deque

import trio

from vfs_backends.inline import may_wait

__all__ = ["MemoryBudget"]


class MemoryBudget:
    """So many bytes, taken and given back. First come, first served.

    Nobody is refused, so what is taken must come back by itself: by a reply that is sent, a request that is answered,
    or the end of a connection that makes no progress. Whoever holds some and needs more to give all of it back goes
    before the others, and one of them may have more than there is, or all could come to wait for each other.
    """

    __slots__ = ("_finishing", "_free", "_queue", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._queue: deque[tuple[int, trio.Event]] = deque()
        self._finishing: deque[tuple[int, trio.Event]] = deque()

    @property
    def used(self) -> int:
        """Bytes that are taken."""
        return self.total - self._free

    def try_take(self, size: int) -> bool:
        """Take `size` bytes (at most the total), if they are there and nobody waits for them."""
        if self._queue or self._finishing or size > self._free:
            return False
        self._free -= size
        return True

    async def take(self, size: int, *, to_finish: bool = False) -> None:
        """Take `size` bytes (at most the total), and wait for them if need be.

        `to_finish`: the caller holds some already, and with these needs no more.
        """
        if self.try_take(size):
            return
        may_wait()
        turn = trio.Event()
        queue = self._finishing if to_finish else self._queue
        queue.append((size, turn))
        self._serve()
        try:
            await turn.wait()
        except trio.Cancelled:
            if turn.is_set():
                self.give(size)
            else:
                queue.remove((size, turn))
                self._serve()
            raise

    def give(self, size: int) -> None:
        """Give `size` bytes back."""
        self._free += size
        if self._queue or self._finishing:
            self._serve()

    def _serve(self) -> None:
        while self._finishing and self._free >= 0:  # beyond what is free, but only for one at a time
            self._hand_out(self._finishing)
        while not self._finishing and self._queue and self._queue[0][0] <= self._free:
            self._hand_out(self._queue)

    def _hand_out(self, queue: deque[tuple[int, trio.Event]]) -> None:
        size, turn = queue.popleft()
        self._free -= size
        turn.set()
