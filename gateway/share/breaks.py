"""Breaks as they happen: telling the holders of oplocks and leases, waiting for them, and giving them up.

[MS-SMB2] 3.3.2.1, 3.3.2.5 (timers), 3.3.4.6, 3.3.4.7, 3.3.5.22, 3.3.6.1, 3.3.6.5. What is broken, and for whom, is in
`breaking`; here are those who hold and those who wait.

No task stands behind a break. Whoever waits for it gives it up when its time is over; if nobody waits, it is given up
when somebody looks, which is as good.
"""

import logging
import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol

import trio

from gateway.nt.status import STATUS_REQUEST_NOT_ACCEPTED
from gateway.share.breaking import (
    Conflict,
    admit,
    break_for_directory_change,
    break_for_name_change,
    break_for_read,
    break_for_write,
)
from gateway.share.leases import (
    HANDLE_CACHING,
    NOTHING,
    Acknowledged,
    Break,
    Granted,
    Holder,
    LeaseRequest,
    acknowledge,
    expire,
    find_lease,
    grant,
    limit,
)
from gateway.share.opens import Open
from gateway.share.record import FileRecord, OpenEntry
from gateway.share.table import Table
from vfs_backends.api import NodeId
from vfs_backends.inline import may_wait

__all__ = ["BREAK_SECONDS", "Breaks", "LeaseHolder", "Rule"]

log = logging.getLogger("gateway.oplock")

BREAK_SECONDS: Final = 35.0
"""How long a holder may take to acknowledge."""

Rule = Callable[[FileRecord, bool], tuple[FileRecord, Conflict]]
"""What an operation breaks, of those in `breaking`; its second argument is `waited`."""


class LeaseHolder(Protocol):
    """A front end's side of an open that has an oplock or belongs to a lease."""

    def broken(self, told: Break, *, since: float | None = None) -> Hashable | None:
        """Tell the client, and return the way by which it was told; None if it cannot be reached (any more).

        If it was told before, `since` says when, on trio's clock; then only ways are good that are not known to be
        slow.

        Must not wait.
        """


class _Held:
    """A lease, or an oplock, as long as there are opens to it."""

    __slots__ = ("absent", "deadline", "members", "node_id", "spares_absent", "told", "way")

    def __init__(self, node_id: NodeId) -> None:
        self.node_id = node_id
        self.members: dict[int, LeaseHolder] = {}
        """Its opens, by open id."""
        self.absent: dict[int, LeaseHolder] = {}
        """Those of its opens whose client is gone."""
        self.deadline = math.inf
        """When the break in progress is given up, on trio's clock."""
        self.told: Break | None = None
        """What is to be acknowledged."""
        self.way: Hashable | None = None
        """How the client was told."""
        self.spares_absent = False
        """Whether the break in progress would have left an open whose client is gone."""

    def tell(self, told: Break, seconds: float, *, spares_absent: bool) -> bool:
        """Tell the client by whichever open reaches it. If none does (False), the break is over at once."""
        way = self._way(told, spares_absent)
        self.spares_absent = spares_absent
        if way is not None:
            if told.acknowledge:
                self.told, self.way = told, way
                self.deadline = min(self.deadline, trio.current_time() + seconds)
            return True
        self.told, self.way, self.deadline = None, None, -math.inf if told.acknowledge else math.inf
        return False

    def tell_again(self, told: Break, since: float) -> None:
        """Tell the client by another way, if there is a better one. The time for the answer does not begin anew."""
        for member in self.members.values():
            way = member.broken(told, since=since)
            if way is not None:
                self.way = way
                return

    def _way(self, told: Break, spares_absent: bool) -> Hashable | None:
        """The way by which the client was told; None if there is none."""
        way = None
        for member in self.members.values():
            way = member.broken(told)
            if way is not None:
                break
        if self.absent and not spares_absent and (way is None or not told.new_state & HANDLE_CACHING):
            for member in list(self.absent.values()):
                left = member.broken(told)
                way = left if way is None else way
        return way

    def settle(self) -> None:
        """No break is in progress any more."""
        self.told, self.way, self.deadline, self.spares_absent = None, None, math.inf, False


class _Bell:
    """Rings when a file's leases have changed."""

    __slots__ = ("event",)

    def __init__(self) -> None:
        self.event = trio.Event()

    def ring(self) -> None:
        self.event.set()
        self.event = trio.Event()


class Breaks:
    """Who holds what of the files of one table, and who waits for it."""

    def __init__(self, table: Table, seconds: float = BREAK_SECONDS) -> None:
        self.table = table
        self.seconds = seconds
        self._held: dict[Holder, _Held] = {}
        self._directories: set[NodeId] = set()
        """Those that somebody has a lease on."""
        self._waiting: dict[NodeId, set[_Bell]] = {}
        self.backed: dict[NodeId, Callable[[], None]] = {}
        """Files whose leases stand on something else, which has to be told before those who wait look again."""

    @property
    def watches_directories(self) -> bool:
        """Whether anybody has a lease on any directory: if not, no change of one has to be looked at."""
        return bool(self._directories)

    @property
    def idle(self) -> bool:
        """Whether nobody holds or waits for anything."""
        return not (self._held or self._directories or self._waiting)

    # --- holders

    def is_key_free(self, owner: Hashable, key: bytes, node_id: NodeId | None) -> bool:
        """Whether a lease key may be used for this file (None: for a new one): a lease is for one file."""
        held = self._held.get((owner, key, 0))
        return held is None or held.node_id == node_id

    async def grant(self, one: Open, request: LeaseRequest, holder: LeaseHolder) -> Granted:
        """Give an open what it may have of what it asks for; once, when its client is about to be told of the open.

        [MS-FSA] 2.1.5.18. `holder` will be told of breaks until the open is closed.
        """
        name = one.lease_holder
        if not self.is_key_free(one.owner, one.lease_key, one.node_id):
            return NOTHING
        held = self._held.setdefault(name, _Held(one.node_id))
        held.members[one.open_id] = holder
        granted = await self.table.transact(
            one.node_id, lambda record: (None, NOTHING) if record is None else grant(record, one.open_id, request)
        )
        if find_lease(self.table.peek_nowait(one.node_id), name) is None:
            self._leave(one)
        elif one.is_directory:
            self._directories.add(one.node_id)
        log.debug("%s: granted %d of %d", one.path, granted.state, request.state)
        return granted

    async def limit(self, one: Open, state: int, *, is_whole: bool) -> Granted:
        """What was granted just now is to be no more than `state`. See `LeaseEntry.is_whole`."""
        name = one.lease_holder
        granted = await self.table.transact(one.node_id, lambda record: limit(record, name, state, is_whole=is_whole))
        if find_lease(self.table.peek_nowait(one.node_id), name) is None:
            self._leave(one)
        return granted

    async def acknowledge(self, name: Holder, state: int) -> Acknowledged:
        """A holder has answered a break. [MS-SMB2] 3.3.5.22.1, 3.3.5.22.2."""
        held = self._held.get(name)
        if held is None:
            return acknowledge(None, name, state)[1]
        late = held.deadline <= trio.current_time()

        def step(record: FileRecord | None) -> tuple[FileRecord | None, Acknowledged]:
            return acknowledge(expire(record, name) if late else record, name, state)

        outcome = await self.table.transact(held.node_id, step)
        log.debug("inode %d: a break to %d is acknowledged", held.node_id.inode, state)
        if late or outcome.status != STATUS_REQUEST_NOT_ACCEPTED:
            held.settle()
        if outcome.following is not None:
            # The client must have the answer first. Until the message is sent, the time for it runs already.
            held.deadline = trio.current_time() + self.seconds
            trio.lowlevel.current_trio_token().run_sync_soon(self._tell, outcome.following)
        self.ring(held.node_id)
        return outcome

    def spares(self, one: Open) -> bool:
        """Whether the break in progress of an open's lease or oplock would have left it, had its client been gone."""
        held = self._held.get(one.lease_holder)
        return held is not None and held.spares_absent

    def left(self, one: Open, holder: LeaseHolder) -> None:
        """An open with a lease or oplock has lost its client: from now on `holder` decides what becomes of it."""
        held = self._held[one.lease_holder]
        del held.members[one.open_id]
        held.absent[one.open_id] = holder

    def returned(self, one: Open, holder: LeaseHolder) -> None:
        """The client of an open that had `left` is back; `holder` reaches it."""
        held = self._held[one.lease_holder]
        del held.absent[one.open_id]
        held.members[one.open_id] = holder

    def closed(self, one: Open) -> None:
        """An open has ended, and is in the record no more."""
        if self.idle:
            return
        self._leave(one)
        if one.node_id in self._directories and not self._has_leases(one.node_id):
            self._directories.discard(one.node_id)
        self.ring(one.node_id)

    def _leave(self, one: Open) -> None:
        held = self._held.get(one.lease_holder)
        if held is None:
            return
        held.members.pop(one.open_id, None)
        held.absent.pop(one.open_id, None)
        if not held.members and not held.absent:
            del self._held[one.lease_holder]

    def _has_leases(self, node_id: NodeId) -> bool:
        record = self.table.peek_nowait(node_id)
        return record is not None and bool(record.leases)

    def lost(self, way: Hashable) -> None:
        """What was told this way, and is not acknowledged, may never have arrived: tell it by another, if there is one.

        [MS-SMB2] 3.3.4.7. The time for the acknowledgement does not begin anew.
        """
        for held in list(self._held.values()):
            if held.told is not None and held.way == way:
                self._tell(held.told, spares_absent=held.spares_absent)

    def delayed(self, way: Hashable) -> None:
        """What was told this way takes its time: tell it by another as well, if there is a better one."""
        for held in list(self._held.values()):
            if held.told is not None and held.way == way:
                held.tell_again(held.told, held.deadline - self.seconds)

    # --- breaking

    async def settle(self, node_id: NodeId, rule: Rule, *, spares_absent: bool = False) -> bool:
        """Before an operation on a file: break what `rule` says, and wait until nobody has to be waited for.

        True if anybody had to be told or waited for: the world may have moved. Cancelling it takes nothing back.
        With `spares_absent`, an open whose client is gone loses its lease or oplock, but stays.
        """
        record = self.table.peek_nowait(node_id)
        if record is None or not record.leases:
            return False
        conflict = rule(record, False)[1]
        if not conflict.breaks and not conflict.wait_for:
            return False
        may_wait()
        with self._listen(node_id) as bell:
            waited = False
            while True:
                event = bell.event
                conflict = await self.table.transact(node_id, partial(_apply, rule, waited))
                self.tell(conflict.breaks, spares_absent=spares_absent)
                if not conflict.wait_for:
                    return True
                await self._wait(node_id, event, conflict.wait_for)
                waited = True

    async def before_opening(
        self, node_id: NodeId, entry: OpenEntry, *, overwrite: bool = False, spares_absent: bool = False
    ) -> bool:
        """Before a file is opened, if somebody has to be waited for until that may be. True if that took a while."""

        def rule(record: FileRecord, waited: bool) -> tuple[FileRecord, Conflict]:
            changed, admission = admit(record, entry, overwrite=overwrite, waited=waited)
            return changed or record, admission.conflict

        return await self.settle(node_id, rule, spares_absent=spares_absent)

    async def before_change(self, one: Open) -> None:
        """Before an open changes contents or size, or locks a range."""
        await self.settle(one.node_id, lambda record, waited: break_for_write(record, one.open_id, waited=waited))

    async def before_read(self, one: Open) -> None:
        """Before an open reads."""
        await self.settle(one.node_id, lambda record, waited: break_for_read(record, one.open_id, waited=waited))

    async def before_name_change(self, node_id: NodeId, open_id: int | None, *, spares_absent: bool = False) -> bool:
        """Before a file gets or loses a name, or becomes delete pending, by this open or by somebody without one.

        True if that took a while.
        """

        def rule(record: FileRecord, waited: bool) -> tuple[FileRecord, Conflict]:
            return break_for_name_change(record, open_id, waited=waited)

        return await self.settle(node_id, rule, spares_absent=spares_absent)

    def tell(self, breaks: Iterable[Break], *, spares_absent: bool = False) -> None:
        """Tell the holders. The record must have been stored."""
        for told in breaks:
            self._tell(told, spares_absent=spares_absent)

    async def directory_changed(self, node_id: NodeId, by: tuple[Hashable, bytes]) -> None:
        """An entry of this directory was added, removed or changed by an open of that owner and parent lease key."""
        if node_id not in self._directories:
            return
        conflict = await self.table.transact(
            node_id, lambda record: (None, Conflict()) if record is None else break_for_directory_change(record, by)
        )
        self.tell(conflict.breaks)

    def ring(self, node_id: NodeId) -> None:
        """Let those who wait for this file look again."""
        backed = self.backed.get(node_id)
        if backed is not None:
            backed()
        for bell in self._waiting.get(node_id, ()):
            bell.ring()

    def _tell(self, told: Break, *, spares_absent: bool = False) -> None:
        held = self._held.get(told.holder)
        if held is not None:
            log.debug("inode %d: broken from %d to %d", held.node_id.inode, told.old_state, told.new_state)
        if held is not None and not held.tell(told, self.seconds, spares_absent=spares_absent):
            self.ring(held.node_id)

    @contextmanager
    def _listen(self, node_id: NodeId) -> Iterator[_Bell]:
        bell = _Bell()
        bells = self._waiting.setdefault(node_id, set())
        bells.add(bell)
        try:
            yield bell
        finally:
            bells.discard(bell)
            if not bells:
                del self._waiting[node_id]

    async def _wait(self, node_id: NodeId, event: trio.Event, wait_for: Sequence[Holder]) -> None:
        """Wait until something has changed; whose time is over by then loses what it was to give up."""
        # One that was not told yet has no deadline; then looking again is all that can be done.
        latest = trio.current_time() + self.seconds
        with trio.move_on_at(min(latest, *map(self._deadline, wait_for))):
            await event.wait()
            return
        late = [name for name in wait_for if self._deadline(name) <= trio.current_time()]

        def give_up(record: FileRecord | None) -> tuple[FileRecord | None, None]:
            for name in late:
                record = expire(record, name)
            return record, None

        with trio.CancelScope(shield=True):
            await self.table.transact(node_id, give_up)
        for name in late:
            held = self._held.get(name)
            if held is not None:
                log.info("a break was not acknowledged in %.0f s; the lease or oplock is lost", self.seconds)
                held.settle()
        self.ring(node_id)

    def _deadline(self, name: Holder) -> float:
        held = self._held.get(name)
        return -math.inf if held is None else held.deadline


def _apply(rule: Rule, waited: bool, record: FileRecord | None) -> tuple[FileRecord | None, Conflict]:
    return (None, Conflict()) if record is None else rule(record, waited)
