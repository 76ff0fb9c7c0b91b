"""What was found out about files, for as long as they stay as they are."""

from typing import Final, Generic, TypeVar

from vfs_backends.api import NodeId, Stat

__all__ = ["Remembered"]

T = TypeVar("T")

_RACY_NS: Final = 50_000_000
"""For so long a further change may leave the version as it is: the clocks of file systems are as coarse as that."""


class _Found(Generic[T]):
    """What was found out of a file, and of which; its inode number it is kept under."""

    __slots__ = ("device", "generation", "value", "version")

    def __init__(self, device: int, generation: int, version: int, value: T) -> None:
        self.device = device
        self.generation = generation
        self.version = version
        self.value = value


class Remembered(Generic[T]):
    """A value for each of at most `limit` files, with the version of the file that it was found out of."""

    __slots__ = ("_found", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._found: dict[int, _Found[T]] = {}
        """By inode, for a number is found faster than a `NodeId`; of two devices' files the later one is remembered."""

    def get(self, stat: Stat) -> T | None:
        """What is known of a file that the storage has just told this of; None if nothing is."""
        device, inode, generation = stat.node_id
        found = self._found.get(inode)
        if found is None or found.version != stat.version or found.generation != generation or found.device != device:
            return None
        return found.value

    def keep(self, stat: Stat, value: T, since: int) -> None:
        """Take note of what was found out after the storage told `stat`, at `since` (ns since 1970) or later.

        That is the time before the first look: what is changed afterwards has a later version then.
        """
        if stat.version and since - stat.version > _RACY_NS:
            if len(self._found) >= self._limit:
                self._found.clear()
            device, inode, generation = stat.node_id
            self._found[inode] = _Found(device, generation, stat.version, value)

    def forget(self, node_id: NodeId) -> None:
        """The file has been changed, perhaps too fast for its version to tell."""
        self._found.pop(node_id.inode, None)
