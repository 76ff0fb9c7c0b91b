"""Whether to look for the next request, or to wait for it.

Who sends it as soon as it has the answer to the last one may have done so before the call that sends that answer is
over, as it often is on the same processor, or with several requests at a time. To look costs less than to be woken, but
more than nothing: so the more often it was in vain, the less often it is done.
"""

from typing import Final

__all__ = ["Lookout"]

_MOST_SPARED: Final = 63


class Lookout:
    """What it came to on one connection so far."""

    __slots__ = ("_left", "_spared")

    def __init__(self) -> None:
        self._spared = 0
        """How many looks are spared after one in vain: about twice as many as after the last one, and half of that
        for each since that was not: it stays small only where more than every other look finds something."""
        self._left = 0
        """How many of them are left."""

    def pays(self) -> bool:
        """Whether to look now. To be asked each time when one could, and told of what came of it."""
        if self._left:
            self._left -= 1
            return False
        return True

    def came_to(self, *, found: bool) -> None:
        """What looking came to: whether there was something."""
        if found:
            self._spared //= 2
        else:
            self._left = self._spared = min(2 * self._spared + 1, _MOST_SPARED)
