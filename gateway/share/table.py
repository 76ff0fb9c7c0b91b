"""Where the records of the files in use are kept, and how they change: one pure function at a time.

Nothing outside reaches into a record that another request could be changing: whoever wants something of a file hands
in a function, and gets its result. A table may keep its records in this process or elsewhere, and may run the function
again if the record has changed under it; hence the function must have no effect and must depend on nothing but the
record.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

from gateway.share.record import FileRecord
from vfs_backends.api import NodeId
from vfs_backends.native import mypyc_attr

__all__ = ["Table", "Transition"]

T = TypeVar("T")

Transition = Callable[[FileRecord | None], tuple[FileRecord | None, T]]
"""From the record that is there to the one that shall be, and a result. None stands for no record at all."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Table(ABC):
    """The records of all files in use, by the file's id."""

    @abstractmethod
    async def transact(self, key: NodeId, function: Transition[T]) -> T:
        """Replace the record by what `function` makes of it, as one step, and return its result.

        If it raises, nothing has changed. May wait, and says so by `vfs_backends.inline.may_wait`; in an inline pass
        that has had its first effect it does not.
        """

    @abstractmethod
    def transact_nowait(self, key: NodeId, function: Transition[T]) -> T:
        """Like `transact`, without waiting. Raises `vfs_backends.inline.NotNow` if it would have to; nothing has
        changed then. Never raises it in an inline pass that has had its first effect."""

    @abstractmethod
    def peek_nowait(self, key: NodeId) -> FileRecord | None:
        """The record as it is now. Raises `vfs_backends.inline.NotNow` if that cannot be told without waiting."""
