"""Part of a file that can be sent from where it is kept, as part of the contract of `vfs_backends.api`: sendfile(2)."""

from abc import ABC, abstractmethod

from vfs_backends.native import mypyc_attr

__all__ = ["Extent"]


@mypyc_attr(allow_interpreted_subclasses=True)
class Extent(ABC):
    """`left` bytes of a file, from `offset` on, that are to be sent; whoever sends some moves both on.

    The descriptor `fd` stays the file's until `release`, whatever becomes of the handle.
    """

    def __init__(self, fd: int, offset: int, size: int) -> None:
        self.fd = fd
        self.offset = offset
        self.left = size

    def sent(self, count: int) -> None:
        """Take the first `count` bytes off."""
        self.offset += count
        self.left -= count

    @abstractmethod
    def is_at_hand(self) -> bool:
        """Whether all that is left can be sent without waiting for the storage, and the file is as long as that."""

    @abstractmethod
    async def fetch(self) -> None:
        """Wait until that is so, as far as it can be; what fails is left to fail again when it is sent."""

    @abstractmethod
    def release(self) -> None:
        """Give the descriptor back. Called once."""
