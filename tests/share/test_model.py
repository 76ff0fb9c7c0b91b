"""Several clients at one file, at random: whatever they do, nobody ever has what cannot be had together.

The clients know only what they were told. What they believe to have, and what they wait for, is compared with the
record after every step, by plain pairwise definitions that share nothing with the rules.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from acl.mask import DELETE, FILE_READ_ATTRIBUTES, FILE_READ_DATA, FILE_WRITE_DATA
from gateway.nt.status import STATUS_DELETE_PENDING, STATUS_INVALID_PARAMETER, STATUS_SHARING_VIOLATION
from gateway.share.breaking import NO_CONFLICT, Conflict
from gateway.share.closing import clear_delete_pending, set_delete_pending
from gateway.share.leases import HANDLE_CACHING, READ_CACHING, WRITE_CACHING, Break, Holder
from gateway.share.locks import acquire, cancel_wait, release, wait_for
from gateway.share.record import EMPTY, FileRecord, LockEntry
from tests.share.one_file import NODE, OneFile, Opened, bits, key_of

REFUSALS = {STATUS_SHARING_VIOLATION, STATUS_DELETE_PENDING, STATUS_INVALID_PARAMETER}
OWNERS = ["ann", "bob", "cid"]
STREAMS = ["", "", "", ":s"]
READ, WRITE, STAT = FILE_READ_DATA, FILE_WRITE_DATA, FILE_READ_ATTRIBUTES
USES = READ | WRITE | DELETE


@dataclass
class Pending:
    """Somebody who waits for breaks."""

    again: Callable[[], tuple[Holder, ...]]
    """Tries once more, and gives whom it has to go on waiting for."""
    wait_for: tuple[Holder, ...]


@dataclass
class Client:
    believes: dict[Holder, int] = field(default_factory=dict)
    """What it may cache."""
    asked: dict[Holder, int] = field(default_factory=dict)
    """What it is to acknowledge."""


class ManyClients(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.file = OneFile()
        self.clients = {owner: Client() for owner in OWNERS}
        self.opens: dict[int, str] = {}
        self.pending: list[Pending] = []
        self.tickets = 0
        self.waiting_locks: dict[int, LockEntry] = {}

    @property
    def record(self) -> FileRecord:
        return self.file.record or EMPTY

    # --- what the server does around the rules

    def tell(self, breaks: tuple[Break, ...]) -> None:
        for one in breaks:
            client = self.clients[str(one.holder[0])]
            assert client.believes[one.holder] == one.old_state
            assert one.new_state & ~one.old_state == 0
            assert one.new_state != one.old_state
            if one.acknowledge:
                assert one.holder not in client.asked, "told twice"
                client.asked[one.holder] = one.new_state
            else:
                client.believes[one.holder] = one.new_state

    def look_again(self) -> None:
        """Everybody who waits has been woken."""
        waiting, self.pending = self.pending, []
        for one in waiting:
            one.wait_for = one.again()
            if one.wait_for:
                self.pending.append(one)

    def attempt(self, operation: Callable[[bool], Conflict]) -> None:
        def again(waited: bool = True) -> tuple[Holder, ...]:
            conflict = operation(waited)
            self.tell(conflict.breaks)
            return conflict.wait_for

        holders = again(False)
        if holders:
            self.pending.append(Pending(again, holders))

    def forget(self, holder: Holder) -> None:
        client = self.clients[str(holder[0])]
        client.believes.pop(holder, None)
        client.asked.pop(holder, None)

    # --- what clients do

    @rule(
        owner=st.sampled_from(OWNERS),
        stream=st.sampled_from(STREAMS),
        access=st.sampled_from([READ, READ | WRITE, READ | WRITE | DELETE, DELETE, STAT]),
        share=st.sampled_from([0, 1, 3, 7, 7, 7]),
        kind=st.sampled_from(["", "s", "x", "b", "aR", "aRH", "aRW", "aRWH", "bRWH", "bRH", "b"]),
        overwrite=st.sampled_from([False, False, True]),
        doc=st.sampled_from([False, False, False, True]),
    )
    def open(self, owner, stream, access, share, kind, overwrite, doc) -> None:
        how = {"oplock": kind} if len(kind) < 2 else {"lease": kind[1:], "key": kind[0] + stream[1:]}
        if doc:
            access |= DELETE

        def step(waited: bool) -> Conflict:
            opened = self.file.open(
                **how,
                owner=owner,
                stream=stream,
                access=access,
                share=share,
                overwrite=overwrite,
                doc=doc,
                waited=waited,
            )
            self.tell(opened.breaks)
            if opened.open_id:
                self.opened(opened, owner, how)
            elif not opened.waiting:
                assert opened.status in REFUSALS
            return Conflict((), opened.waiting)

        self.attempt(step)

    def opened(self, opened: Opened, owner: str, how: dict[str, str]) -> None:
        self.opens[opened.open_id] = owner
        holder = (owner, key_of(how["key"]), 0) if "key" in how else (owner, b"", opened.open_id)
        if "key" in how or opened.granted.state:
            self.clients[owner].believes[holder] = opened.granted.state

    @precondition(lambda self: self.opens)
    @rule(data=st.data(), what=st.sampled_from(["write", "write", "read", "rename", "delete", "keep"]))
    def use(self, data, what) -> None:
        open_id = data.draw(st.sampled_from(sorted(self.opens)))
        if what in ("delete", "keep"):
            change = (
                set_delete_pending if what == "delete" else lambda record, one, _: clear_delete_pending(record, one)
            )
            self.file.table.transact_nowait(NODE, lambda record: (change(record or EMPTY, open_id, "token"), None))
            return

        def step(waited: bool) -> Conflict:
            if open_id not in self.opens:
                return NO_CONFLICT
            function = {"write": self.file.write, "read": self.file.read, "rename": self.file.rename}[what]
            return function(open_id, waited=waited)

        self.attempt(step)

    @precondition(lambda self: any(client.asked for client in self.clients.values()))
    @rule(data=st.data(), keep=st.integers(0, 7), in_time=st.sampled_from([True, True, False]))
    def answer(self, data, keep, in_time) -> None:
        client = data.draw(st.sampled_from([client for client in self.clients.values() if client.asked]))
        holder = data.draw(st.sampled_from(sorted(client.asked, key=repr)))
        if not in_time:
            self.give_up(holder)
            return
        acknowledged = self.file.acknowledge(holder, keep & client.asked.pop(holder))
        assert acknowledged.status == 0
        assert acknowledged.state & ~keep == 0
        client.believes[holder] = acknowledged.state
        if acknowledged.following is not None:
            self.tell((acknowledged.following,))
        self.look_again()

    def give_up(self, holder: Holder) -> None:
        client = self.clients[str(holder[0])]
        del client.asked[holder]
        client.believes[holder] = 0
        self.file.expire(holder)
        self.look_again()

    @precondition(lambda self: self.opens)
    @rule(data=st.data())
    def close(self, data) -> None:
        self.close_one(data.draw(st.sampled_from(sorted(self.opens))))

    def close_one(self, open_id: int) -> None:
        owner = self.opens.pop(open_id)
        closed = self.file.close(open_id)
        assert closed.entry is not None
        assert closed.entry.owner == owner
        for lease in closed.leases:
            self.forget(lease.holder)
        for lock in (*closed.granted, *closed.abandoned):
            assert self.waiting_locks.pop(lock.ticket) == lock
        self.look_again()

    # --- locks

    @precondition(lambda self: self.opens)
    @rule(
        data=st.data(),
        exclusive=st.booleans(),
        offset=st.integers(0, 3),
        length=st.sampled_from([0, 1, 2, 4, 4]),
        wait=st.sampled_from([True, True, False]),
    )
    def lock(self, data, exclusive, offset, length, wait) -> None:
        open_id = data.draw(st.sampled_from(sorted(self.opens)))
        stream = next(entry.stream for entry in self.record.opens if entry.open_id == open_id)
        self.tickets += 1
        wanted = LockEntry(open_id, offset, length, exclusive, stream, self.tickets)
        if not wait:
            self.file.table.transact_nowait(NODE, lambda record: acquire(record or EMPTY, [wanted]))
            return
        outcome = self.file.table.transact_nowait(NODE, lambda record: wait_for(record or EMPTY, wanted))
        if outcome.status:
            self.waiting_locks[wanted.ticket] = wanted

    @precondition(lambda self: self.record.locks)
    @rule(data=st.data())
    def unlock(self, data) -> None:
        lock = data.draw(st.sampled_from(self.record.locks))
        outcome = self.file.table.transact_nowait(NODE, lambda record: release(record or EMPTY, [lock]))
        assert outcome.status == 0
        for granted in outcome.granted:
            assert self.waiting_locks.pop(granted.ticket) == granted

    @precondition(lambda self: self.waiting_locks)
    @rule(data=st.data())
    def stop_waiting(self, data) -> None:
        lock = self.waiting_locks.pop(data.draw(st.sampled_from(sorted(self.waiting_locks))))
        assert self.file.table.transact_nowait(NODE, lambda record: cancel_wait(record or EMPTY, lock))

    # --- what holds at all times

    @invariant()
    def opens_share(self) -> None:
        used = [entry for entry in self.record.opens if entry.granted_access & USES]
        assert {entry.open_id for entry in self.record.opens} == set(self.opens)
        for one in used:
            for other in used:
                if one is other:
                    continue
                needs = sum(bit for right, bit in ((READ, 1), (WRITE, 2), (DELETE, 4)) if one.granted_access & right)
                if one.stream == other.stream:
                    assert needs & ~other.share_access == 0
                elif not one.stream:
                    assert needs & 4 & ~other.share_access == 0

    @invariant()
    def clients_know_what_they_have(self) -> None:
        leases = {lease.holder: lease for lease in self.record.leases}
        believed = {holder: state for client in self.clients.values() for holder, state in client.believes.items()}
        assert {holder for holder in believed if holder[1]} == {holder for holder in leases if holder[1]}
        entries = self.record.opens
        for lease in leases.values():
            assert any(
                (one.owner, one.lease_key) == (lease.owner, lease.key) if lease.key else one.open_id == lease.open_id
                for one in entries
            )
        for holder, state in believed.items():
            assert (leases[holder].state if holder in leases else 0) == state
        asked = {holder: state for client in self.clients.values() for holder, state in client.asked.items()}
        assert asked == {holder: lease.breaking_to for holder, lease in leases.items() if lease.breaking_to is not None}

    @invariant()
    def caches_go_together(self) -> None:
        for lease in self.record.leases:
            assert lease.state in (0, bits("R"), bits("RH"), bits("RW"), bits("RWH"))
            others = [one for one in self.record.leases if one.stream == lease.stream and one is not lease]
            if lease.state & WRITE_CACHING:
                assert not any(one.state for one in others)
                for entry in self.record.opens:
                    mine = (entry.owner, entry.lease_key) == (lease.owner, lease.key) if lease.key else False
                    if entry.stream == lease.stream and not mine and entry.open_id != lease.open_id:
                        assert entry.granted_access == STAT
            if lease.state & HANDLE_CACHING and lease.key:
                assert not any(one.state & READ_CACHING and not one.key for one in others)

    @invariant()
    def locks_go_together(self) -> None:
        locks = self.record.locks
        for index, one in enumerate(locks):
            for other in locks[index + 1 :]:
                same_owner = one.open_id == other.open_id
                if (one.exclusive or other.exclusive) and not (same_owner and not other.exclusive):
                    assert not meet(one, other)

    @invariant()
    def nobody_who_waits_is_forgotten(self) -> None:
        breaking = {lease.holder for lease in self.record.leases if lease.breaking_to is not None}
        for pending in self.pending:
            assert set(pending.wait_for) <= breaking
        assert set(self.record.waiting) == set(self.waiting_locks.values())
        for lock in self.record.waiting:
            assert any(
                meet(lock, held)
                and (lock.exclusive or held.exclusive)
                and (lock.exclusive or held.open_id != lock.open_id)
                for held in self.record.locks
            )

    def teardown(self) -> None:
        """When all have gone, nothing is left, and everybody got an answer."""
        for _ in range(1000):
            asked = [holder for client in self.clients.values() for holder in client.asked]
            if not asked:
                break
            self.give_up(asked[0])
        assert not self.pending
        for open_id in sorted(self.opens):
            self.close_one(open_id)
        assert self.file.record is None
        assert not self.waiting_locks
        assert not any(holder[1] for client in self.clients.values() for holder in client.believes)


def meet(one: LockEntry, other: LockEntry) -> bool:
    """By enumeration: two ranges share a byte, or a gap lies strictly inside the other one."""
    if one.stream != other.stream:
        return False
    first, second = (range(lock.offset, lock.offset + lock.length) for lock in (one, other))
    if not first and not second:
        return False
    if first and second:
        return bool(set(first) & set(second))
    gap, whole = (one.offset, second) if not first else (other.offset, first)
    return gap in whole and gap - 1 in whole


TestManyClients = ManyClients.TestCase
TestManyClients.settings = settings(
    max_examples=120,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
