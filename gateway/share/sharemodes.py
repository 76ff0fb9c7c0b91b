"""Who may open a file beside whom: sharing of access, and files that are about to be deleted.

[MS-FSA] 2.1.5.1.2 and 2.1.5.1.2.2 (sharing access to an existing stream or directory).
"""

from typing import Final, NamedTuple

from acl.mask import (
    DELETE,
    FILE_APPEND_DATA,
    FILE_EXECUTE,
    FILE_READ_DATA,
    FILE_WRITE_ATTRIBUTES,
    FILE_WRITE_DATA,
    FILE_WRITE_EA,
    WRITE_DAC,
    WRITE_OWNER,
)
from gateway.nt.constants import FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE
from gateway.nt.status import STATUS_DELETE_PENDING, STATUS_SHARING_VIOLATION
from gateway.share.record import DeletePending, FileRecord, OpenEntry, find_pending

__all__ = [
    "CHANGES",
    "ShareConflict",
    "check_share",
    "conflicting_opens",
    "share_needed",
]

_READ: Final = FILE_READ_DATA | FILE_EXECUTE
_WRITE: Final = FILE_WRITE_DATA | FILE_APPEND_DATA
_SHARED: Final = _READ | _WRITE | DELETE


CHANGES: Final = (
    FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_WRITE_EA | FILE_WRITE_ATTRIBUTES | DELETE | WRITE_DAC | WRITE_OWNER
)
"""By which a file, or its name, can be changed."""


class ShareConflict(NamedTuple):
    """Why a file cannot be opened now."""

    status: int
    """STATUS_DELETE_PENDING or STATUS_SHARING_VIOLATION."""
    opens: tuple[OpenEntry, ...] = ()
    """The opens that stand in the way. If a holder among them only keeps it open in its cache, it may be asked to close
    it (see `breaking.admit`)."""
    pending: DeletePending | None = None


def share_needed(access: int) -> int:
    """The FILE_SHARE_* bits that others must have granted for this access.

    None for an open that neither reads, writes, executes nor deletes: it is never in the way of any other.
    """
    needed = 0
    if access & _READ:
        needed = FILE_SHARE_READ
    if access & _WRITE:
        needed |= FILE_SHARE_WRITE
    if access & DELETE:
        needed |= FILE_SHARE_DELETE
    return needed


def check_share(record: FileRecord | None, entry: OpenEntry) -> ShareConflict | None:
    """Whether `entry` may be added to the opens of the record; None if it may.

    An open of its own id that is in the record already is left out, so that an open can be checked again.
    """
    if record is None:
        return None
    if record.pending:
        pending = find_pending(record, entry.stream, entry.link)
        if pending is not None:
            return ShareConflict(STATUS_DELETE_PENDING, (), pending)
    conflicting = conflicting_opens(record, entry)
    return ShareConflict(STATUS_SHARING_VIOLATION, conflicting) if conflicting else None


def conflicting_opens(record: FileRecord, entry: OpenEntry) -> tuple[OpenEntry, ...]:
    """The opens that do not share what `entry` wants, or want what it does not share.

    Each stream is shared for itself; but whoever may delete the file itself (its default stream, which all others go
    with) needs the consent of those who have any stream open, and the reverse.
    """
    access = entry.granted_access | DELETE if entry.delete_on_close else entry.granted_access
    if not access & _SHARED:
        return ()
    needed, stream = share_needed(access), entry.stream
    return tuple(
        [
            other
            for other in record.opens
            if other.granted_access & _SHARED
            and other.open_id != entry.open_id
            and (
                needed & ~other.share_access or share_needed(other.granted_access) & ~entry.share_access
                if other.stream == stream
                else _delete_conflict(entry, access, other)
            )
        ]
    )


def _delete_conflict(entry: OpenEntry, access: int, other: OpenEntry) -> bool:
    """Whether two opens of different streams conflict: one may delete the file, and the other does not share that."""
    if not entry.stream and access & DELETE:
        return not other.share_access & FILE_SHARE_DELETE
    if not other.stream and other.granted_access & DELETE:
        return not entry.share_access & FILE_SHARE_DELETE
    return False
