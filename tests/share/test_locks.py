"""Byte-range locks, as tables and scenarios."""

import pytest

from gateway.nt.status import STATUS_INVALID_LOCK_RANGE, STATUS_LOCK_NOT_GRANTED, STATUS_RANGE_NOT_LOCKED
from gateway.share.locks import (
    abandon,
    acquire,
    cancel_wait,
    conflicting_read,
    conflicting_write,
    is_range_valid,
    overlaps,
    release,
    release_all,
    wait_for,
)
from gateway.share.record import EMPTY, FileRecord, LockEntry, with_locks

TOP = (1 << 64) - 1
OK, DENIED = 0, STATUS_LOCK_NOT_GRANTED


def exclusive(open_id: int, offset: int, length: int, **more) -> LockEntry:
    return LockEntry(open_id, offset, length, True, **more)


def shared(open_id: int, offset: int, length: int, **more) -> LockEntry:
    return LockEntry(open_id, offset, length, False, **more)


def held(*locks: LockEntry) -> FileRecord:
    return with_locks(EMPTY, locks, ())


@pytest.mark.parametrize(
    ("offset", "length", "valid"),
    [(0, 0, True), (TOP, 1, True), (TOP, 2, False), (TOP, 0, True), (TOP, TOP, False), (1, TOP, True), (2, TOP, False)],
)
def test_range(offset, length, valid) -> None:
    assert is_range_valid(offset, length) is valid
    record, outcome = acquire(EMPTY, [exclusive(1, offset, length)])
    assert outcome.status == (OK if valid else STATUS_INVALID_LOCK_RANGE)
    assert len(record.locks) == valid


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((10, 0), (10, 0), False),
        ((10, 0), (9, 1), False),
        ((10, 0), (10, 1), False),
        ((10, 0), (11, 1), False),
        ((10, 0), (9, 2), True),
        ((10, 0), (10, 2), False),
        ((10, 0), (9, 3), True),
        ((0, 0), (0, 0), False),
        ((0, 0), (0, 9), False),
        ((0, 10), (9, 1), True),
        ((0, 10), (10, 1), False),
        ((TOP, 1), (0, TOP), False),
        ((TOP, 1), (1, TOP), True),
        ((TOP, 1), (TOP, 1), True),
    ],
)
def test_overlap(one, other, expected) -> None:
    assert overlaps(*one, *other) is expected
    assert overlaps(*other, *one) is expected


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (shared(1, 0, 10), shared(1, 0, 10), OK),
        (shared(1, 0, 10), shared(2, 5, 10), OK),
        (exclusive(1, 0, 10), shared(1, 0, 10), OK),
        (exclusive(1, 0, 10), shared(2, 0, 10), DENIED),
        (exclusive(1, 0, 10), exclusive(1, 0, 10), DENIED),
        (exclusive(1, 0, 10), exclusive(2, 9, 1), DENIED),
        (exclusive(1, 0, 10), exclusive(2, 10, 1), OK),
        (shared(1, 0, 10), exclusive(1, 0, 10), DENIED),
        (shared(1, 0, 10), exclusive(2, 0, 10), DENIED),
        (exclusive(1, 0, 10), exclusive(2, 5, 0), DENIED),
        (exclusive(1, 0, 10), exclusive(2, 0, 0), OK),
        (exclusive(1, 0, 10), exclusive(2, 0, 10, stream=":s"), OK),
    ],
)
def test_pairs(first, second, status) -> None:
    record, outcome = acquire(held(first), [second])
    assert outcome.status == status
    assert outcome.conflict == (first if status else None)
    assert record == (held(first) if status else held(first, second))


def test_a_list_is_granted_entirely_or_not_at_all() -> None:
    record, outcome = acquire(EMPTY, [exclusive(1, 0, 10), exclusive(1, 10, 10)])
    assert outcome.status == OK
    assert len(record.locks) == 2
    again, outcome = acquire(record, [exclusive(2, 30, 10), exclusive(2, 5, 1)])
    assert outcome.status == DENIED
    assert again is record
    again, outcome = acquire(record, [exclusive(2, 30, 10), exclusive(2, TOP, 2)])
    assert outcome.status == STATUS_INVALID_LOCK_RANGE
    assert again is record


def test_the_elements_of_a_list_conflict_with_each_other() -> None:
    record, outcome = acquire(EMPTY, [exclusive(1, 0, 10), exclusive(1, 5, 10)])
    assert (record, outcome.status) == (EMPTY, DENIED)


def test_unlock_matches_exactly() -> None:
    record = held(shared(1, 110, 4), shared(1, 112, 4))
    for wrong in (shared(1, 110, 6), shared(1, 111, 4), shared(2, 110, 4), shared(1, 110, 4, stream=":s")):
        assert release(record, [wrong]) == (record, (STATUS_RANGE_NOT_LOCKED, ()))
    # It does not matter what kind of lock the request speaks of.
    assert release(record, [exclusive(1, 110, 4)]) == (held(shared(1, 112, 4)), (OK, ()))


def test_unlock_takes_the_exclusive_lock_first_and_one_at_a_time() -> None:
    record = held(shared(1, 0, 8), exclusive(1, 0, 8), shared(1, 0, 8))
    for left in ((shared(1, 0, 8), shared(1, 0, 8)), (shared(1, 0, 8),), ()):
        record, outcome = release(record, [shared(1, 0, 8)])
        assert outcome.status == OK
        assert record.locks == left
    assert release(record, [shared(1, 0, 8)])[1].status == STATUS_RANGE_NOT_LOCKED


def test_unlock_list_stops_at_the_first_failure_and_keeps_what_it_did() -> None:
    only_second = held(exclusive(1, 10, 10))
    ranges = [exclusive(1, 0, 10), exclusive(1, 10, 10)]
    assert release(only_second, ranges) == (only_second, (STATUS_RANGE_NOT_LOCKED, ()))
    assert release(held(exclusive(1, 0, 10)), ranges) == (EMPTY, (STATUS_RANGE_NOT_LOCKED, ()))


@pytest.mark.parametrize(
    ("lock", "read_own", "read_other", "write_own", "write_other"),
    [
        (exclusive(1, 10, 10), True, False, True, False),
        (shared(1, 10, 10), True, True, False, False),
    ],
)
def test_reading_and_writing(lock, read_own, read_other, write_own, write_other) -> None:
    locks = (lock,)
    assert (conflicting_read(locks, 1, 15, 1) is None) is read_own
    assert (conflicting_read(locks, 2, 15, 1) is None) is read_other
    assert (conflicting_write(locks, 1, 15, 1) is None) is write_own
    assert (conflicting_write(locks, 2, 15, 1) is None) is write_other
    for open_id, offset, length in ((2, 0, 10), (2, 20, 5), (2, 15, 0)):
        assert conflicting_read(locks, open_id, offset, length) is None
        assert conflicting_write(locks, open_id, offset, length) is None
    assert conflicting_read(locks, 2, 15, 1, ":s") is None
    assert conflicting_write(locks, 2, 15, 1, ":s") is None


def test_an_empty_lock_forbids_what_goes_across_it() -> None:
    locks = (exclusive(1, 10, 0),)
    assert conflicting_read(locks, 2, 9, 2) is not None
    assert conflicting_read(locks, 2, 10, 2) is None


def test_waiting_locks_are_granted_in_order() -> None:
    record = held(exclusive(1, 0, 10))
    waiters = [exclusive(2, 0, 5, ticket=1), exclusive(3, 0, 5, ticket=2), shared(4, 5, 5, ticket=3)]
    for waiter in waiters:
        record, outcome = wait_for(record, waiter)
        assert outcome.status == DENIED
    record, unlocked = release(record, [exclusive(1, 0, 10)])
    assert unlocked == (OK, (waiters[0], waiters[2]))
    assert record == with_locks(EMPTY, (waiters[0], waiters[2]), (waiters[1],))
    record, granted = release_all(record, 2)
    assert granted == (waiters[1],)
    assert record.waiting == ()


def test_waiting_for_what_is_free_is_just_a_lock() -> None:
    assert wait_for(EMPTY, exclusive(1, 0, 1, ticket=1)) == (held(exclusive(1, 0, 1, ticket=1)), (OK, None))
    assert wait_for(EMPTY, exclusive(1, TOP, 2))[1].status == STATUS_INVALID_LOCK_RANGE


def test_giving_up() -> None:
    waiter = exclusive(2, 0, 5, ticket=1)
    record, _ = wait_for(held(exclusive(1, 0, 10)), waiter)
    left, was_waiting = cancel_wait(record, waiter)
    assert (left, was_waiting) == (held(exclusive(1, 0, 10)), True)
    granted, _ = release(record, [exclusive(1, 0, 10)])
    assert cancel_wait(granted, waiter) == (granted, False)


def test_abandon() -> None:
    first, second = exclusive(2, 0, 5, ticket=1), shared(3, 0, 5, ticket=2)
    record, _ = wait_for(held(exclusive(1, 0, 10)), first)
    record, _ = wait_for(record, second)
    assert abandon(record, second) == (with_locks(record, record.locks, (first,)), ())
    record, _ = release(record, [exclusive(1, 0, 10)])
    assert record == with_locks(EMPTY, (first,), (second,))
    # It was granted already, and goes to the next.
    record, granted = abandon(record, first)
    assert (record, granted) == (held(second), (second,))
    assert abandon(record, first) == (record, ())


def test_release_all_leaves_the_others_alone() -> None:
    record = held(exclusive(1, 0, 1), exclusive(2, 1, 1))
    assert release_all(record, 3) == (record, ())
    assert release_all(record, 1) == (held(exclusive(2, 1, 1)), ())


def test_release_all_ends_the_waits_of_the_open() -> None:
    record, _ = wait_for(held(exclusive(1, 0, 10)), exclusive(2, 0, 5, ticket=1))
    assert release_all(record, 2) == (held(exclusive(1, 0, 10)), ())
