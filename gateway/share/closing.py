"""Deletion and the end of opens: who decides that a file goes, and what a close leaves behind.

[MS-FSA] 2.1.5.5 (close), 2.1.5.15.3 (FileDispositionInformation); [MS-FSCC] 2.4.11, 2.4.12.

Nothing is deleted here: `close_open` says what has to be, and the caller does it.
"""

from collections.abc import Hashable
from dataclasses import dataclass, replace

from gateway.share.locks import release_all
from gateway.share.record import (
    DeletePending,
    FileRecord,
    LeaseEntry,
    LockEntry,
    OpenEntry,
    find_open,
    find_pending,
    remove_open,
    replace_open,
    settled,
    with_pending,
)
from vfs_backends.native import mypyc_attr

__all__ = [
    "Closed",
    "clear_delete_pending",
    "close_open",
    "is_delete_pending",
    "set_delete_on_close",
    "set_delete_pending",
]


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass(init=False)
class Closed:
    """What the end of an open brings about. Nothing of it, in the common case."""

    entry: OpenEntry | None
    """The open as it was; None if there was none."""
    delete: tuple[DeletePending, ...]
    """What is to be deleted now: streams, or the file under the name `link` (`stream` is empty)."""
    granted: tuple[LockEntry, ...]
    """Locks that others waited for and now hold: they must be told."""
    abandoned: tuple[LockEntry, ...]
    """Locks that this open still waited for: whoever waits must be told that it is over."""
    leases: tuple[LeaseEntry, ...]
    """Leases and oplocks that ended with it; whoever waits for their breaks must look again."""

    def __init__(
        self,
        entry: OpenEntry | None,
        delete: tuple[DeletePending, ...] = (),
        granted: tuple[LockEntry, ...] = (),
        abandoned: tuple[LockEntry, ...] = (),
        leases: tuple[LeaseEntry, ...] = (),
    ) -> None:
        self.entry = entry
        self.delete = delete
        self.granted = granted
        self.abandoned = abandoned
        self.leases = leases


def set_delete_pending(
    record: FileRecord, open_id: int, token: Hashable, *, posix: bool = False, place: Hashable = None
) -> FileRecord:
    """Decide by this open that its stream, or the file under its name, is deleted. [MS-FSA] 2.1.5.15.3.

    The first decision stays, with the token of who made it. Checks nothing (access, read-only, non-empty directories).
    """
    entry = find_open(record, open_id)
    if entry is None or any(one.stream == entry.stream and one.link == entry.link for one in record.pending):
        return record
    pending = DeletePending(entry.stream, entry.link, open_id, token, posix, (entry.owner, entry.parent_key), place)
    return with_pending(record, (*record.pending, pending))


def clear_delete_pending(record: FileRecord, open_id: int) -> FileRecord:
    """Take the decision about this open's stream or file back, whoever made it.

    Does not touch FILE_DELETE_ON_CLOSE of any open, which decides anew when that open is closed.
    """
    entry = find_open(record, open_id)
    if entry is None or not record.pending:
        return record
    left = [one for one in record.pending if one.stream != entry.stream or one.link != entry.link]
    return with_pending(record, tuple(left))


def set_delete_on_close(record: FileRecord, open_id: int, on: bool) -> FileRecord:
    """Set or clear FILE_DELETE_ON_CLOSE of an open. [MS-FSCC] 2.4.12, FILE_DISPOSITION_ON_CLOSE."""
    entry = find_open(record, open_id)
    return record if entry is None else replace_open(record, replace(entry, delete_on_close=on))


def is_delete_pending(record: FileRecord | None, open_id: int) -> bool:
    """Whether what is open is about to be deleted, as FileStandardInformation.DeletePending tells."""
    if record is None or not record.pending:
        return False
    entry = find_open(record, open_id)
    return entry is not None and find_pending(record, entry.stream, entry.link) is not None


def close_open(record: FileRecord | None, open_id: int, place: Hashable = None) -> tuple[FileRecord | None, Closed]:
    """End an open: its locks, waits and oplock go, and the lease and the file whose last open it was.

    `place`: where its name is, should that be deleted.
    """
    entry = find_open(record, open_id)
    if record is None or entry is None:
        return record, Closed(None)
    if len(record.opens) == 1 and not entry.delete_on_close and not record.leases and not record.pending:
        # Nobody else is there who could be told anything.
        waited = record.waiting
        return None, Closed(entry, abandoned=waited) if waited else Closed(entry)
    if entry.delete_on_close:
        record = set_delete_pending(record, open_id, entry.token, place=place)
    before = record.leases
    abandoned: tuple[LockEntry, ...] = ()
    granted: tuple[LockEntry, ...] = ()
    if record.locks or record.waiting:
        abandoned = tuple([lock for lock in record.waiting if lock.open_id == open_id])
        record, granted = release_all(record, open_id)
    left = remove_open(record, open_id) or FileRecord(pending=record.pending)
    due = tuple([one for one in left.pending if _is_due(left, one, open_id)])
    if due:
        left = with_pending(left, tuple([one for one in left.pending if one not in due]))
    leases = tuple([one for one in before if one not in left.leases]) if before else ()
    return settled(left), Closed(entry, due, granted, abandoned, leases)


def _is_due(left: FileRecord, pending: DeletePending, closed: int) -> bool:
    """Whether a decision has to be carried out, now that the open `closed` is gone and `left` is what remains."""
    if pending.posix and pending.open_id == closed:
        return True
    for entry in left.opens:
        # A file goes with the last open of any of its streams; one under another name does not hold this name.
        same_name = pending.link is None or entry.link is None or entry.link == pending.link
        if same_name and (not pending.stream or entry.stream == pending.stream):
            return False
    return True
