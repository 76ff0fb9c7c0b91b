"""Opens whose clients have gone, and may come back for them. [MS-SMB2] 3.3.1.10 (durable opens), 3.3.2.2, 3.3.7.1.

Such an open keeps everything: its share modes, locks, lease or oplock, and that it deletes its file in the end. But
nobody waits for it. Whoever needs what it has takes it, and it is closed; so it is when its time is over, and when its
client finds that others have changed the file meanwhile.

An open is given back, or closed, and that once: who is to be closed does not come back any more.
"""

import logging
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from typing import Final, Protocol

import trio

from gateway.share.breaks import LeaseHolder
from gateway.share.durable import Seen, Terms, keeps_handle, seen
from gateway.share.leases import Break
from gateway.share.opens import Open
from gateway.share.record import OpenEntry
from gateway.share.sharemodes import CHANGES, conflicting_opens
from gateway.share.times import settle_write_time
from vfs_backends.api import NodeId, Stat
from vfs_backends.errors import VfsError
from vfs_backends.inline import may_wait

__all__ = ["Absent", "Disconnected", "Kept"]

log = logging.getLogger("gateway.vfs")

_MOST: Final = 4096
_MOST_OF_ONE: Final = 1024


class Kept(Protocol):
    """What a front end keeps with an open until its client is back."""

    def ended(self) -> None:
        """The open is not disconnected any more: it was given back, or closed."""


class Absent:
    """A disconnected open; the holder of its lease or oplock."""

    __slots__ = ("_owner", "companions", "deadline", "gone", "is_taken", "kept", "one", "ready", "seen", "terms")

    def __init__(self, owner: "Disconnected", one: Open, terms: Terms, kept: Kept, companions: set[int]) -> None:
        self._owner = owner
        self.one = one
        self.terms = terms
        self.kept = kept
        self.ready = trio.Event()
        """The last request of its client is over, and the file was looked at."""
        self.seen = Seen(0, 0, 0)
        """What the file looked like after the last change by its own client."""
        self.companions = companions
        """Ids of other opens by which its own client may be changing the file. Until they are closed, what others
        change is not told from that; the client is there, and its leases are broken as ever."""
        self.deadline = trio.current_time() + terms.seconds
        self.is_taken = False
        """Whether somebody needs what it has: it does not come back."""
        self.gone = trio.Event()
        """It is closed."""

    def broken(self, told: Break, *, since: float | None = None) -> Hashable:
        """Somebody else needs what it has: it is closed, which ends the break. Nothing is told twice here."""
        self._owner.give_up(self)
        return self


class Disconnected:
    """All disconnected opens of a table. `most`: how many there may be, and of one user."""

    def __init__(self, most: int = _MOST, most_of_one: int = _MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self.absent: dict[int, Absent] = {}
        """By open id."""
        self._of_file: dict[NodeId, list[Absent]] = {}
        self._of_user: Counter[Hashable] = Counter()
        self._changed = trio.Event()
        """A time may be over earlier than before."""
        self._sweeps = False

    def __len__(self) -> int:
        return len(self.absent)

    def __iter__(self) -> Iterator[Absent]:
        return iter(list(self.absent.values()))

    # --- going

    def may_keep(self, one: Open, terms: Terms) -> bool:
        """Whether an open may wait for its client, which is about to go."""
        share = one.share
        if not keeps_handle(share.record(one), one, is_spared=share.breaks.spares(one)):
            return False
        return len(self.absent) < self._most and self._of_user[terms.user] < self._most_of_one

    def leaves(self, one: Open, terms: Terms, kept: Kept) -> None:
        """The session of an open that may be kept is at its end. Requests may use it until it `has_left`."""
        absent = Absent(self, one, terms, kept, self._companions(one))
        self.absent[one.open_id] = absent
        self._of_file.setdefault(one.node_id, []).append(absent)
        self._of_user[terms.user] += 1
        one.share.breaks.left(one, absent)
        self._sweep_in_time()
        log.debug("%s: kept for %.0f s", one.path, terms.seconds)

    async def has_left(self, one: Open) -> bool:
        """No request uses an open any more whose session has ended; whether it is kept, or was given up already.

        Otherwise it is the caller's, to be closed.
        """
        absent = self.absent.get(one.open_id)
        if absent is None:
            return False
        try:
            await settle_write_time(one)
            absent.seen = seen(await one.handle.stat())
        except VfsError as error:
            log.info("%s: cannot be looked at: %s", one.path, error)
            self.give_up(absent)
        finally:
            absent.ready.set()
        await self._left(one)
        return True

    def _companions(self, one: Open) -> set[int]:
        record = one.share.record(one)
        return {
            entry.open_id
            for entry in (() if record is None else record.opens)
            if entry.owner == one.owner
            and entry.granted_access & CHANGES
            and entry.open_id != one.open_id
            and entry.open_id not in self.absent
        }

    # --- coming back

    async def find(self, open_id: int) -> Absent | None:
        """The disconnected open of this id, if its time is not over. A client may be back before its last session."""
        absent = self.absent.get(open_id)
        if absent is not None and not absent.ready.is_set():
            may_wait()
            await absent.ready.wait()
            absent = self.absent.get(open_id)
        if absent is not None and absent.deadline <= trio.current_time():
            self.give_up(absent)
            return None
        return absent

    async def look(self, absent: Absent) -> Stat | None:
        """What the file of an open that shall go back to its client looks like.

        None if it does not come back: others have changed the file meanwhile, or need the open.
        """
        path = absent.one.path
        try:
            stat = await absent.one.handle.stat()
        except VfsError as error:
            log.info("%s: cannot be looked at again: %s", path, error)
            self.give_up(absent)
            return None
        if absent.is_taken or self.absent.get(absent.one.open_id) is not absent:
            return None
        if seen(stat) != absent.seen and not absent.companions:
            self._changed_by_others(absent)
            return None
        return stat

    def give_back(self, absent: Absent, holder: LeaseHolder) -> None:
        """Give an open, which was looked at just now, to its client, who is told of breaks by `holder`."""
        one = absent.one
        self._forget(absent)
        self.opened(one)
        one.share.breaks.returned(one, holder)

    def _changed_by_others(self, absent: Absent) -> None:
        log.info("%s: others have changed it since its client was lost", absent.one.path)
        self.give_up(absent)

    # --- what else happens to their files

    def looked(self, stat: Stat) -> None:
        """A file looks like this; who looked has not changed it yet."""
        for absent in self._of_file.get(stat.node_id, ()):
            is_known = absent.ready.is_set() and not absent.companions and not absent.one.stream
            if is_known and stat.version > absent.seen.version:
                self._changed_by_others(absent)

    def opened(self, one: Open) -> None:
        """A file has one open more."""
        if one.granted_access & CHANGES:
            for absent in self._of_file.get(one.node_id, ()):
                if absent.one.owner == one.owner:
                    absent.companions.add(one.open_id)

    async def _left(self, one: Open) -> None:
        """An open is not there any more by which its client may have changed the file."""
        for absent in list(self._of_file.get(one.node_id, ())):
            if one.open_id in absent.companions:
                try:
                    stat = await absent.one.handle.stat()
                except VfsError as error:
                    log.info("%s: cannot be looked at any more: %s", absent.one.path, error)
                    self.give_up(absent)
                    continue
                absent.companions.discard(one.open_id)
                if not absent.companions:
                    absent.seen = seen(stat)

    # --- staying away

    def oldest(self) -> Absent | None:
        """The one that has waited longest for its client."""
        return next((absent for absent in self.absent.values() if not absent.is_taken), None)

    def give_up(self, absent: Absent) -> None:
        """Close an open without waiting for that. May be called again."""
        if not absent.is_taken:
            absent.is_taken = True
            # Nobody's task: whoever needs it may be cancelled, or be the kernel.
            trio.lowlevel.spawn_system_task(self._close, absent)

    async def _close(self, absent: Absent) -> None:
        await absent.ready.wait()
        try:
            await absent.one.share.close(absent.one)
        except Exception:  # the barrier for defects of what is nobody's task: one must not end the server
            log.exception("%s: a disconnected open was not closed well", absent.one.path)
        finally:
            absent.gone.set()

    async def closed(self, one: Open) -> None:
        """An open has ended; its handle is there yet."""
        absent = self.absent.get(one.open_id)
        if absent is not None:
            absent.is_taken = True
            self._forget(absent)
            absent.gone.set()
        await self._left(one)
        record = one.share.record(one)
        if record is not None and record.pending and all(entry.open_id in self.absent for entry in record.opens):
            # Nobody else would let the file go.
            for other in list(self._of_file.get(one.node_id, ())):
                self.give_up(other)

    def _forget(self, absent: Absent) -> None:
        one = absent.one
        del self.absent[one.open_id]
        beside = self._of_file[one.node_id]
        beside.remove(absent)
        if not beside:
            del self._of_file[one.node_id]
        user = absent.terms.user
        self._of_user[user] -= 1
        if not self._of_user[user]:
            del self._of_user[user]
        absent.kept.ended()

    def denying(self, one: OpenEntry, node_id: NodeId) -> list[Absent]:
        """Those whose share modes do not let a file be opened."""
        beside = self._of_file.get(node_id)
        record = beside[0].one.share.record(beside[0].one) if beside else None
        if record is None:
            return []
        ids = [entry.open_id for entry in conflicting_opens(record, one)]
        return [absent for open_id in ids if (absent := self.absent.get(open_id)) is not None]

    async def give_way(self, one: OpenEntry, node_id: NodeId) -> None:
        """Close those whose share modes do not let a file be opened."""
        await self._give_up_all(self.denying(one, node_id))

    async def leave_files(self, node_ids: Iterable[NodeId]) -> bool:
        """Close those of some files, where it matters that these are open at all; whether there were any."""
        return await self._give_up_all([absent for each in node_ids for absent in self._of_file.get(each, ())])

    async def _give_up_all(self, those: list[Absent]) -> bool:
        for absent in those:
            may_wait()
            self.give_up(absent)
            await absent.gone.wait()
        return bool(those)

    # --- time

    def _sweep_in_time(self) -> None:
        self._changed.set()
        if not self._sweeps:
            self._sweeps = True
            trio.lowlevel.spawn_system_task(self._sweep)

    async def _sweep(self) -> None:
        """Close the opens whose time is over, for as long as there are any."""
        try:
            while self.absent:
                self._changed = trio.Event()
                waiting = [absent.deadline for absent in self.absent.values() if not absent.is_taken]
                with trio.move_on_at(min(waiting, default=math.inf)):
                    await self._changed.wait()
                now = trio.current_time()
                for absent in self:
                    if absent.deadline <= now:
                        self.give_up(absent)
        finally:
            self._sweeps = False
