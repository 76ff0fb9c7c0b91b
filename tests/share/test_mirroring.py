"""Locks of the store as the kernel has locks."""

import pytest

from gateway.share.mirroring import segments
from gateway.share.record import LockEntry
from vfs_backends.api import LockKind


def entry(offset, length, exclusive=True):
    return LockEntry(1, offset, length, exclusive)


@pytest.mark.parametrize(
    ("ranges", "held", "expected"),
    [
        ([(0, 10)], [(0, 10, True)], [("W", 0, 10)]),
        ([(0, 10)], [], [("U", 0, 10)]),
        ([(0, 10)], [(0, 10, False)], [("R", 0, 10)]),
        ([(0, 10)], [(3, 2, False)], [("U", 0, 3), ("U", 5, 5), ("R", 3, 2)]),
        ([(0, 10)], [(5, 20, False), (0, 7, False)], [("R", 0, 5), ("R", 5, 2), ("R", 7, 3)]),
        ([(5, 0)], [(0, 10, True)], []),
        ([((1 << 63) + 5, 10)], [], []),
        ([(10, (1 << 64) - 10)], [], [("U", 10, (1 << 63) - 11)]),
        ([(0, 5), (8, 2)], [(8, 2, True)], [("U", 0, 5), ("W", 8, 2)]),
    ],
)
def test_locks_as_the_kernel_has_them(ranges, held, expected):
    kinds = {"U": LockKind.NONE, "R": LockKind.SHARED, "W": LockKind.EXCLUSIVE}
    found = segments([entry(*one) for one in ranges], [entry(*one) for one in held])
    assert [tuple(one) for one in found] == [(kinds[kind], start, length) for kind, start, length in expected]
