"""Times that an open has set, and that what it does afterwards shall leave alone. [MS-FSA] 2.1.5.15.2.

Whoever sets the time of the last write or change by an open, or suspends its updates (-1), is not to find it changed by
what is written by that open. The storage changes these times all by itself; so they are put back.
"""

from typing import TYPE_CHECKING, Final

from vfs_backends.api import Capability, StatChange

if TYPE_CHECKING:
    from gateway.share.opens import Open

__all__ = ["KEEP_CHANGE_TIME", "KEEP_WRITE_TIME", "kept_times"]

KEEP_WRITE_TIME: Final = 1
"""UserSetModificationTime."""
KEEP_CHANGE_TIME: Final = 2
"""UserSetChangeTime."""


async def kept_times(one: "Open") -> StatChange | None:
    """What to set after an operation of this open, to have the times as they are now; None if it may change them."""
    if not one.kept_times:
        return None
    stat = await one.handle.stat()
    keeps_change = one.kept_times & KEEP_CHANGE_TIME and Capability.CHANGE_TIME in one.share.fs.capabilities
    return StatChange(
        mtime_ns=stat.mtime_ns if one.kept_times & KEEP_WRITE_TIME else None,
        ctime_ns=stat.ctime_ns if keeps_change else None,
    )
