"""Byte-range locks of the store as the kernel has locks: flat, and with 63 bits.

The store's locks may lie upon each other and be empty ([MS-FSA] 2.1.5.8); of the kernel's, a holder has at most one at
any place, so where several lie upon each other the strongest counts.
"""

import itertools
from collections.abc import Sequence

from gateway.share.record import LockEntry
from vfs_backends.api import LockKind, LockSegment
from vfs_backends.ofd_locks import LAST_OFFSET

__all__ = ["segments"]


def segments(ranges: Sequence[LockEntry], held: Sequence[LockEntry]) -> list[LockSegment]:
    """How the kernel's locks have to be within `ranges`, for a holder of `held` (which may overlap).

    Empty ranges have no counterpart; in the kernel that length means all there is.
    """
    found = []
    for wanted in ranges:
        start, end = wanted.offset, min(wanted.offset + wanted.length, LAST_OFFSET)
        if end <= start:
            continue
        edges = {start, end}
        for lock in held:
            edges |= {edge for edge in (lock.offset, lock.offset + lock.length) if start < edge < end}
        for left, right in itertools.pairwise(sorted(edges)):
            over = [lock for lock in held if lock.offset <= left and right <= lock.offset + lock.length]
            kind = LockKind.NONE if not over else LockKind.SHARED
            if any(lock.exclusive for lock in over):
                kind = LockKind.EXCLUSIVE
            found.append(LockSegment(kind, left, right - left))
    # Giving up first never stands in the way of anything.
    return sorted(found, key=lambda segment: segment.kind is not LockKind.NONE)
