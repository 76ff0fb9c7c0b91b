"""What a storage can tell of those who use it without the gateway, as part of the contract of `vfs_backends.api`."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from vfs_backends.records import NodeId, OutsideChange

if TYPE_CHECKING:
    from vfs_backends.api import Handle

__all__ = ["ChangeWatcher", "OpenGuard", "OutsideOpen"]


class ChangeWatcher(ABC):
    """One queue of changes for all directories that are watched; its methods do not block."""

    @abstractmethod
    def add(self, directory: "Handle") -> int:
        """Begin to watch what is directly in a directory; the watch. Raises `VfsError`: NO_SPACE if there are too many.

        One directory has one watch, however often it is added.
        """

    @abstractmethod
    def remove(self, watch: int) -> None:
        """End a watch; what has happened before may still be told."""

    @abstractmethod
    async def changes(self) -> list[OutsideChange]:
        """Wait for something to happen, and tell all that has, in its order. One task at a time."""

    @abstractmethod
    def close(self) -> None:
        """Give up all watches."""


class OutsideOpen(ABC):
    """Somebody is about to open a file, and waits for leave."""

    node_id: NodeId

    @abstractmethod
    def answer(self, *, allow: bool) -> None:
        """Let them, or not; does nothing the second time, or when their time is over. Never waits."""


class OpenGuard(ABC):
    """Files whose opens by others have to be let; its methods do not block."""

    @abstractmethod
    def add(self, handle: "Handle") -> None:
        """Guard a file until `remove` was called as often. Raises `VfsError`: NO_SPACE if there are too many."""

    @abstractmethod
    def remove(self, handle: "Handle") -> None:
        """Guard it no more."""

    @abstractmethod
    def close(self) -> None:
        """Let everybody go on."""
