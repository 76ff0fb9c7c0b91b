"""Delete pending and what a close leaves behind."""

from acl.mask import DELETE
from gateway.share.closing import (
    Closed,
    clear_delete_pending,
    close_open,
    is_delete_pending,
    set_delete_on_close,
    set_delete_pending,
)
from gateway.share.record import DeletePending, FileRecord, LeaseEntry, LockEntry, OpenEntry

BY = ("client", b"")


def opened(open_id: int, **more) -> OpenEntry:
    return OpenEntry(open_id, "client", DELETE, 7, **more)


def test_the_only_open() -> None:
    record = FileRecord((opened(1),))
    assert close_open(record, 1) == (None, Closed(opened(1)))


def test_an_unknown_open() -> None:
    record = FileRecord((opened(1),))
    assert close_open(record, 2) == (record, Closed(None))
    assert close_open(None, 2) == (None, Closed(None))


def test_the_last_close_deletes() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2))), 1, "alice")
    assert is_delete_pending(record, 1)
    assert is_delete_pending(record, 2)
    assert not is_delete_pending(record, 3)
    assert not is_delete_pending(None, 1)
    left, closed = close_open(record, 1)
    assert left is not None
    assert closed.delete == ()
    assert is_delete_pending(left, 2)
    left, closed = close_open(left, 2)
    assert left is None
    assert closed.delete == (DeletePending("", None, 1, "alice", by=BY),)


def test_the_first_decision_stays() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2))), 1, "alice")
    assert set_delete_pending(record, 2, "bob") is record
    assert set_delete_pending(record, 9, "bob") is record


def test_anybody_may_take_it_back() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2))), 1, "alice")
    cleared = clear_delete_pending(record, 2)
    assert cleared.pending == ()
    assert clear_delete_pending(cleared, 2) is cleared
    assert close_open(close_open(cleared, 1)[0], 2) == (None, Closed(opened(2)))


def test_delete_on_close_decides_when_it_is_closed() -> None:
    record = FileRecord((opened(1, delete_on_close=True, token="alice"), opened(2)))
    assert not is_delete_pending(record, 2)
    left, closed = close_open(record, 1)
    assert closed.delete == ()
    assert is_delete_pending(left, 2)
    _, closed = close_open(left, 2)
    assert closed.delete == (DeletePending("", None, 1, "alice", by=BY),)


def test_delete_on_close_of_the_only_open() -> None:
    record = FileRecord((opened(1, delete_on_close=True, token="alice"),))
    left, closed = close_open(record, 1)
    assert left is None
    assert closed.delete == (DeletePending("", None, 1, "alice", by=BY),)


def test_delete_on_close_can_be_set_and_cleared() -> None:
    record = set_delete_on_close(FileRecord((opened(1),)), 1, True)
    assert record.opens[0].delete_on_close
    assert set_delete_on_close(record, 1, False) == FileRecord((opened(1),))
    assert set_delete_on_close(record, 2, False) is record


def test_a_stream_goes_with_its_own_last_open() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2, stream=":s"))), 2, "alice")
    assert not is_delete_pending(record, 1)
    left, closed = close_open(record, 2)
    assert left == FileRecord((opened(1),))
    assert closed.delete == (DeletePending(":s", None, 2, "alice", by=BY),)


def test_the_file_waits_for_the_opens_of_its_streams() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2, stream=":s"))), 1, "alice")
    left, closed = close_open(record, 1)
    assert closed.delete == ()
    assert close_open(left, 2)[1].delete == (DeletePending("", None, 1, "alice", by=BY),)


def test_file_and_stream_at_once() -> None:
    record = FileRecord((opened(1, delete_on_close=True), opened(2, stream=":s", delete_on_close=True)))
    left, closed = close_open(record, 1)
    assert closed.delete == ()
    assert {one.stream for one in close_open(left, 2)[1].delete} == {"", ":s"}


def test_another_name_does_not_hold_the_file() -> None:
    record = set_delete_pending(FileRecord((opened(1, link="a"), opened(2, link="b"))), 1, "alice")
    left, closed = close_open(record, 1)
    assert left == FileRecord((opened(2, link="b"),))
    assert closed.delete == (DeletePending("", "a", 1, "alice", by=BY),)


def test_posix_semantics_do_not_wait() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2))), 1, "alice", posix=True)
    left, closed = close_open(record, 1)
    assert closed.delete == (DeletePending("", None, 1, "alice", True, BY),)
    assert left == FileRecord((opened(2),))
    assert close_open(left, 2) == (None, Closed(opened(2)))


def test_posix_semantics_wait_for_who_decided() -> None:
    record = set_delete_pending(FileRecord((opened(1), opened(2))), 1, "alice", posix=True)
    left, closed = close_open(record, 2)
    assert closed.delete == ()
    assert is_delete_pending(left, 1)


def test_locks_go_to_who_waits() -> None:
    own, waiter = LockEntry(1, 0, 9, True), LockEntry(2, 0, 1, True, ticket=5)
    record = FileRecord((opened(1), opened(2)), (own,), (waiter,))
    assert close_open(record, 1) == (
        FileRecord((opened(2),), (waiter,)),
        Closed(opened(1), granted=(waiter,)),
    )
    assert close_open(record, 2) == (FileRecord((opened(1),), (own,)), Closed(opened(2), abandoned=(waiter,)))


def test_the_only_open_waits_for_itself() -> None:
    own, waiter = LockEntry(1, 0, 9, True), LockEntry(1, 0, 1, True, ticket=5)
    record = FileRecord((opened(1),), (own,), (waiter,))
    assert close_open(record, 1) == (None, Closed(opened(1), abandoned=(waiter,)))


def test_ended_leases_are_told() -> None:
    lease = LeaseEntry("client", b"k" * 16, 0, "", 7, version=2)
    oplock = LeaseEntry("client", b"", 2, "", 1)
    record = FileRecord((opened(1, lease_key=b"k" * 16), opened(2)), leases=(lease, oplock))
    left, closed = close_open(record, 2)
    assert closed.leases == (oplock,)
    left, closed = close_open(left, 1)
    assert (left, closed.leases) == (None, (lease,))
