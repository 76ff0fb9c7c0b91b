"""One file and its users, driven by the rules alone: what `Share` does around them, without waiting and without I/O."""

from dataclasses import dataclass

from acl.mask import FILE_GENERIC_READ, FILE_GENERIC_WRITE
from gateway.share.breaking import (
    Admission,
    Conflict,
    admit,
    break_for_directory_change,
    break_for_name_change,
    break_for_read,
    break_for_write,
)
from gateway.share.closing import Closed, close_open
from gateway.share.leases import (
    HANDLE_CACHING,
    NOTHING,
    READ_CACHING,
    WRITE_CACHING,
    Acknowledged,
    Break,
    Granted,
    Holder,
    LeaseRequest,
    acknowledge,
    expire,
    find_lease,
    grant,
)
from gateway.share.memory_table import MemoryTable
from gateway.share.record import EMPTY, FileRecord, OpenEntry, add_open
from tests.share.tables import RetryingTable
from vfs_backends.api import NodeId

NODE = NodeId(1, 1, 1)
ACCESS = FILE_GENERIC_READ | FILE_GENERIC_WRITE
OPLOCKS = {"": 0, "s": READ_CACHING, "x": READ_CACHING | WRITE_CACHING, "b": 7}


def bits(letters: str) -> int:
    values = {"R": READ_CACHING, "H": HANDLE_CACHING, "W": WRITE_CACHING}
    return sum(values[letter] for letter in letters)


def letters(state: int) -> str:
    return "".join(letter for letter in "RWH" if state & bits(letter))


def key_of(name: str) -> bytes:
    return name.encode().ljust(16, b".")


@dataclass
class Opened:
    """What became of an attempt to open."""

    status: int
    open_id: int = 0
    granted: Granted = NOTHING
    breaks: tuple[Break, ...] = ()
    waiting: tuple[Holder, ...] = ()

    @property
    def state(self) -> str:
        return letters(self.granted.state)

    def told(self) -> list[tuple[str, str, str]]:
        return said(self.breaks)


def said(breaks: tuple[Break, ...]) -> list[tuple[str, str, str]]:
    """Who (key, or open id of an oplock), from what, to what."""
    return [
        (one.holder[1].decode().rstrip(".") or str(one.holder[2]), letters(one.old_state), letters(one.new_state))
        for one in breaks
    ]


class OneFile:
    """Opens, breaks, acknowledges and closes; every step goes through a table that runs it more than once."""

    def __init__(self, table: MemoryTable | None = None) -> None:
        self.table = RetryingTable() if table is None else table
        self.last_id = 0

    @property
    def record(self) -> FileRecord | None:
        return self.table.peek_nowait(NODE)

    def open(
        self,
        lease: str | None = None,
        key: str = "",
        *,
        oplock: str = "",
        access: int = ACCESS,
        share: int = 7,
        overwrite: bool = False,
        waited: bool = False,
        version: int = 2,
        epoch: int = 0,
        directory: bool = False,
        owner: str = "client",
        stream: str = "",
        parent: str = "",
        doc: bool = False,
    ) -> Opened:
        """Open once: if there is somebody to wait for, that is the result, and the caller asks again, with `waited`."""
        self.last_id += 1
        entry = OpenEntry(
            self.last_id,
            owner,
            access,
            share,
            stream,
            delete_on_close=doc,
            lease_key=key_of(key) if key else b"",
            parent_key=key_of(parent) if parent else b"",
        )
        state = OPLOCKS[oplock] if lease is None else bits(lease)
        request = LeaseRequest(state, version if key else 0, epoch, directory)

        def step(record: FileRecord | None) -> tuple[FileRecord | None, tuple[Admission, Granted]]:
            record, admission = admit(record, entry, overwrite=overwrite, waited=waited)
            if admission.status or admission.conflict.wait_for:
                return record, (admission, NOTHING)
            record = add_open(record, entry)
            if key or state:
                record, granted = grant(record, entry.open_id, request)
                return record, (admission, granted)
            return record, (admission, NOTHING)

        admission, granted = self.table.transact_nowait(NODE, step)
        conflict = admission.conflict
        opened = Opened(admission.status, 0, granted, conflict.breaks, conflict.wait_for)
        if not admission.status and not conflict.wait_for:
            opened.open_id = entry.open_id
        return opened

    def open_patiently(self, lease: str | None = None, key: str = "", **how) -> Opened:
        """Open, and acknowledge as told whatever that breaks; `breaks` of the result has all of it."""
        opened = self.open(lease, key, **how)
        breaks = opened.breaks
        self.obey(breaks)
        while opened.waiting:
            opened = self.open(lease, key, **how, waited=True)
            self.obey(opened.breaks)
            breaks += opened.breaks
        opened.breaks = breaks
        return opened

    def obey(self, breaks: tuple[Break, ...]) -> None:
        for one in breaks:
            if one.acknowledge:
                assert self.acknowledge(one.holder, one.new_state).status == 0

    def acknowledge(self, holder: Holder, state: int) -> Acknowledged:
        return self.table.transact_nowait(NODE, lambda record: acknowledge(record, holder, state))

    def expire(self, holder: Holder) -> None:
        self.table.transact_nowait(NODE, lambda record: (expire(record, holder), None))

    def write(self, open_id: int, *, waited: bool = False) -> Conflict:
        return self.table.transact_nowait(NODE, lambda record: break_for_write(record or EMPTY, open_id, waited=waited))

    def read(self, open_id: int, *, waited: bool = False) -> Conflict:
        return self.table.transact_nowait(NODE, lambda record: break_for_read(record or EMPTY, open_id, waited=waited))

    def rename(self, open_id: int | None, *, waited: bool = False) -> Conflict:
        return self.table.transact_nowait(
            NODE, lambda record: break_for_name_change(record or EMPTY, open_id, waited=waited)
        )

    def change_entry(self, owner: str, parent: str = "") -> Conflict:
        by = (owner, key_of(parent) if parent else b"")
        return self.table.transact_nowait(NODE, lambda record: break_for_directory_change(record or EMPTY, by))

    def close(self, open_id: int) -> Closed:
        return self.table.transact_nowait(NODE, lambda record: close_open(record, open_id))

    def holds(self, key: str, owner: str = "client") -> str | None:
        """What a lease is worth now; None if there is no such lease."""
        lease = find_lease(self.record, (owner, key_of(key), 0))
        return None if lease is None else letters(lease.state)

    def level(self, open_id: int, owner: str = "client") -> str:
        """What an oplock is worth now."""
        lease = find_lease(self.record, (owner, b"", open_id))
        return "" if lease is None else letters(lease.state)
