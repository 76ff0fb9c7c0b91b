"""The table of a single process; `gateway.share.table` says what any table does."""

from typing import TypeVar

from gateway.share.record import FileRecord
from gateway.share.table import Table, Transition
from vfs_backends.api import NodeId
from vfs_backends.native import mypyc_attr

__all__ = ["MemoryTable"]

T = TypeVar("T")


@mypyc_attr(allow_interpreted_subclasses=True)
class MemoryTable(Table):
    """Keeps the records in a dictionary. It never waits, and runs each function once."""

    def __init__(self) -> None:
        self._records: dict[NodeId, FileRecord] = {}

    def __len__(self) -> int:
        """How many files are in use."""
        return len(self._records)

    async def transact(self, key: NodeId, function: Transition[T]) -> T:
        """See `Table.transact`."""
        return self.transact_nowait(key, function)

    def transact_nowait(self, key: NodeId, function: Transition[T]) -> T:
        """See `Table.transact_nowait`; never raises `NotNow`."""
        before = self._records.get(key)
        after, result = function(before)
        if after is None:
            if before is not None:
                del self._records[key]
        elif after is not before:
            self._records[key] = after
        return result

    def peek_nowait(self, key: NodeId) -> FileRecord | None:
        """See `Table.peek_nowait`; never raises `NotNow`."""
        return self._records.get(key)

    def keys(self) -> tuple[NodeId, ...]:
        """The ids of all files in use, for reports."""
        return tuple(self._records)
