"""When a write shows in the time of its file's last write, where that is delayed: the rules, as pure functions.

[MS-FSA] 2.1.5.4 and its note on Windows before Windows Server 2019, which tests of Samba's know best: the first write
by an open shows after a while. What the same open writes later shows when it is closed. A flush, and a change of size
or attributes, bring forward what is owed; a time that is set takes its place.
"""

import math
from typing import NamedTuple

__all__ = ["NOT_WRITTEN", "WriteTime", "elapsed", "settled", "written"]


class WriteTime(NamedTuple):
    """What an open owes to the time of its file's last write."""

    is_owed: bool = False
    """Something was written, and the time does not show it yet."""
    due: float = math.inf
    """When it has to, on the clock of who asks; never before the open is closed, if infinite."""
    is_spent: bool = False
    """The one delayed update of the open has been made."""


NOT_WRITTEN = WriteTime()


def written(state: WriteTime, now: float, delay: float) -> WriteTime:
    """After a write at `now`; `delay` is in the same unit."""
    if state.is_owed:
        return state
    return WriteTime(True, math.inf if state.is_spent else now + delay, state.is_spent)


def elapsed(state: WriteTime, now: float) -> WriteTime:
    """After the update that was due by `now`, if there was one."""
    return WriteTime(is_spent=True) if state.is_owed and state.due <= now else state


def settled(state: WriteTime) -> WriteTime:
    """After an update before its time, or a time that was set."""
    return WriteTime(is_spent=state.is_spent)
