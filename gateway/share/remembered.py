"""What was found out about files, for as long as they stay as they are."""

from typing import Final, Generic, TypeVar

from vfs_backends.api import NodeId, Stat

__all__ = ["Remembered"]

T = TypeVar("T")

_RACY_NS: Final = 50_000_000
"""For so long a further change may leave the version as it is: the clocks of file systems are as coarse as that."""


class Remembered(Generic[T]):
    """A value for each of at most `limit` files, with the version of the file that it was found out of."""

    __slots__ = ("_limit", "_values")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: dict[NodeId, tuple[int, T]] = {}

    def get(self, stat: Stat) -> T | None:
        """What is known of a file that the storage has just told this of; None if nothing is."""
        found = self._values.get(stat.node_id)
        return found[1] if found is not None and found[0] == stat.version else None

    def keep(self, stat: Stat, value: T, since: int) -> None:
        """Take note of what was found out after the storage told `stat`, at `since` (ns since 1970) or later.

        That is the time before the first look: what is changed afterwards has a later version then.
        """
        if stat.version and since - stat.version > _RACY_NS:
            if len(self._values) >= self._limit:
                self._values.clear()
            self._values[stat.node_id] = (stat.version, value)

    def forget(self, node_id: NodeId) -> None:
        """The file has been changed, perhaps too fast for its version to tell."""
        self._values.pop(node_id, None)
