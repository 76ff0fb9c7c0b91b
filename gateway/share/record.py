"""What is known about one file that is in use: its opens, locks, leases and deletion, as one immutable value.

[MS-FSA] 2.1.1.3 to 2.1.1.6 (Open, Stream, ByteRangeLock, Oplock) and [MS-SMB2] 3.3.1.10 to 3.3.1.12, without anything
that is peculiar to one front end. The rules about it stand beside it, as pure functions: `sharemodes`, `locks`,
`leases`, `closing`. Each of them returns a new record, so that a `Table` may run it as often as it likes.

The values are named tuples rather than frozen dataclasses: making one takes a quarter of the time. Those of which an
open makes some have an `__init__` of their own, which mypyc compiles; that nobody changes them is agreed upon.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from vfs_backends.native import mypyc_attr

__all__ = [
    "EMPTY",
    "DeletePending",
    "FileRecord",
    "LeaseEntry",
    "LockEntry",
    "OpenEntry",
    "add_open",
    "find_open",
    "find_pending",
    "name_links",
    "remove_open",
    "rename_links",
    "rename_stream_opens",
    "replace_open",
    "settled",
    "with_leases",
    "with_locks",
    "with_pending",
]


@mypyc_attr(free_list_len=1)
@dataclass(init=False)
class OpenEntry:
    """One open of the file. [MS-FSA] 2.1.1.6."""

    open_id: int
    """Unique among all opens of the store, and never used again."""
    owner: Hashable
    """Whose it is, as far as leases go: opens of the same owner with the same lease key share one lease. For SMB the
    client's GUID."""
    granted_access: int
    """Access mask, without generic bits or MAXIMUM_ALLOWED."""
    share_access: int
    """FILE_SHARE_* bits."""
    stream: str
    """The stream's folded name; empty for the default data stream and for a directory."""
    link: Hashable
    """Which of the file's names it was opened by; None stands for each of them. Renaming replaces it."""
    delete_on_close: bool
    """FILE_DELETE_ON_CLOSE: closing it makes the file or stream delete pending."""
    lease_key: bytes
    """The lease that it belongs to, together with `owner`; empty if to none."""
    parent_key: bytes
    """Key of the lease that its owner has on the directory, which changes by this open need not break."""
    token: Hashable
    """On whose behalf a delete on close is done."""

    def __init__(
        self,
        open_id: int,
        owner: Hashable,
        granted_access: int,
        share_access: int,
        stream: str = "",
        link: Hashable = None,
        delete_on_close: bool = False,
        lease_key: bytes = b"",
        parent_key: bytes = b"",
        token: Hashable = None,
    ) -> None:
        self.open_id = open_id
        self.owner = owner
        self.granted_access = granted_access
        self.share_access = share_access
        self.stream = stream
        self.link = link
        self.delete_on_close = delete_on_close
        self.lease_key = lease_key
        self.parent_key = parent_key
        self.token = token


class LockEntry(NamedTuple):
    """A byte-range lock that is held or waited for. [MS-FSA] 2.1.1.10. Units: bytes, both 64 bits unsigned."""

    open_id: int
    offset: int
    length: int
    exclusive: bool
    stream: str = ""
    ticket: int = 0
    """Chosen by whoever waits for it; 0 if nobody ever waited."""


class LeaseEntry(NamedTuple):
    """An oplock or a lease on one stream. [MS-FSA] 2.1.1.11, [MS-SMB2] 3.3.1.12.

    An oplock is a lease of one open: it has no key, and is told of breaks by its open.
    """

    owner: Hashable
    key: bytes
    """16 bytes; empty for an oplock."""
    open_id: int
    """The open that an oplock belongs to; 0 for a lease."""
    stream: str
    state: int
    """What its holder may cache now, `leases.READ_CACHING` and its like: until a break is acknowledged, what it had
    before."""
    breaking_to: int | None = None
    """What the break in progress leaves, as the holder was told; None if there is none that it must acknowledge."""
    required: int = 0
    """What is left of it when all that conflicts has been served; only meaningful during a break."""
    epoch: int = 0
    """Counts the changes of `state`, modulo 2^16; told to holders of version 2."""
    version: int = 0
    """1 or 2; 0 for an oplock."""
    is_whole: bool = False
    """Whether nothing could be kept without WRITE_CACHING, for what stands behind the lease."""

    @property
    def holder(self) -> tuple[Hashable, bytes, int]:
        """What identifies it as long as it lives: owner, key, and for an oplock the open."""
        return (self.owner, self.key, self.open_id)


class DeletePending(NamedTuple):
    """A stream, or the whole file (`stream` is empty), that goes when its last open is closed. [MS-FSA] 2.1.1.4."""

    stream: str
    link: Hashable
    open_id: int
    """The open by which it was decided."""
    token: Hashable
    """Who decided it; the deletion is done on their behalf."""
    posix: bool = False
    """FILE_DISPOSITION_POSIX_SEMANTICS: the name goes as soon as `open_id` is closed."""
    by: tuple[Hashable, bytes] = (None, b"")
    """`owner` and `parent_key` of that open."""
    place: Hashable = None
    """Where the name is that goes, for whoever carries it out; renaming replaces it."""


@mypyc_attr(free_list_len=1)
@dataclass(init=False)
class FileRecord:
    """All that is known about one file in use. A file without any of it has no record."""

    opens: tuple[OpenEntry, ...]
    locks: tuple[LockEntry, ...]
    waiting: tuple[LockEntry, ...]
    """Locks that somebody waits for, in the order of their asking."""
    leases: tuple[LeaseEntry, ...]
    pending: tuple[DeletePending, ...]

    def __init__(
        self,
        opens: tuple[OpenEntry, ...] = (),
        locks: tuple[LockEntry, ...] = (),
        waiting: tuple[LockEntry, ...] = (),
        leases: tuple[LeaseEntry, ...] = (),
        pending: tuple[DeletePending, ...] = (),
    ) -> None:
        self.opens = opens
        self.locks = locks
        self.waiting = waiting
        self.leases = leases
        self.pending = pending


EMPTY: Final = FileRecord()


def add_open(record: FileRecord | None, entry: OpenEntry) -> FileRecord:
    """The record with one more open. Checks nothing."""
    if record is None:
        return FileRecord((entry,))
    return FileRecord((*record.opens, entry), record.locks, record.waiting, record.leases, record.pending)


def remove_open(record: FileRecord, open_id: int) -> FileRecord | None:
    """The record without this open and what belonged to it alone: its locks, its oplock, a lease it was the last of.

    None if nothing is left. For the undoing of an open that never came to be; `closing.close_open` is for the rest.
    """
    opens = record.opens
    if len(opens) == 1 and opens[0].open_id == open_id:
        return None
    left = tuple([entry for entry in opens if entry.open_id != open_id])
    locks, waiting, leases = record.locks, record.waiting, record.leases
    if locks:
        locks = tuple([lock for lock in locks if lock.open_id != open_id])
    if waiting:
        waiting = tuple([lock for lock in waiting if lock.open_id != open_id])
    if leases:
        held = {(entry.owner, entry.lease_key) for entry in left if entry.lease_key}
        leases = tuple(
            [one for one in leases if one.open_id != open_id and (not one.key or (one.owner, one.key) in held)]
        )
    return FileRecord(left, locks, waiting, leases, record.pending)


def find_open(record: FileRecord | None, open_id: int) -> OpenEntry | None:
    """The open of this id, if it is there."""
    if record is not None:
        for entry in record.opens:
            if entry.open_id == open_id:
                return entry
    return None


def find_pending(record: FileRecord, stream: str, link: Hashable = None) -> DeletePending | None:
    """What makes a stream delete pending, if anything does: its own deletion, or that of the file under this name.

    A name (`link`) of None stands for every name, on either side.
    """
    for pending in record.pending:
        if (pending.stream == stream or not pending.stream) and (
            pending.link == link or pending.link is None or link is None
        ):
            return pending
    return None


def replace_open(record: FileRecord, entry: OpenEntry) -> FileRecord:
    """The record with `entry` in place of the open that has its id."""
    opens = tuple([entry if one.open_id == entry.open_id else one for one in record.opens])
    return FileRecord(opens, record.locks, record.waiting, record.leases, record.pending)


def with_locks(record: FileRecord, locks: tuple[LockEntry, ...], waiting: tuple[LockEntry, ...]) -> FileRecord:
    """The record with other locks held, and waited for."""
    return FileRecord(record.opens, locks, waiting, record.leases, record.pending)


def with_leases(record: FileRecord, leases: tuple[LeaseEntry, ...]) -> FileRecord:
    """The record with other leases and oplocks."""
    return FileRecord(record.opens, record.locks, record.waiting, leases, record.pending)


def with_pending(record: FileRecord, pending: tuple[DeletePending, ...]) -> FileRecord:
    """The record with other deletions decided."""
    return FileRecord(record.opens, record.locks, record.waiting, record.leases, pending)


def rename_stream_opens(record: FileRecord, old: str, new: str) -> FileRecord:
    """The record after the stream `old` has got the name `new`; both are folded."""
    return FileRecord(
        tuple([replace(one, stream=new) if one.stream == old else one for one in record.opens]),
        tuple([one._replace(stream=new) if one.stream == old else one for one in record.locks]),
        tuple([one._replace(stream=new) if one.stream == old else one for one in record.waiting]),
        tuple([one._replace(stream=new) if one.stream == old else one for one in record.leases]),
        tuple([one._replace(stream=new) if one.stream == old else one for one in record.pending]),
    )


def name_links(record: FileRecord, links: Mapping[int, Hashable]) -> FileRecord:
    """The record after the file has got a second name: by which name each open came, where that was not told yet."""
    opens = [
        entry if entry.link is not None else replace(entry, link=links.get(entry.open_id)) for entry in record.opens
    ]
    return replace(record, opens=tuple(opens))


def rename_links(record: FileRecord, new: Callable[[Hashable], Hashable]) -> FileRecord:
    """The record after names of the file have changed; `new` gives what a link or place has become."""
    return replace(
        record,
        opens=tuple([replace(entry, link=new(entry.link)) for entry in record.opens]),
        pending=tuple([one._replace(link=new(one.link), place=new(one.place)) for one in record.pending]),
    )


def settled(record: FileRecord) -> FileRecord | None:
    """The record, or None if nothing is left in it."""
    is_empty = not (record.opens or record.locks or record.waiting or record.leases or record.pending)
    return None if is_empty else record
