"""Share modes for those who do not open files through the share. [MS-FSA] 2.1.5.1.2.

A local program's open waits until the leases that it conflicts with are given up, and is refused while a client's open
denies what it could do. The kernel does not tell what it is for, so it counts as one for reading and writing.
"""

import logging
from typing import TYPE_CHECKING

import trio

from acl.mask import FILE_READ_DATA, FILE_WRITE_DATA
from gateway.nt.constants import FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE
from gateway.nt.status import STATUS_SHARING_VIOLATION
from gateway.share.breaking import Conflict, break_for_outside
from gateway.share.opens import Open
from gateway.share.record import FileRecord, OpenEntry
from gateway.share.sharemodes import check_share
from gateway.uncompiled import in_nursery
from vfs_backends.api import NodeId, OpenGuard, OutsideOpen
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["KernelShareModes"]

log = logging.getLogger("gateway.vfs")

_MARGIN_SECONDS = 5.0
_SHARES_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
_OPEN = OpenEntry(0, None, FILE_READ_DATA | FILE_WRITE_DATA, _SHARES_ALL)
"""What an open by others is taken for."""


class KernelShareModes:
    """The files that clients have open."""

    def __init__(self, share: "Share") -> None:
        """Raises `VfsError` if the storage cannot stop others' opens."""
        self._share = share
        self._guarded: dict[int, Open] = {}
        """By open id."""
        self._nursery: trio.Nursery | None = None
        self._has_complained = False
        self._guard: OpenGuard = share.fs.guard_opens(self._asked, share.breaks.seconds + _MARGIN_SECONDS)

    def opened(self, one: Open) -> None:
        """A client has opened a file, and does not know yet."""
        if one.is_directory or one.stream:
            return
        try:
            self._guard.add(one.handle)
        except VfsError as error:
            if not self._has_complained:
                self._has_complained = True
                log.warning("%s: local programs open some files unasked: %s", self._share.name, error)
            return
        self._guarded[one.open_id] = one

    def closing(self, one: Open) -> None:
        """An open is about to be closed."""
        if self._guarded.pop(one.open_id, None) is not None:
            self._guard.remove(one.handle)

    async def run(self) -> None:
        """Wait for clients on behalf of programs until cancelled."""
        await in_nursery(self._serve)

    async def _serve(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        try:
            await trio.sleep_forever()
        finally:
            self._nursery = None

    def close(self) -> None:
        """Let everybody open everything."""
        self._guard.close()

    def _asked(self, asked: OutsideOpen) -> None:
        record = self._share.table.peek_nowait(asked.node_id)
        if record is None or (not record.leases and not _is_refused(record)):
            asked.answer(allow=True)
        elif self._nursery is None or not (record.leases or self._share.disconnected.denying(_OPEN, asked.node_id)):
            asked.answer(allow=not _is_refused(record))
        else:
            self._nursery.start_soon(self._decide, asked)

    async def _decide(self, asked: OutsideOpen) -> None:
        allow = True
        try:
            allow = await self._settled(asked.node_id)
        finally:
            asked.answer(allow=allow)

    async def _settled(self, node_id: NodeId) -> bool:
        """Have the leases given up that are in the way; whether the open may go on."""
        breaks, table = self._share.breaks, self._share.table
        # Who denies it only in their cache is asked to close the file first.
        await breaks.before_opening(node_id, _OPEN, spares_absent=True)
        await self._share.disconnected.give_way(_OPEN, node_id)
        if _is_refused(table.peek_nowait(node_id)):
            return False

        def rule(record: FileRecord, waited: bool) -> tuple[FileRecord, Conflict]:
            return break_for_outside(record, reads=False, waited=waited)

        await breaks.settle(node_id, rule, spares_absent=True)
        return not _is_refused(table.peek_nowait(node_id))


def _is_refused(record: FileRecord | None) -> bool:
    conflict = check_share(record, _OPEN)
    return conflict is not None and conflict.status == STATUS_SHARING_VIOLATION
