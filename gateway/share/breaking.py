"""What breaks oplocks and leases, and who has to wait for that.

[MS-FSA] 2.1.4.12 (algorithm to check for an oplock break), [MS-SMB2] 3.3.4.6, 3.3.4.7.

Each function takes the record, and gives the changed record (the very same, if nothing changes) with what is to be told
to whom. The caller stores the record, tells them, and, if there is anybody to wait for, waits until each of those has
acknowledged, closed or been given up (`leases.expire`). Then it asks again, `waited` being true: the world has moved.
"""

from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

from gateway.nt.status import STATUS_INVALID_PARAMETER, STATUS_SHARING_VIOLATION
from gateway.share.leases import (
    HANDLE_CACHING,
    READ_CACHING,
    WRITE_CACHING,
    Break,
    Holder,
    break_of,
    is_key_free,
    is_mine,
    is_stat_open,
    next_epoch,
)
from gateway.share.record import FileRecord, LeaseEntry, OpenEntry, find_open, with_leases
from gateway.share.sharemodes import check_share

__all__ = [
    "NO_CONFLICT",
    "Admission",
    "Conflict",
    "admit",
    "break_for_directory_change",
    "break_for_name_change",
    "break_for_outside",
    "break_for_read",
    "break_for_write",
]

_ALL: Final = READ_CACHING | WRITE_CACHING | HANDLE_CACHING


class Conflict(NamedTuple):
    """Who has to be told, and who has to be waited for."""

    breaks: tuple[Break, ...] = ()
    """To be sent, once each, after the record is stored."""
    wait_for: tuple[Holder, ...] = ()
    """Whose acknowledgement the operation needs. Their breaks may have been sent for somebody else."""


NO_CONFLICT: Final = Conflict()


class Admission(NamedTuple):
    """Whether a file may be opened now."""

    status: int
    """STATUS_SUCCESS (0), STATUS_DELETE_PENDING, STATUS_SHARING_VIOLATION or STATUS_INVALID_PARAMETER (the lease key is
    that of another stream). If there is somebody to wait for, 0."""
    conflict: Conflict = NO_CONFLICT


_ADMITTED: Final = Admission(0)


def admit(
    record: FileRecord | None, entry: OpenEntry, *, overwrite: bool = False, waited: bool = False
) -> tuple[FileRecord | None, Admission]:
    """Whether `entry` may be opened beside the others, and what they have to give up for that. [MS-FSA] 2.1.5.1.2.

    Does not add the open. With `overwrite` its contents are to be replaced; with `entry.delete_on_close`, it is to be
    deleted. Before a sharing violation is answered, whoever keeps the file open only in its cache is asked to close it.
    """
    if record is None:
        return None, _ADMITTED
    if not is_key_free(record, entry):
        return record, Admission(STATUS_INVALID_PARAMETER)
    refused = check_share(record, entry)
    if refused is None:
        if not record.leases:
            return record, _ADMITTED
        record, conflict = _break_for_open(record, entry, overwrite, waited)
        return record, Admission(0, conflict)
    if refused.status != STATUS_SHARING_VIOLATION or not record.leases:
        return record, Admission(refused.status)
    record, conflict = _break_for_sharing(record, entry, refused.opens, waited)
    return record, Admission(0 if conflict.wait_for else refused.status, conflict)


def break_for_write(record: FileRecord, open_id: int, *, waited: bool = False) -> tuple[FileRecord, Conflict]:
    """Before contents or size change, or a range is locked, by an open: nobody else may go on caching."""
    entry = find_open(record, open_id)
    if entry is None or not record.leases:
        return record, NO_CONFLICT
    return _break(record, lambda lease: _contends(lease, entry), _ALL, WRITE_CACHING, waited)


def break_for_read(record: FileRecord, open_id: int, *, waited: bool = False) -> tuple[FileRecord, Conflict]:
    """Before an open reads, flushes, or asks where data is: what others have written must be here."""
    entry = find_open(record, open_id)
    if entry is None or not record.leases:
        return record, NO_CONFLICT
    return _break(
        record,
        lambda lease: lease.stream == entry.stream and bool(lease.state & WRITE_CACHING) and not is_mine(lease, entry),
        WRITE_CACHING,
        WRITE_CACHING,
        waited,
    )


def break_for_name_change(
    record: FileRecord, open_id: int | None, *, waited: bool = False
) -> tuple[FileRecord, Conflict]:
    """Before a file is renamed or replaced, loses a name, or becomes delete pending: nobody else may keep it open by
    its cache. Without an open, it is done by somebody who has not got the file open.

    The stream of the open alone is concerned; of all of them if that is the default one.
    """
    if not record.leases:
        return record, NO_CONFLICT
    entry = None if open_id is None else find_open(record, open_id)

    def concerns(lease: LeaseEntry) -> bool:
        if not lease.state & HANDLE_CACHING:
            return False
        return entry is None or (not is_mine(lease, entry) and entry.stream in ("", lease.stream))

    return _break(record, concerns, HANDLE_CACHING, HANDLE_CACHING, waited)


def break_for_directory_change(record: FileRecord, by: tuple[Hashable, bytes]) -> tuple[FileRecord, Conflict]:
    """When an entry of a directory, whose record this is, was added, removed or changed. Nobody waits.

    `by` is the owner and the `parent_key` of the open that did it: who has the lease of that key knows already.
    """
    if not record.leases:
        return record, NO_CONFLICT
    owner, parent_key = by
    return _break(
        record,
        lambda lease: (
            not lease.stream and bool(lease.state) and not (parent_key == lease.key != b"" and owner == lease.owner)
        ),
        _ALL,
        0,
        False,
    )


def break_for_outside(record: FileRecord, *, reads: bool, waited: bool = False) -> tuple[FileRecord, Conflict]:
    """Before somebody who does not go through the store opens the file: only to read, or for anything."""
    return _break(record, lambda lease: not lease.stream, WRITE_CACHING if reads else _ALL, WRITE_CACHING, waited)


def _break_for_open(record: FileRecord, entry: OpenEntry, overwrite: bool, waited: bool) -> tuple[FileRecord, Conflict]:
    lost, awaited = WRITE_CACHING, WRITE_CACHING
    if overwrite:
        # The old contents are not worth anything to those who read, either; but only what was not written yet matters.
        lost = _ALL
    elif entry.delete_on_close:
        lost = awaited = WRITE_CACHING | HANDLE_CACHING
    access = entry.granted_access

    def concerns(lease: LeaseEntry) -> bool:
        return (
            lease.stream == entry.stream
            and (overwrite or not is_stat_open(access, lease.version))
            and not is_mine(lease, entry)
        )

    return _break(record, concerns, lost, awaited, waited)


def _break_for_sharing(
    record: FileRecord, entry: OpenEntry, others: tuple[OpenEntry, ...], waited: bool
) -> tuple[FileRecord, Conflict]:
    """Before an open is refused because of `others`: they may only be kept open by a cache."""
    streams = {other.stream for other in others}
    return _break(
        record,
        lambda lease: lease.stream in streams and bool(lease.state & HANDLE_CACHING) and not is_mine(lease, entry),
        HANDLE_CACHING,
        HANDLE_CACHING,
        waited,
    )


def _contends(lease: LeaseEntry, entry: OpenEntry) -> bool:
    """Whether a change by this open concerns the holder."""
    if lease.stream != entry.stream:
        return False
    # An open's own level II is broken by what it writes, its exclusive oplock is not.
    return not is_mine(lease, entry) or (not lease.key and not lease.state & WRITE_CACHING)


def _break(
    record: FileRecord, concerns: Callable[[LeaseEntry], bool], lost: int, awaited: int, waited: bool
) -> tuple[FileRecord, Conflict]:
    """Take `lost` from all leases concerned. One that has any of `awaited`, until it acknowledges, is waited for.

    Whoever `waited` before waits for a break in progress in any case: as Windows does, until all that came up
    meanwhile is settled.
    """
    leases, breaks, wait_for = [], [], []
    for lease in record.leases:
        if not concerns(lease):
            leases.append(lease)
            continue
        changed, told = _take(lease, lost)
        if changed.state or changed.key:
            leases.append(changed)
        if told is not None:
            breaks.append(told)
        if changed.breaking_to is not None and (waited or changed.state & awaited & ~changed.required):
            wait_for.append(changed.holder)
    if not breaks and not wait_for and tuple(leases) == record.leases:
        return record, NO_CONFLICT
    return with_leases(record, tuple(leases)), Conflict(tuple(breaks), tuple(wait_for))


def _take(lease: LeaseEntry, lost: int) -> tuple[LeaseEntry, Break | None]:
    """The lease without `lost`, as far as that can be now, and what its holder is told."""
    target = _remaining(lease, lost)
    if lease.breaking_to is not None:
        return lease._replace(required=lease.required & target), None
    if target == lease.state:
        return lease, None
    lease = lease._replace(epoch=next_epoch(lease))
    told = break_of(lease, target)
    if told.acknowledge:
        return lease._replace(breaking_to=target, required=target), told
    return lease._replace(state=target), told


def _remaining(lease: LeaseEntry, lost: int) -> int:
    if lost & READ_CACHING or (lease.is_whole and lost & lease.state & WRITE_CACHING):
        return 0
    if lease.key:
        return lease.state & ~lost
    return lease.state & READ_CACHING if lease.state & lost else lease.state
