"""Byte-range locks of an open file, and waiting for them. [MS-FSA] 2.1.5.8, 2.1.5.9.

The rules are in `locks`; here stands who waits. A lock that has to wait has a ticket; whoever releases a range finds in
the table's answer whose turn it is, and rings.
"""

import itertools
from collections.abc import Iterable, Sequence

import trio

from gateway.nt.status import (
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_RANGE_NOT_LOCKED,
    StatusError,
)
from gateway.share import locks
from gateway.share.opens import Open
from gateway.share.record import FileRecord, LockEntry
from gateway.share.table import Table
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["LockWaiters", "lock", "lock_and_wait", "unlock"]

_tickets = itertools.count(1)


class LockWaiters:
    """Who waits for a lock, by ticket."""

    def __init__(self) -> None:
        self._waiting: dict[int, trio.Event] = {}

    def add(self, ticket: int) -> trio.Event:
        event = self._waiting[ticket] = trio.Event()
        return event

    def remove(self, ticket: int) -> None:
        self._waiting.pop(ticket, None)

    def ring(self, entries: Iterable[LockEntry]) -> None:
        """Tell those who wait for these locks to look."""
        for entry in entries:
            event = self._waiting.get(entry.ticket)
            if event is not None:
                event.set()


async def lock(table: Table, one: Open, wanted: Sequence[LockEntry]) -> None:
    """Lock all of `wanted`, or nothing. Raises LOCK_NOT_GRANTED and INVALID_LOCK_RANGE."""

    def acquire(record: FileRecord | None) -> tuple[FileRecord | None, int]:
        if record is None:
            return None, STATUS_LOCK_NOT_GRANTED
        record, outcome = locks.acquire(record, wanted)
        return record, outcome.status

    await one.share.breaks.before_change(one)
    point_of_no_return()
    status = await table.transact(one.node_id, acquire)
    if status:
        raise StatusError(status)


async def lock_and_wait(table: Table, waiters: LockWaiters, one: Open, wanted: LockEntry) -> None:
    """Lock, and wait for as long as it takes. Raises `StatusError`: INVALID_LOCK_RANGE, RANGE_NOT_LOCKED."""
    may_wait()
    await one.share.breaks.before_change(one)
    wanted = wanted._replace(ticket=next(_tickets))
    event = waiters.add(wanted.ticket)

    def acquire(record: FileRecord | None) -> tuple[FileRecord | None, int]:
        if record is None:
            return None, STATUS_RANGE_NOT_LOCKED
        record, outcome = locks.wait_for(record, wanted)
        return record, outcome.status

    def give_up(record: FileRecord | None) -> tuple[FileRecord | None, tuple[LockEntry, ...]]:
        return (None, ()) if record is None else locks.abandon(record, wanted)

    granted = False
    try:
        status = await table.transact(one.node_id, acquire)
        if status == STATUS_LOCK_NOT_GRANTED:
            await event.wait()
            record = table.peek_nowait(one.node_id)
            granted = record is not None and wanted in record.locks
            if not granted:
                raise StatusError(STATUS_RANGE_NOT_LOCKED)
        elif status:
            raise StatusError(status)
        granted = True
    finally:
        waiters.remove(wanted.ticket)
        if not granted:
            # It may have been granted in the very moment it was cancelled.
            with trio.CancelScope(shield=True):
                waiters.ring(await table.transact(one.node_id, give_up))


async def unlock(table: Table, waiters: LockWaiters, one: Open, ranges: Sequence[LockEntry]) -> None:
    """Unlock each of `ranges`; at the first that is not locked, RANGE_NOT_LOCKED is raised."""

    def release(record: FileRecord | None) -> tuple[FileRecord | None, locks.UnlockOutcome]:
        if record is None:
            return None, locks.UnlockOutcome(STATUS_RANGE_NOT_LOCKED)
        return locks.release(record, ranges)

    point_of_no_return()
    outcome = await table.transact(one.node_id, release)
    waiters.ring(outcome.granted)
    if outcome.status:
        raise StatusError(outcome.status)


def check_read(record: FileRecord | None, one: Open, offset: int, length: int) -> None:
    """Raise FILE_LOCK_CONFLICT if a lock forbids to read the range."""
    if (
        record is not None
        and record.locks
        and locks.conflicting_read(record.locks, one.open_id, offset, length, one.stream)
    ):
        raise StatusError(STATUS_FILE_LOCK_CONFLICT)


def check_write(record: FileRecord | None, one: Open, offset: int, length: int) -> None:
    """Raise FILE_LOCK_CONFLICT if a lock forbids to write the range."""
    if (
        record is not None
        and record.locks
        and locks.conflicting_write(record.locks, one.open_id, offset, length, one.stream)
    ):
        raise StatusError(STATUS_FILE_LOCK_CONFLICT)
