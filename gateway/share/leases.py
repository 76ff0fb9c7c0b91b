"""Oplocks and leases: what is granted, and how a break ends. What breaks them is in `breaking`.

[MS-FSA] 2.1.5.18 (request), 2.1.5.19 (acknowledgement); [MS-SMB2] 3.3.5.9.8, 3.3.5.9.11, 3.3.5.22, 3.3.6.1, 3.3.6.5.

Oplocks are leases that belong to a single open and know three levels: II caches reads; exclusive, reads and writes;
batch, the handle too. They behave as leases do, except that

- a broken oplock becomes a level II or nothing, never an exclusive one without its handle;
- level II and a lease with handle caching cannot be held beside each other;
- a write by its own open breaks a level II, whereas a lease is never broken by an open that belongs to it.
"""

from collections.abc import Hashable
from typing import Final, NamedTuple

from acl.mask import FILE_READ_ATTRIBUTES, FILE_WRITE_ATTRIBUTES, READ_CONTROL, SYNCHRONIZE
from gateway.nt.status import (
    STATUS_INVALID_OPLOCK_PROTOCOL,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_UNSUCCESSFUL,
)
from gateway.share.record import FileRecord, LeaseEntry, OpenEntry, find_open, with_leases

__all__ = [
    "BATCH",
    "EXCLUSIVE",
    "HANDLE_CACHING",
    "LEVEL_II",
    "NOTHING",
    "READ_CACHING",
    "WRITE_CACHING",
    "Acknowledged",
    "Break",
    "Granted",
    "Holder",
    "LeaseRequest",
    "acknowledge",
    "break_of",
    "expire",
    "find_lease",
    "grant",
    "granted_by",
    "is_key_free",
    "is_mine",
    "is_stat_open",
    "limit",
    "next_epoch",
    "replace_lease",
]

READ_CACHING: Final = 1
HANDLE_CACHING: Final = 2
WRITE_CACHING: Final = 4
# The same bits as in [MS-SMB2] 2.2.13.2.8. Oplocks are requested, granted and broken in them, too:
LEVEL_II: Final = READ_CACHING
EXCLUSIVE: Final = READ_CACHING | WRITE_CACHING
BATCH: Final = READ_CACHING | WRITE_CACHING | HANDLE_CACHING

_VALID: Final = (READ_CACHING, READ_CACHING | HANDLE_CACHING, EXCLUSIVE, BATCH)
_STAT_ACCESS: Final = FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | SYNCHRONIZE

Holder = tuple[Hashable, bytes, int]
"""`LeaseEntry.holder`."""


class LeaseRequest(NamedTuple):
    """What an open asks for. The lease's key and owner are those of its `OpenEntry`; without a key it is an oplock."""

    state: int
    version: int = 0
    """1 or 2; 0 for an oplock."""
    epoch: int = 0
    """The client's, for version 2."""
    is_directory: bool = False


class Granted(NamedTuple):
    """What an open holds."""

    state: int
    version: int = 0
    """Which kind of lease it is: the one that was asked for first, if it is shared with earlier opens."""
    epoch: int = 0
    breaking: bool = False
    """SMB2_LEASE_FLAG_BREAK_IN_PROGRESS."""


class Break(NamedTuple):
    """Something that a holder must be told."""

    holder: Holder
    stream: str
    old_state: int
    new_state: int
    acknowledge: bool
    """Whether it keeps the old state until it acknowledges; otherwise it has the new one already."""
    epoch: int
    version: int


class Acknowledged(NamedTuple):
    """What became of an acknowledgement."""

    status: int
    """STATUS_SUCCESS (0), or what answers it."""
    state: int = 0
    """What the holder has now."""
    following: Break | None = None
    """Something else that conflicts has come up meanwhile: the next break, to be sent after the answer."""


NOTHING: Final = Granted(0)


def is_stat_open(access: int, version: int) -> bool:
    """Whether an open can neither change nor depend on what a holder of this kind of lease caches.

    Reading the descriptor breaks an oplock, but not a lease.
    """
    return not access & ~(_STAT_ACCESS | READ_CONTROL if version else _STAT_ACCESS)


def is_mine(lease: LeaseEntry, entry: OpenEntry) -> bool:
    """Whether the open belongs to the lease, or has this oplock."""
    if lease.key:
        return lease.key == entry.lease_key and lease.owner == entry.owner
    return lease.open_id == entry.open_id


def find_lease(record: FileRecord | None, holder: Holder) -> LeaseEntry | None:
    """The lease or oplock of this holder."""
    if record is not None:
        for lease in record.leases:
            if lease.holder == holder:
                return lease
    return None


def is_key_free(record: FileRecord | None, entry: OpenEntry) -> bool:
    """Whether the open may use its lease key here: a lease is for one stream. [MS-SMB2] 3.3.5.9.8.

    That the owner does not use the key for another file is not seen from here.
    """
    if record is None or not record.leases or not entry.lease_key:
        return True
    return not any(is_mine(lease, entry) and lease.stream != entry.stream for lease in record.leases)


def grant(record: FileRecord, open_id: int, request: LeaseRequest) -> tuple[FileRecord, Granted]:
    """Give an open, which is in the record already, what it may have of what it asks for. [MS-FSA] 2.1.5.18.

    If its lease exists, that grows if it can be had entirely, and never shrinks.
    """
    entry = find_open(record, open_id)
    if entry is None:
        return record, NOTHING
    state = _grantable(record, entry, request)
    for lease in record.leases:
        if lease.key and is_mine(lease, entry):
            return _upgrade(record, lease, request, state)
    if not entry.lease_key:
        if not state:
            return record, NOTHING
        lease = LeaseEntry(entry.owner, b"", open_id, entry.stream, state)
    else:
        epoch = (request.epoch + 1) & 0xFFFF if request.version == 2 else 0
        lease = LeaseEntry(
            entry.owner, entry.lease_key, 0, entry.stream, state, epoch=epoch, version=request.version or 1
        )
    record = with_leases(record, (*record.leases, lease))
    return record, granted_by(lease)


def acknowledge(record: FileRecord | None, holder: Holder, state: int) -> tuple[FileRecord | None, Acknowledged]:
    """End a break: the holder keeps `state`, which may be less than it was told. [MS-SMB2] 3.3.5.22.

    Waiting operations must look again afterwards.
    """
    lease = find_lease(record, holder)
    is_oplock = not holder[1]
    if record is None or lease is None:
        return record, Acknowledged(STATUS_INVALID_OPLOCK_PROTOCOL if is_oplock else STATUS_OBJECT_NAME_NOT_FOUND)
    if lease.breaking_to is None:
        return record, Acknowledged(STATUS_INVALID_OPLOCK_PROTOCOL if is_oplock else STATUS_UNSUCCESSFUL, lease.state)
    if state & ~lease.breaking_to:
        if not is_oplock:
            return record, Acknowledged(STATUS_REQUEST_NOT_ACCEPTED, lease.state)
        # An oplock that is not given back as it must be is lost.
        return expire(record, holder), Acknowledged(STATUS_INVALID_OPLOCK_PROTOCOL)
    if state not in _VALID:
        # Writes or a handle cannot be cached without reads.
        state = 0
    lease, following = _next_break(lease._replace(state=state, breaking_to=None))
    return replace_lease(record, lease), Acknowledged(0, state, following)


def expire(record: FileRecord | None, holder: Holder) -> FileRecord | None:
    """Take everything from a holder that has not acknowledged in time, or cannot be reached.

    [MS-SMB2] 3.3.6.1, 3.3.6.5. Waiting operations must look again afterwards. Does nothing to one that has nothing to
    acknowledge.
    """
    lease = find_lease(record, holder)
    if record is None or lease is None or lease.breaking_to is None:
        return record
    return replace_lease(record, lease._replace(state=0, breaking_to=None, required=0))


def replace_lease(record: FileRecord, lease: LeaseEntry) -> FileRecord:
    """The record with `lease` in place of what its holder had. An oplock of no level is none."""
    leases = [lease if one.holder == lease.holder else one for one in record.leases]
    if not lease.state and not lease.key:
        leases.remove(lease)
    return with_leases(record, tuple(leases))


def limit(
    record: FileRecord | None, holder: Holder, state: int, *, is_whole: bool
) -> tuple[FileRecord | None, Granted]:
    """Take what is not in `state` back from what was granted just now, before its holder knows of it."""
    lease = find_lease(record, holder)
    if record is None or lease is None:
        return record, NOTHING
    lease = lease._replace(state=lease.state & state, is_whole=is_whole)
    return replace_lease(record, lease), granted_by(lease)


def granted_by(lease: LeaseEntry) -> Granted:
    """What the opens of a lease hold."""
    return Granted(lease.state, lease.version, lease.epoch, lease.breaking_to is not None)


def _upgrade(record: FileRecord, lease: LeaseEntry, request: LeaseRequest, state: int) -> tuple[FileRecord, Granted]:
    """What a further open of a lease makes of it, where `state` is what could be granted. [MS-SMB2] 3.3.5.9.8."""
    wanted = request.state & ~WRITE_CACHING if request.is_directory else request.state
    grows = state & lease.state == lease.state != state and (state == wanted or not lease.state)
    if lease.breaking_to is not None or not grows:
        return record, granted_by(lease)
    lease = lease._replace(state=state, epoch=next_epoch(lease))
    return replace_lease(record, lease), granted_by(lease)


def _grantable(record: FileRecord, entry: OpenEntry, request: LeaseRequest) -> int:
    """What of the request goes together with all that others have."""
    state = request.state
    if state not in _VALID:
        return 0
    if request.is_directory:
        if request.version != 2:
            return 0
        state &= ~WRITE_CACHING
    for lease in record.leases:
        if lease.stream != entry.stream or not lease.state or is_mine(lease, entry):
            continue
        if lease.state & WRITE_CACHING:
            return 0
        if not entry.lease_key and lease.state & HANDLE_CACHING:
            return 0
        state &= ~WRITE_CACHING if lease.key else ~(WRITE_CACHING | HANDLE_CACHING)
    if state & WRITE_CACHING and _is_used_by_others(record, entry, request.version):
        state &= ~WRITE_CACHING
    if not entry.lease_key and not state & WRITE_CACHING:
        state &= READ_CACHING
    if not state & WRITE_CACHING and any(lock.stream == entry.stream for lock in record.locks):
        return 0
    return state


def _is_used_by_others(record: FileRecord, entry: OpenEntry, version: int) -> bool:
    """Whether somebody who does not share the lease has the stream open for more than its attributes."""
    for other in record.opens:
        if (
            other.stream != entry.stream
            or other.open_id == entry.open_id
            or is_stat_open(other.granted_access, version)
        ):
            continue
        if not entry.lease_key or other.lease_key != entry.lease_key or other.owner != entry.owner:
            return True
    return False


def break_of(lease: LeaseEntry, target: int) -> Break:
    """What the holder is told when the lease is to become `target`."""
    acknowledge = bool(lease.state & (WRITE_CACHING | HANDLE_CACHING))
    return Break(lease.holder, lease.stream, lease.state, target, acknowledge, lease.epoch, lease.version)


def _next_break(lease: LeaseEntry) -> tuple[LeaseEntry, Break | None]:
    """After an acknowledgement: what else has come up meanwhile must still be taken from the holder.

    As Windows does, first the handle, if there is one, then the rest; and without a new epoch.
    """
    target = lease.state & lease.required
    if target == lease.state:
        return lease._replace(required=0), None
    if lease.state & HANDLE_CACHING and not target & READ_CACHING:
        target = lease.state & ~HANDLE_CACHING
    told = break_of(lease, target)
    if told.acknowledge:
        return lease._replace(breaking_to=target), told
    return lease._replace(state=target, required=0), told


def next_epoch(lease: LeaseEntry) -> int:
    """The epoch of a lease that is about to change; only version 2 has epochs. [MS-SMB2] 3.3.4.7."""
    return (lease.epoch + 1) & 0xFFFF if lease.version == 2 else 0
