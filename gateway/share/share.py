"""The store's only door: every open, change and close of a shared file goes through a `Share`.

[MS-FSA] 2.1.5. In every operation checks come first, in the order access, share modes, locks; then the effect. What a
front end may ask without consequence (stat, reading attributes) it asks the open's handle.
"""

import itertools
import logging
import secrets
from collections.abc import Coroutine, Hashable
from typing import Any, Final

from acl.token import Token
from gateway.nt.constants import FILE_NOTIFY_CHANGE_LAST_WRITE, FILE_NOTIFY_CHANGE_SIZE
from gateway.share.access import Descriptors
from gateway.share.archiving import Archiving
from gateway.share.breaks import Breaks, LeaseHolder
from gateway.share.closing import Closed, close_open
from gateway.share.creating import open_file
from gateway.share.deleting import delete_name
from gateway.share.disconnected import Disconnected
from gateway.share.intent import OpenIntent
from gateway.share.kin import Family, Kin
from gateway.share.leases import Granted, LeaseRequest
from gateway.share.listing import contents_changed, directory_doomed, entry_changed
from gateway.share.locking import LockWaiters, OutsideLocks, check_outside, check_read, check_write
from gateway.share.notify import Watches
from gateway.share.opens import Open
from gateway.share.outside import Outside, begin_outside
from gateway.share.record import EMPTY, FileRecord, settled, with_pending
from gateway.share.remembered import Remembered
from gateway.share.settings import ShareSettings
from gateway.share.shortnames import Tunnel
from gateway.share.table import Table
from gateway.share.times import WriteTimes, kept_times, settle_write_time
from gateway.uncompiled import raise_after
from vfs_backends.api import Caller, Capability, FileSystem, Handle
from vfs_backends.extent import Extent
from vfs_backends.inline import may_suspend, may_wait, point_of_no_return

__all__ = ["Share"]

log = logging.getLogger("gateway.vfs")

_REMEMBERED_FILES: Final = 32768


class _OpenIds:
    """A client may name an open that it had before the server was started anew: it must not get another one."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = secrets.randbits(29) << 32

    def next(self) -> int:
        """A number that has not been given before."""
        self._last += 1
        return self._last


_open_ids: Final = _OpenIds()
_numbers: Final = itertools.count(1)


class Share:
    """One tree of files and everything that is open in it. `start` comes first, `aclose` last."""

    root: Handle

    def __init__(
        self,
        name: str,
        file_system: FileSystem,
        table: Table,
        descriptors: Descriptors,
        settings: ShareSettings,
        breaks: Breaks | None = None,
        lock_waiters: LockWaiters | None = None,
        write_times: WriteTimes | None = None,
        disconnected: Disconnected | None = None,
        archiving: Archiving | None = None,
        family: Family | None = None,
        directory: str | None = None,
    ) -> None:
        """`directory`: the real path of the root, if it has one that other shares of the family may have, too."""
        self.name = name
        self.fs = file_system
        self.table = table
        self.descriptors = descriptors
        self.settings = settings
        self.opens: dict[int, Open] = {}
        """All that is open, by open id."""
        self.lock_waiters = lock_waiters or LockWaiters()
        """Like `breaks`, the same for all shares of a table."""
        self.outside_locks: list[OutsideLocks] = []
        """Those who lock its files otherwise."""
        self.advised: set[Hashable] = set()
        """The owners of opens to whom such locks are but advice: programs, as among themselves."""
        self.attributes_lengths: Remembered[int] = Remembered(_REMEMBERED_FILES)
        """How long the extended attributes of files are."""
        self.kin: list[Kin] = []
        """Other shares with files of this one."""
        self._family, self._directory = family or Family(), directory
        self.watches = Watches(self.kin)
        self.breaks = breaks or Breaks(table)
        self.disconnected = Disconnected() if disconnected is None else disconnected
        self.write_times = write_times if settings.write_time_delay else None
        """None if writes show in the time of the last write at once."""
        self.archiving = (archiving or Archiving()) if settings.store_dos_attributes else None
        """Like `breaks`; None if there are no DOS attributes."""
        self.tunnel = Tunnel() if settings.short_names else None
        self._number = next(_numbers)
        self.volume_id = 0
        """64 bits that name the storage."""
        self._caller: tuple[Token | None, Caller | None, Caller | None] = None, None, None
        """Of the last token asked for: most requests come from the same few."""
        self.outside: Outside | None = None
        """Those who use the storage without the share, if anything is to be done about them."""

    async def start(self) -> None:
        """Get the storage ready. Raises `VfsError`; nothing stays open then."""
        await self.fs.start()
        try:
            await self._begin()
        except BaseException as error:  # also if it is cancelled: nobody would close the storage
            ending = raise_after(self.fs.aclose(), error)
        else:
            return
        await ending

    async def _begin(self) -> None:
        self.descriptors.begin(self.fs.capabilities)
        if Capability.DOS_ATTRIBUTES not in self.fs.capabilities:
            self.archiving = None
        self.root = await self.fs.root()
        self.volume_id = (await self.fs.statfs()).volume_id
        self.outside = begin_outside(self)
        if self._directory is not None:
            self._family.enter(self, self._directory)

    async def aclose(self) -> None:
        """Close what is still open, and the storage."""
        for one in list(self.opens.values()):
            await self.close(one)
        self._family.leave(self)
        if self.outside is not None:
            await self.outside.aclose()
        await self.root.aclose()
        await self.fs.aclose()

    def enter(self) -> None:
        """At the beginning of every operation on the storage: raises `NotNow` if it has to be in a task."""
        if not self.fs.inline:
            may_wait()

    def place(self, path: str) -> tuple[int, str]:
        """What stands for a name in records of files: other shares may have the same files by other paths."""
        return self._number, path

    def path_at(self, place: Hashable) -> str | None:
        """The path of a place in this share; None if it is in another one."""
        return str(place[1]) if isinstance(place, tuple) and place[0] == self._number else None

    def new_open_id(self) -> int:
        """A number that no other open of this process has."""
        return _open_ids.next()

    def open(self, intent: OpenIntent, token: Token) -> Coroutine[Any, Any, Open]:
        """Open or create a file. [MS-FSA] 2.1.5.1. Raises `StatusError` and `VfsError`; nothing has changed then."""
        return open_file(self, intent, token)

    def opened(self, one: Open) -> None:
        """The end of `open`, for those who want to know of it."""
        if self.disconnected.absent:
            self.disconnected.opened(one)
        if self.outside is not None:
            self.outside.opened(one)

    async def grant(self, one: Open, request: LeaseRequest, holder: LeaseHolder) -> Granted:
        """Give an open an oplock, or let it join its lease. [MS-FSA] 2.1.5.18. Once, before its client knows of it."""
        if self.outside is not None:
            return await self.outside.grant(one, request, holder)
        return await self.breaks.grant(one, request, holder)

    async def close(self, one: Open) -> None:
        """Close it, and delete what is to go with it. [MS-FSA] 2.1.5.5. May be called twice; never raises."""
        if one.closed:
            return
        self.enter()
        point_of_no_return()
        one.closed = True
        open_id, place = one.open_id, self.place(one.path)

        def end(record: FileRecord | None) -> tuple[FileRecord | None, Closed]:
            """What is to be deleted stays pending until it is."""
            left, closed = close_open(record, open_id, place)
            if closed.delete:
                left = left or EMPTY
                left = with_pending(left, (*left.pending, *closed.delete))
            return left, closed

        table = self.table
        closed = await table.transact(one.node_id, end) if may_suspend() else table.transact_nowait(one.node_id, end)
        self._tell(one, closed)
        try:
            if self.write_times is not None:
                await self.write_times.closed(one, deletes=bool(closed.delete))
            if closed.delete:
                await self._delete(one, closed)
            elif one.written:
                await entry_changed(self, one, 0)
        except BaseException as error:  # whatever it is: the open is gone
            ending = raise_after(self._forget(one), error)
        else:
            if self.disconnected.absent:
                await self._forget(one)
            elif not self._let_go(one):
                await one.handle.aclose()
            return
        await ending

    def _tell(self, one: Open, closed: Closed) -> None:
        """Let those know who wait for what the open held, and who watch what goes with it."""
        if closed.granted or closed.abandoned:
            self.lock_waiters.ring((*closed.granted, *closed.abandoned))
        for outside in self.outside_locks:
            outside.closed(one)
        if one.is_directory and closed.entry is not None and closed.entry.delete_on_close:
            directory_doomed(self, one)

    async def _forget(self, one: Open) -> None:
        if self.disconnected.absent:
            await self.disconnected.closed(one)
        if not self._let_go(one):
            await one.handle.aclose()

    def _let_go(self, one: Open) -> bool:
        """Whether its handle is closed, too."""
        self.breaks.closed(one)
        if self.outside is not None:
            self.outside.closing(one)
        self.opens.pop(one.open_id, None)
        return one.handle.close_at_hand()

    async def _delete(self, one: Open, closed: Closed) -> None:
        """Delete what goes with the open. Until that is done nobody opens it, to lose what they would write there."""

        def end(record: FileRecord | None) -> tuple[FileRecord | None, None]:
            return _deleted(record, closed)

        try:
            for pending in closed.delete:
                await delete_name(self, one, pending)
        except BaseException as error:  # whatever it is: nothing is to stay pending
            ending = raise_after(self.table.transact(one.node_id, end), error)
        else:
            if may_suspend():
                await self.table.transact(one.node_id, end)
            else:
                self.table.transact_nowait(one.node_id, end)
            return
        await ending

    def read_at_hand(self, one: Open, offset: int, buffer: memoryview) -> int:
        """What `read_into` does, where nobody is to be asked and the data is at hand (`Handle.read_at_hand`); else -1.

        Raises `VfsError`.
        """
        record = self.table.peek_nowait(one.node_id)
        if record is not None and (record.locks or (record.leases and len(record.opens) > 1)):
            return -1
        if self.settings.strict_locking or not self.fs.inline:
            return -1
        return one.handle.read_at_hand(offset, buffer)

    async def read_into(self, one: Open, offset: int, buffer: memoryview) -> int:
        """Read; how many bytes there were. [MS-FSA] 2.1.5.3. The access was checked by the caller.

        Raises `StatusError` (FILE_LOCK_CONFLICT) and `VfsError`.
        """
        self.enter()
        record = self.table.peek_nowait(one.node_id)
        if record is not None and record.leases and len(record.opens) > 1:
            await self.breaks.before_read(one)
            record = self.table.peek_nowait(one.node_id)
        if record is not None and record.locks:
            check_read(record, one, offset, len(buffer))
        if self.settings.strict_locking:
            await check_outside(one, offset, len(buffer), writes=False)
        return await one.handle.read_into(offset, buffer)

    async def extent(self, one: Open, offset: int, size: int) -> Extent | None:
        """What `read_into` would read, if it is at hand (`Handle.extent`), and nobody's lock is to be asked about."""
        self.enter()
        settings = self.settings
        if not settings.use_sendfile or settings.strict_locking:
            return None
        record = self.table.peek_nowait(one.node_id)
        if record is not None and record.leases and len(record.opens) > 1:
            await self.breaks.before_read(one)
            record = self.table.peek_nowait(one.node_id)
        return one.handle.extent(offset, size) if record is None or not record.locks else None

    async def write(self, one: Open, offset: int, data: memoryview, *, through: bool = False) -> None:
        """Write all of `data`; with `through`, to stable storage. [MS-FSA] 2.1.5.4. The access was checked.

        Raises `StatusError` (FILE_LOCK_CONFLICT) and `VfsError`; then part of it may have been written.
        """
        self.enter()
        if through:
            may_wait()
        record = self.table.peek_nowait(one.node_id)
        if record is not None and record.leases:
            await self.breaks.before_change(one)
            record = self.table.peek_nowait(one.node_id)
        if record is not None and record.locks:
            check_write(record, one, offset, len(data))
        if self.settings.strict_locking:
            await check_outside(one, offset, len(data), writes=True)
        one.written = True
        kept = await kept_times(one, writes=True) if one.kept_times else None
        await one.handle.write(offset, data)
        if self.archiving is not None and one.archived_at != self.archiving.cleared:
            point_of_no_return()
            await self.archiving.changed(one)
        if kept is not None:
            point_of_no_return()
            await one.handle.set_stat(kept)
            if self.write_times is not None:
                self.write_times.written(one)
        if self.watches:
            contents_changed(self, one, FILE_NOTIFY_CHANGE_LAST_WRITE | FILE_NOTIFY_CHANGE_SIZE)
        if through:
            await one.handle.flush()

    async def flush(self, one: Open) -> None:
        """Bring all that was written to stable storage. [MS-FSA] 2.1.5.7. Raises `VfsError`."""
        may_wait()
        await settle_write_time(one)
        await one.handle.flush()

    def caller(self, token: Token, *, overrules: bool = False) -> Caller | None:
        """On whose behalf the storage acts; None if on the server's own."""
        last, plain, overruling = self._caller
        if last is not token:
            plain = overruling = None
            if token.uid >= 0:
                plain = Caller(token.uid, token.gid, token.gids)
                overruling = plain._replace(overrules=True)
            self._caller = token, plain, overruling
        return overruling if overrules else plain

    def record(self, one: Open) -> FileRecord | None:
        """What the table says of the open's file."""
        return self.table.peek_nowait(one.node_id)


def _deleted(record: FileRecord | None, closed: Closed) -> tuple[FileRecord | None, None]:
    if record is None:
        return None, None
    left = tuple([pending for pending in record.pending if pending not in closed.delete])
    return settled(with_pending(record, left)), None
