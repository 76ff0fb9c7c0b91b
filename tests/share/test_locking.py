"""Byte-range locks that wait: granted, cancelled, and what becomes of them when somebody goes."""

import pytest
import trio
import trio.testing

from gateway.nt.status import (
    STATUS_INVALID_LOCK_RANGE,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_RANGE_NOT_LOCKED,
    StatusError,
)
from gateway.share.locking import lock, lock_and_wait, unlock
from gateway.share.opens import Open
from gateway.share.record import LockEntry
from tests.share.stores import Store
from tests.share.tables import YieldingTable
from vfs_backends.inline import NotNow, run_inline


@pytest.fixture
def store(waiting_store: Store) -> Store:
    return waiting_store


def entry(one: Open, offset: int = 0, length: int = 10, exclusive: bool = True) -> LockEntry:
    return LockEntry(one.open_id, offset, length, exclusive)


async def locked(store: Store, one: Open, *entries: LockEntry) -> int:
    try:
        await lock(store.table, one, entries)
    except StatusError as error:
        return error.status
    return 0


async def unlocked(store: Store, one: Open, *entries: LockEntry) -> int:
    try:
        await unlock(store.table, store.share.lock_waiters, one, entries)
    except StatusError as error:
        return error.status
    return 0


class Waiter:
    """A lock that is waited for in a task."""

    def __init__(self, store: Store, nursery: trio.Nursery, one: Open, wanted: LockEntry) -> None:
        self.store, self.one, self.wanted = store, one, wanted
        self.status: int | None = None
        self.cancelled = False
        self.scope = trio.CancelScope()
        nursery.start_soon(self._run)

    async def _run(self) -> None:
        with self.scope:
            try:
                await lock_and_wait(self.store.table, self.store.share.lock_waiters, self.one, self.wanted)
                self.status = 0
            except StatusError as error:
                self.status = error.status
        self.cancelled = self.scope.cancelled_caught


async def settled() -> None:
    await trio.testing.wait_all_tasks_blocked()


async def test_all_or_nothing(store) -> None:
    one, two = await store.opened(), await store.opened()
    assert await locked(store, one, entry(one, 0), entry(one, 20)) == 0
    assert await locked(store, two, entry(two, 10), entry(two, 25)) == STATUS_LOCK_NOT_GRANTED
    assert await locked(store, one, entry(one, 10)) == 0
    assert await unlocked(store, one, entry(one, 0), entry(one, 1), entry(one, 20)) == STATUS_RANGE_NOT_LOCKED
    assert await locked(store, two, entry(two, 0)) == 0
    assert await locked(store, two, entry(two, 20)) == STATUS_LOCK_NOT_GRANTED
    assert await locked(store, one, entry(one, 2**64 - 1, 2)) == STATUS_INVALID_LOCK_RANGE


async def test_waiting_is_for_tasks(store) -> None:
    one = await store.opened()
    with pytest.raises(NotNow):
        run_inline(lock_and_wait(store.table, store.share.lock_waiters, one, entry(one)))


async def test_granted_at_once(store, nursery) -> None:
    one = await store.opened()
    waiter = Waiter(store, nursery, one, entry(one))
    await settled()
    assert waiter.status == 0
    waiter = Waiter(store, nursery, one, entry(one, 2**64 - 1, 2))
    await settled()
    assert waiter.status == STATUS_INVALID_LOCK_RANGE


async def test_granted_in_the_order_of_asking(store, nursery) -> None:
    holder, one, two = [await store.opened() for _ in range(3)]
    await locked(store, holder, entry(holder, 0, 100))
    first = Waiter(store, nursery, one, entry(one, 0, 10))
    await settled()
    second = Waiter(store, nursery, two, entry(two, 0, 10))
    third = Waiter(store, nursery, two, entry(two, 50, 10))
    await settled()
    assert (first.status, second.status, third.status) == (None, None, None)
    assert await unlocked(store, holder, entry(holder, 0, 100)) == 0
    await settled()
    assert (first.status, second.status, third.status) == (0, None, 0)
    assert await unlocked(store, one, entry(one, 0, 10)) == 0
    await settled()
    assert second.status == 0


async def test_granted_when_the_holder_goes(store, nursery) -> None:
    holder, one = await store.opened(), await store.opened()
    await locked(store, holder, entry(holder))
    waiter = Waiter(store, nursery, one, entry(one))
    await settled()
    await store.close(holder)
    await settled()
    assert waiter.status == 0


async def test_over_when_the_waiting_open_goes(store, nursery) -> None:
    holder, one = await store.opened(), await store.opened()
    await locked(store, holder, entry(holder))
    waiters = [Waiter(store, nursery, one, entry(one, number)) for number in range(2)]
    await settled()
    await store.close(one)
    await settled()
    assert [waiter.status for waiter in waiters] == [STATUS_RANGE_NOT_LOCKED] * 2
    await unlocked(store, holder, entry(holder))
    record = store.share.record(holder)
    assert record is not None
    assert (record.locks, record.waiting) == ((), ())


async def test_cancelled(store, nursery) -> None:
    holder, one = await store.opened(), await store.opened()
    await locked(store, holder, entry(holder))
    waiter = Waiter(store, nursery, one, entry(one))
    await settled()
    waiter.scope.cancel()
    await settled()
    assert waiter.cancelled
    await unlocked(store, holder, entry(holder))
    record = store.share.record(holder)
    assert record is not None
    assert (record.locks, record.waiting) == ((), ())


async def test_granted_after_it_was_cancelled(store, nursery) -> None:
    """Before the task could notice: it is given back, to whoever is next."""
    holder, one, two = [await store.opened() for _ in range(3)]
    await locked(store, holder, entry(holder))
    first = Waiter(store, nursery, one, entry(one))
    await settled()
    second = Waiter(store, nursery, two, entry(two))
    await settled()
    first.scope.cancel()
    await unlocked(store, holder, entry(holder))
    await settled()
    assert first.cancelled
    assert second.status == 0
    record = store.share.record(two)
    assert record is not None
    assert [held.open_id for held in record.locks] == [two.open_id]


async def test_cancelled_after_it_was_granted(store, nursery) -> None:
    """Then it is held."""
    holder, one = await store.opened(), await store.opened()
    await locked(store, holder, entry(holder))
    waiter = Waiter(store, nursery, one, entry(one))
    await settled()
    await unlocked(store, holder, entry(holder))
    waiter.scope.cancel()
    await settled()
    assert (waiter.status, waiter.cancelled) == (0, False)
    assert await unlocked(store, one, entry(one)) == 0


async def test_a_table_that_takes_its_time(nursery) -> None:
    """The rules hold where each step lets others run."""
    store = Store(inline=False)
    await store.start()
    holder, one = await store.opened(), await store.opened()
    slow = YieldingTable()
    slow._records = store.table._records
    await store.run(lambda: lock(slow, holder, [entry(holder)]))
    with pytest.raises(StatusError) as caught:
        await store.run(lambda: lock(slow, one, [entry(one)]))
    assert caught.value.status == STATUS_LOCK_NOT_GRANTED
    await store.run(lambda: unlock(slow, store.share.lock_waiters, holder, [entry(holder)]))
    await store.run(lambda: lock(slow, one, [entry(one)]))
    await store.close(holder, one)
    assert store.left() == []
    await store.share.aclose()
