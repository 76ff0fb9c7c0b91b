"""FILETIME: 100 ns since 1601-01-01 UTC ([MS-DTYP] 2.3.3)."""

from typing import Final

__all__ = ["EPOCH_DIFFERENCE", "FILETIME_MAX", "filetime_from_ns", "filetimes_from_ns", "ns_from_filetime"]

EPOCH_DIFFERENCE: Final = 116_444_736_000_000_000
"""From 1601 to 1970, in units of 100 ns."""

FILETIME_MAX: Final = 0x7FFF_FFFF_FFFF_FFFF
"""The end of time, in the year 30828; anything above is negative to NT."""
_LATEST: Final = (1 << 62) - 1
"""In the year 2116, in ns since 1970. What comes before needs no clamping, and is a plain integer to compiled code."""


def filetime_from_ns(ns: int) -> int:
    """The FILETIME of `ns` nanoseconds since 1970, rounded down; clamped to what a server may answer.

    Zero says "no time" to clients, so a time at or before 1601 becomes 1.
    """
    filetime = ns // 100 + EPOCH_DIFFERENCE
    if 0 < filetime <= FILETIME_MAX:
        return filetime
    return 1 if filetime <= 0 else FILETIME_MAX


def filetimes_from_ns(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    """The same of the four times that a file has."""
    if 0 <= a <= _LATEST and 0 <= b <= _LATEST and 0 <= c <= _LATEST and 0 <= d <= _LATEST:
        return (
            a // 100 + EPOCH_DIFFERENCE,
            b // 100 + EPOCH_DIFFERENCE,
            c // 100 + EPOCH_DIFFERENCE,
            d // 100 + EPOCH_DIFFERENCE,
        )
    return filetime_from_ns(a), filetime_from_ns(b), filetime_from_ns(c), filetime_from_ns(d)


def ns_from_filetime(filetime: int) -> int:
    """Nanoseconds since 1970, negative before. What 0, -1 and -2 mean to SET_INFO is the caller's business."""
    return (min(filetime, FILETIME_MAX) - EPOCH_DIFFERENCE) * 100
