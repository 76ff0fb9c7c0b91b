"""The window of message ids and the credits that widen it. [MS-SMB2] 3.3.1.1, 3.3.1.2, 3.3.5.2.3."""

from typing import Final

__all__ = ["CREDIT_UNIT", "MessageWindow", "credit_charge"]

CREDIT_UNIT: Final = 65536
"""Bytes of payload that one credit pays for."""


def credit_charge(size: int) -> int:
    """The credits that a payload of `size` bytes costs ([MS-SMB2] 3.1.5.2): one for every 64 KiB begun."""
    return (size - 1) // CREDIT_UNIT + 1 if size > 0 else 1


class MessageWindow:
    """Which message ids the peer may use: each once, from those granted.

    `limit` is the most credits the peer may hold at a time. An id that is skipped stays usable; while it is, the
    window spans at most twice the limit, and no credit is granted that would widen it further.
    """

    __slots__ = ("_high", "_low", "_used", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._low = 0
        """The lowest id that was not used."""
        self._high = 1
        """The lowest id that was not granted."""
        self._used: set[int] = set()
        """Ids above `_low` that were used."""

    @property
    def available(self) -> int:
        """Credits the peer holds."""
        return self._high - self._low - len(self._used)

    def use(self, message_id: int, charge: int) -> bool:
        """Use `charge` consecutive ids (0 counts as 1); whether all were the peer's to use."""
        charge = charge or 1
        if message_id == self._low and not self._used:
            if message_id + charge > self._high:
                return False
            self._low += charge
            return True
        end = message_id + charge
        if message_id < self._low or end > self._high:
            return False
        ids = range(message_id, end)
        if any(number in self._used for number in ids):
            return False
        self._used.update(ids)
        while self._low in self._used:
            self._used.remove(self._low)
            self._low += 1
        return True

    def grant(self, requested: int) -> int:
        """Grant up to `requested` credits; how many. A peer that would be left with none gets one, if there is room."""
        span = self._high - self._low
        available = span - len(self._used)
        if not requested and available == 0:
            requested = 1
        limit = self.limit
        granted = min(requested, min(limit - available, 2 * limit - span))  # noqa: PLW3301 - quicker where compiled
        if granted <= 0:
            return 0
        self._high += granted
        return granted
