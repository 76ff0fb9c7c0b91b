"""Sequence numbers of LOCK requests, by which one is known that was sent again. [MS-SMB2] 3.3.5.14, 3.3.1.10.

A client that did not get the answer, because the connection broke, sends the same request with the same number: it has
to learn that it succeeded, and must not lock or unlock twice. Clients number requests only on opens that outlive a
connection or have several; so whoever numbers them is taken at their word.
"""

from typing import Final

__all__ = ["LockSequences"]

_INDEXES: Final = range(1, 65)


class LockSequences:
    """What the last request of each index of an open was (LockSequenceArray)."""

    __slots__ = ("_numbers",)

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}

    def is_replay(self, index: int, number: int) -> bool:
        """Whether this request has succeeded already; if not, nothing of its index counts until it has."""
        if self._numbers.get(index) == number:
            return True
        self._numbers.pop(index, None)
        return False

    def succeeded(self, index: int, number: int) -> None:
        """The request has been carried out. Indexes that clients must not use are not kept."""
        if index in _INDEXES:
            self._numbers[index] = number
