"""Tables that are slower or less certain than `MemoryTable`, so that nothing comes to rely on its manners."""

from typing import TypeVar

import trio

from gateway.share.memory_table import MemoryTable
from gateway.share.record import FileRecord
from gateway.share.table import Transition
from vfs_backends.api import NodeId
from vfs_backends.inline import NotNow, committed, may_wait

T = TypeVar("T")


class YieldingTable(MemoryTable):
    """Lets others run before each step, and can tell nothing at once."""

    async def transact(self, key: NodeId, function: Transition[T]) -> T:
        if not committed():
            may_wait()
            await trio.lowlevel.checkpoint()
        return super().transact_nowait(key, function)

    def transact_nowait(self, key: NodeId, function: Transition[T]) -> T:
        if committed():
            return super().transact_nowait(key, function)
        raise NotNow

    def peek_nowait(self, key: NodeId) -> FileRecord | None:
        if committed():
            return super().peek_nowait(key)
        raise NotNow


class RetryingTable(MemoryTable):
    """Runs each function several times, as a table does whose record has been changed meanwhile by somebody else."""

    def __init__(self, times: int = 3) -> None:
        super().__init__()
        self._times = times

    def transact_nowait(self, key: NodeId, function: Transition[T]) -> T:
        before = self.peek_nowait(key)
        outcomes = [function(before) for _ in range(self._times - 1)]

        def last(record: FileRecord | None) -> tuple[FileRecord | None, T]:
            outcome = function(record)
            assert all(other == outcome for other in outcomes), "the function depends on more than the record"
            return outcome

        return super().transact_nowait(key, last)
