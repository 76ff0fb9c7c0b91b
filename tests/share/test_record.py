"""The record of one file: adding and removing opens."""

import pytest

from acl.mask import FILE_GENERIC_READ
from gateway.share.record import (
    EMPTY,
    DeletePending,
    FileRecord,
    LeaseEntry,
    LockEntry,
    OpenEntry,
    add_open,
    find_open,
    find_pending,
    remove_open,
    replace_open,
    settled,
)


def opened(open_id: int, **more) -> OpenEntry:
    return OpenEntry(open_id, more.pop("owner", "client"), FILE_GENERIC_READ, 7, **more)


def test_first_and_last_open() -> None:
    entry = opened(1)
    record = add_open(None, entry)
    assert record == FileRecord((entry,))
    assert not record.locks
    assert find_open(record, 1) is entry
    assert find_open(record, 2) is None
    assert find_open(None, 1) is None
    assert remove_open(record, 1) is None


def test_remove_unknown_changes_nothing() -> None:
    record = add_open(None, opened(1))
    assert remove_open(record, 2) == record


def test_remove_takes_locks_and_leases_along() -> None:
    record = FileRecord(
        (opened(1, lease_key=b"k" * 16), opened(2, lease_key=b"k" * 16), opened(3)),
        (LockEntry(1, 0, 1, True), LockEntry(2, 5, 1, True)),
        (LockEntry(1, 5, 1, True, ticket=7),),
        (LeaseEntry("client", b"k" * 16, 0, "", 1, version=2), LeaseEntry("client", b"", 3, "", 1)),
    )
    without_first = remove_open(record, 1)
    assert without_first is not None
    assert without_first.locks == (LockEntry(2, 5, 1, True),)
    assert without_first.waiting == ()
    assert without_first.leases == record.leases
    without_lease = remove_open(without_first, 2)
    assert without_lease is not None
    assert without_lease.leases == record.leases[1:]
    assert remove_open(without_lease, 3) is None


def test_a_lease_of_another_owner_does_not_hold() -> None:
    record = FileRecord(
        (opened(1, lease_key=b"k" * 16), opened(2, owner="other", lease_key=b"k" * 16)),
        leases=(LeaseEntry("client", b"k" * 16, 0, "", 1), LeaseEntry("other", b"k" * 16, 0, "", 1)),
    )
    left = remove_open(record, 1)
    assert left is not None
    assert left.leases == record.leases[1:]


def test_replace_open() -> None:
    record = add_open(add_open(None, opened(1)), opened(2))
    changed = opened(2, delete_on_close=True)
    assert replace_open(record, changed).opens == (record.opens[0], changed)


@pytest.mark.parametrize(
    ("pending", "stream", "link", "expected"),
    [
        (("", None), "", None, True),
        (("", None), ":s", None, True),
        ((":s", None), "", None, False),
        ((":s", None), ":s", None, True),
        ((":s", None), ":t", None, False),
        (("", "a"), "", "a", True),
        (("", "a"), "", "b", False),
        (("", "a"), ":s", None, True),
    ],
)
def test_find_pending(pending, stream, link, expected) -> None:
    record = FileRecord((opened(1),), pending=(DeletePending(pending[0], pending[1], 1, "token"),))
    assert (find_pending(record, stream, link) is not None) is expected


def test_settled() -> None:
    assert settled(EMPTY) is None
    record = add_open(None, opened(1))
    assert settled(record) is record
