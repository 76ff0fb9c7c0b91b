"""Times of the last write and change that operations of an open leave alone, for now or for good. [MS-FSA] 2.1.5.15.2.

Whoever sets one of these times by an open, or suspends its updates (-1), is not to find it changed by what is written
by that open. Where a share delays the time of the last write (`writetime`), it comes later. The storage changes these
times all by itself; so they are put back.
"""

import logging
import math
import time
from typing import TYPE_CHECKING, Final

import trio

from gateway.share.writetime import NOT_WRITTEN, WriteTime, elapsed, settled, written
from vfs_backends.api import Capability, NodeId, StatChange
from vfs_backends.errors import VfsError
from vfs_backends.inline import first_effect

if TYPE_CHECKING:
    from gateway.share.opens import Open

__all__ = ["KEEP_CHANGE_TIME", "KEEP_WRITE_TIME", "WriteTimes", "kept_times", "settle_write_time"]

log = logging.getLogger("gateway.vfs")

KEEP_WRITE_TIME: Final = 1
"""UserSetModificationTime."""
KEEP_CHANGE_TIME: Final = 2
"""UserSetChangeTime."""
_DELAYS_WRITE_TIME: Final = 4


async def kept_times(one: "Open", *, writes: bool = False) -> StatChange | None:
    """What to set after an operation of this open, to have the times as they are now; None if it may change them.

    `writes`: it is a write, whose time may come later.
    """
    keeps = one.kept_times
    if writes and keeps & _DELAYS_WRITE_TIME:
        keeps |= KEEP_WRITE_TIME
    if not keeps & (KEEP_WRITE_TIME | KEEP_CHANGE_TIME):
        return None
    stat = await one.handle.stat()
    keeps_change = keeps & KEEP_CHANGE_TIME and Capability.CHANGE_TIME in one.share.fs.capabilities
    return StatChange(
        mtime_ns=stat.mtime_ns if keeps & KEEP_WRITE_TIME else None,
        ctime_ns=stat.ctime_ns if keeps_change else None,
    )


async def settle_write_time(one: "Open") -> None:
    """Let the time of the last write show all that was written by this open. Raises `VfsError`."""
    if one.share.write_times is not None:
        await one.share.write_times.settle(one)


class WriteTimes:
    """The opens that owe something to the time of the last write, of all shares that delay it; `run` pays in time."""

    def __init__(self) -> None:
        self._owing: dict[int, tuple[Open, WriteTime]] = {}
        """By open id, from its first write to its end."""
        self._more = trio.Event()
        """Something may be due earlier than before."""

    def opened(self, one: "Open") -> None:
        """From now on the time does not show at once what this open writes."""
        one.kept_times |= _DELAYS_WRITE_TIME

    def written(self, one: "Open") -> None:
        """The open has written, and the time has been put back."""
        if not one.kept_times & _DELAYS_WRITE_TIME or one.kept_times & KEEP_WRITE_TIME:
            return
        state = self._owing.get(one.open_id, (one, NOT_WRITTEN))[1]
        self._owing[one.open_id] = one, written(state, trio.current_time(), one.share.settings.write_time_delay)
        if not state.is_owed:
            self._more.set()

    async def settle(self, one: "Open") -> None:
        """Let the time show all that was written by this open. Raises `VfsError`."""
        state = self._owing.get(one.open_id, (one, NOT_WRITTEN))[1]
        if state.is_owed:
            await first_effect(_touch(one))
            self._owing[one.open_id] = one, settled(state)

    def was_set(self, node_id: NodeId) -> None:
        """Somebody has set the time of a file: what was written before shows in it no more."""
        for open_id, (one, state) in self._owing.items():
            if one.node_id == node_id:
                self._owing[open_id] = one, settled(state)

    async def closed(self, one: "Open", *, deletes: bool) -> None:
        """The open comes to its end, and with `deletes` its file does too. Never raises."""
        _, state = self._owing.pop(one.open_id, (one, NOT_WRITTEN))
        if state.is_owed and not deletes:
            await _touch_if_possible(one)

    async def run(self) -> None:
        """Update times when they are due, until cancelled."""
        while True:
            self._more = trio.Event()
            due = min([state.due for _, state in self._owing.values()], default=math.inf)
            with trio.move_on_at(due):
                await self._more.wait()
            now = trio.current_time()
            for open_id, (one, state) in list(self._owing.items()):
                after = elapsed(state, now)
                if after is not state:
                    self._owing[open_id] = one, after
                    await _touch_if_possible(one)


async def _touch(one: "Open") -> None:
    await one.handle.set_stat(StatChange(mtime_ns=time.time_ns()))


async def _touch_if_possible(one: "Open") -> None:
    try:
        await _touch(one)
    except VfsError as error:
        log.info("the time of the last write of %s stays as it was: %s", one.path, error)
