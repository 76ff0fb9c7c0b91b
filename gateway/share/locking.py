"""Byte-range locks of an open file, and waiting for them. [MS-FSA] 2.1.5.8, 2.1.5.9.

The rules are in `locks`; here stands who waits. A lock that has to wait has a ticket; whoever releases a range finds in
the table's answer whose turn it is, and rings.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import Protocol

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
from gateway.uncompiled import raise_after
from vfs_backends.inline import may_wait, point_of_no_return
from vfs_backends.ofd_locks import LAST_OFFSET
from vfs_backends.records import LockKind, LockSegment

__all__ = [
    "LockWaiters",
    "OutsideLocks",
    "check_outside",
    "check_read",
    "check_write",
    "lock",
    "lock_and_wait",
    "unlock",
]

_tickets = itertools.count(1)


_RETRY_SECONDS = 0.05


class OutsideLocks(Protocol):
    """Locks of those who do not lock through the store: of programs on a mount, say."""

    async def follow(self, one: Open, ranges: Sequence[LockEntry]) -> bool:
        """Let them see what `one` has locked of `ranges` by now, according to its record.

        False if one of them holds what conflicts with that; then some of it may be seen by others.
        """

    async def blocks(self, one: Open, wanted: LockSegment) -> bool:
        """Whether one of them has locked what conflicts with reading, or writing, that range."""

    def closed(self, one: Open) -> None:
        """It is closed, and has no locks any more. Must not wait."""


class LockWaiters:
    """Who waits for a lock, by ticket."""

    def __init__(self) -> None:
        self._waiting: dict[int, trio.Event] = {}

    def add(self, ticket: int) -> trio.Event:
        """Begin to wait; the event is set when it is time to look."""
        event = self._waiting[ticket] = trio.Event()
        return event

    def remove(self, ticket: int) -> None:
        """Wait no more."""
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

    if one.share.outside_locks:
        may_wait()
    await one.share.breaks.before_change(one)
    point_of_no_return()
    status = await table.transact(one.node_id, acquire)
    if status:
        raise StatusError(status)
    if not await _follow(one, wanted):
        await _take_back(table, one, wanted)
        raise StatusError(STATUS_LOCK_NOT_GRANTED)


async def _take_back(table: Table, one: Open, ranges: Sequence[LockEntry]) -> None:
    """Give up locks that were granted here and are not elsewhere."""
    waiters = one.share.lock_waiters
    outcome = await table.transact(
        one.node_id,
        lambda record: (None, locks.UnlockOutcome(0)) if record is None else locks.release(record, ranges),
    )
    waiters.ring(outcome.granted)
    await _follow(one, ranges)


async def _follow(one: Open, ranges: Sequence[LockEntry]) -> bool:
    """Let all see it who do not lock through the store; false if one of them is in the way."""
    for outside in one.share.outside_locks:
        if not await outside.follow(one, ranges):
            return False
    return True


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

    try:
        status = await table.transact(one.node_id, acquire)
        if status == STATUS_LOCK_NOT_GRANTED:
            await event.wait()
            record = table.peek_nowait(one.node_id)
            if record is None or wanted not in record.locks:
                raise StatusError(STATUS_RANGE_NOT_LOCKED)
        elif status:
            raise StatusError(status)
        while not await _follow(one, [wanted]):  # noqa: ASYNC110 - nobody tells
            await trio.sleep(_RETRY_SECONDS)
    except BaseException as error:  # it may have been granted in the very moment it was cancelled
        ending = raise_after(_abandon(table, waiters, one, wanted), error)
    else:
        return
    finally:
        waiters.remove(wanted.ticket)
    await ending


async def _abandon(table: Table, waiters: LockWaiters, one: Open, wanted: LockEntry) -> None:
    """Wait for a lock no longer, or have it no longer."""

    def give_up(record: FileRecord | None) -> tuple[FileRecord | None, tuple[LockEntry, ...]]:
        return (None, ()) if record is None else locks.abandon(record, wanted)

    with trio.CancelScope(shield=True):
        waiters.ring(await table.transact(one.node_id, give_up))
        await _follow(one, [wanted])


async def unlock(table: Table, waiters: LockWaiters, one: Open, ranges: Sequence[LockEntry]) -> None:
    """Unlock each of `ranges`; at the first that is not locked, RANGE_NOT_LOCKED is raised."""

    def release(record: FileRecord | None) -> tuple[FileRecord | None, locks.UnlockOutcome]:
        if record is None:
            return None, locks.UnlockOutcome(STATUS_RANGE_NOT_LOCKED)
        return locks.release(record, ranges)

    if one.share.outside_locks:
        may_wait()
    point_of_no_return()
    outcome = await table.transact(one.node_id, release)
    waiters.ring(outcome.granted)
    await _follow(one, ranges)
    if outcome.status:
        raise StatusError(outcome.status)


async def check_outside(one: Open, offset: int, length: int, *, writes: bool) -> None:
    """Raise FILE_LOCK_CONFLICT if somebody who does not lock through the store has locked what is read or written."""
    if one.owner in one.share.advised or one.stream or not length or offset >= LAST_OFFSET:
        return
    kind = LockKind.EXCLUSIVE if writes else LockKind.SHARED
    wanted = LockSegment(kind, offset, min(length, LAST_OFFSET - offset))
    for outside in one.share.outside_locks:
        if await outside.blocks(one, wanted):
            raise StatusError(STATUS_FILE_LOCK_CONFLICT)


def check_read(record: FileRecord, one: Open, offset: int, length: int) -> None:
    """Raise FILE_LOCK_CONFLICT if a lock forbids to read the range."""
    if locks.conflicting_read(record.locks, one.open_id, offset, length, one.stream):
        raise StatusError(STATUS_FILE_LOCK_CONFLICT)


def check_write(record: FileRecord, one: Open, offset: int, length: int) -> None:
    """Raise FILE_LOCK_CONFLICT if a lock forbids to write the range."""
    if locks.conflicting_write(record.locks, one.open_id, offset, length, one.stream):
        raise StatusError(STATUS_FILE_LOCK_CONFLICT)
