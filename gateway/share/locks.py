"""Byte-range locks: what conflicts, what is granted, and to whom a released range goes.

[MS-FSA] 2.1.4.10, 2.1.5.8, 2.1.5.9; [MS-SMB2] 3.3.5.14. Offsets and lengths are bytes, 64 bits unsigned. Locks belong
to an open, not to a process: two opens of one client conflict like those of two clients.

A lock that has to wait stands in `FileRecord.waiting`. Whoever releases a range grants it, in the same step, to those
who wait for it, and tells them; so nobody is forgotten, and nobody has to try again.
"""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from gateway.nt.status import STATUS_INVALID_LOCK_RANGE, STATUS_LOCK_NOT_GRANTED, STATUS_RANGE_NOT_LOCKED
from gateway.share.record import FileRecord, LockEntry, with_locks

__all__ = [
    "LockOutcome",
    "UnlockOutcome",
    "abandon",
    "acquire",
    "cancel_wait",
    "conflicting_lock",
    "conflicting_read",
    "conflicting_write",
    "is_range_valid",
    "overlaps",
    "release",
    "release_all",
    "wait_for",
]

_LIMIT: Final = 1 << 64


class LockOutcome(NamedTuple):
    """What became of a request for locks."""

    status: int
    """STATUS_SUCCESS (0), STATUS_LOCK_NOT_GRANTED or STATUS_INVALID_LOCK_RANGE."""
    conflict: LockEntry | None = None
    """The lock that stands in the way, if one does."""


class UnlockOutcome(NamedTuple):
    """What became of a request to unlock."""

    status: int
    """STATUS_SUCCESS (0) or STATUS_RANGE_NOT_LOCKED."""
    granted: tuple[LockEntry, ...] = ()
    """Locks that were waited for and are now held: who waits for them must be told."""


def is_range_valid(offset: int, length: int) -> bool:
    """Whether the range ends at or before 2^64. [MS-FSA] 2.1.5.8."""
    return 0 <= offset < _LIMIT and 0 <= length < _LIMIT and offset + length <= _LIMIT


def overlaps(offset: int, length: int, other_offset: int, other_length: int) -> bool:
    """Whether two ranges have something in common. [MS-FSA] 2.1.4.10.

    An empty range is the gap before the byte at its offset: it meets the ranges that gap is inside of, and nothing at
    their edges; two empty ranges never meet.
    """
    return offset < other_offset + other_length and other_offset < offset + length


def _of_range(locks: tuple[LockEntry, ...], stream: str, offset: int, length: int) -> Iterator[LockEntry]:
    return (lock for lock in locks if lock.stream == stream and overlaps(offset, length, lock.offset, lock.length))


def conflicting_lock(locks: tuple[LockEntry, ...], wanted: LockEntry) -> LockEntry | None:
    """The first held lock that does not let `wanted` be granted.

    An exclusive lock needs a range without any lock, its own open's included. A shared one conflicts with the exclusive
    locks of other opens only; so it may stand upon an exclusive lock of its own open, but not the other way round.
    """
    for lock in _of_range(locks, wanted.stream, wanted.offset, wanted.length):
        if wanted.exclusive or (lock.exclusive and lock.open_id != wanted.open_id):
            return lock
    return None


def conflicting_read(
    locks: tuple[LockEntry, ...], open_id: int, offset: int, length: int, stream: str = ""
) -> LockEntry | None:
    """The lock that forbids the open to read the range: an exclusive one of another open."""
    if length:
        for lock in _of_range(locks, stream, offset, length):
            if lock.exclusive and lock.open_id != open_id:
                return lock
    return None


def conflicting_write(
    locks: tuple[LockEntry, ...], open_id: int, offset: int, length: int, stream: str = ""
) -> LockEntry | None:
    """The lock that forbids the open to write the range: any of another open, or a shared one of its own."""
    if length:
        for lock in _of_range(locks, stream, offset, length):
            if lock.open_id != open_id or not lock.exclusive:
                return lock
    return None


def acquire(record: FileRecord, wanted: Sequence[LockEntry]) -> tuple[FileRecord, LockOutcome]:
    """Grant all of `wanted`, in order, or nothing. [MS-SMB2] 3.3.5.14.2."""
    locks = record.locks
    for lock in wanted:
        if not is_range_valid(lock.offset, lock.length):
            return record, LockOutcome(STATUS_INVALID_LOCK_RANGE)
        conflict = conflicting_lock(locks, lock)
        if conflict is not None:
            return record, LockOutcome(STATUS_LOCK_NOT_GRANTED, conflict)
        locks = (*locks, lock)
    return with_locks(record, locks, record.waiting), LockOutcome(0)


def wait_for(record: FileRecord, wanted: LockEntry) -> tuple[FileRecord, LockOutcome]:
    """Grant `wanted`, or else let it wait: the outcome is then STATUS_LOCK_NOT_GRANTED, and its ticket tells it apart.

    It is granted by the `release`, `release_all` or `closing.close_open` of another open, and given up by `cancel_wait`
    or `abandon`.
    """
    record, outcome = acquire(record, (wanted,))
    if outcome.status == STATUS_LOCK_NOT_GRANTED:
        record = with_locks(record, record.locks, (*record.waiting, wanted))
    return record, outcome


def cancel_wait(record: FileRecord, wanted: LockEntry) -> tuple[FileRecord, bool]:
    """Give up waiting. False if it does not wait any more: it was granted meanwhile, or its open is gone."""
    if wanted not in record.waiting:
        return record, False
    return with_locks(record, record.locks, _without(record.waiting, wanted)), True


def abandon(record: FileRecord, wanted: LockEntry) -> tuple[FileRecord, tuple[LockEntry, ...]]:
    """Give up a lock with a ticket, whether it still waits or was granted before its owner could notice.

    The second value is what others waited for and now hold.
    """
    if wanted in record.waiting:
        return with_locks(record, record.locks, _without(record.waiting, wanted)), ()
    if wanted not in record.locks:
        return record, ()
    return _hand_over(with_locks(record, _without(record.locks, wanted), record.waiting))


def release(record: FileRecord, ranges: Sequence[LockEntry]) -> tuple[FileRecord, UnlockOutcome]:
    """Unlock in order, each exactly one lock of the same open, stream, offset and length. [MS-SMB2] 3.3.5.14.1.

    Of an exclusive and a shared lock on one range the exclusive one goes first; `LockEntry.exclusive` and `ticket` of
    what is to be unlocked do not matter. At the first that is not locked it stops, and what was unlocked stays so.
    """
    locks = record.locks
    status = 0
    for wanted in ranges:
        held = _held(locks, wanted)
        if held is None:
            status = STATUS_RANGE_NOT_LOCKED
            break
        locks = _without(locks, held)
    record, granted = _hand_over(with_locks(record, locks, record.waiting))
    return record, UnlockOutcome(status, granted)


def release_all(record: FileRecord, open_id: int) -> tuple[FileRecord, tuple[LockEntry, ...]]:
    """Unlock all that an open holds, let it wait for nothing, and grant what others waited for (the second value)."""
    locks = tuple([lock for lock in record.locks if lock.open_id != open_id])
    waiting = tuple([lock for lock in record.waiting if lock.open_id != open_id])
    if len(locks) == len(record.locks) and len(waiting) == len(record.waiting):
        return record, ()
    return _hand_over(with_locks(record, locks, waiting))


def _held(locks: tuple[LockEntry, ...], wanted: LockEntry) -> LockEntry | None:
    """The lock that unlocking `wanted` is about."""
    found = None
    for lock in locks:
        if lock.open_id == wanted.open_id and lock.stream == wanted.stream and lock[1:3] == wanted[1:3]:
            if lock.exclusive:
                return lock
            found = found or lock
    return found


def _hand_over(record: FileRecord) -> tuple[FileRecord, tuple[LockEntry, ...]]:
    """Grant what can be granted of the locks waited for, the oldest first."""
    if not record.waiting:
        return record, ()
    locks, granted = record.locks, []
    for wanted in record.waiting:
        if conflicting_lock(locks, wanted) is None:
            locks = (*locks, wanted)
            granted.append(wanted)
    if not granted:
        return record, ()
    waiting = tuple([lock for lock in record.waiting if lock not in granted])
    return with_locks(record, locks, waiting), tuple(granted)


def _without(locks: tuple[LockEntry, ...], gone: LockEntry) -> tuple[LockEntry, ...]:
    """`locks` without the first that equals `gone`."""
    at = locks.index(gone)
    return locks[:at] + locks[at + 1 :]
