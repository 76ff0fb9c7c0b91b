"""Leases and oplocks backed by leases of the kernel: local programs' opens break them, and are waited for.

[MS-FSA] 2.1.5.18, 2.1.5.19; fcntl(2), F_SETLEASE. What may write (W) stands on a write lease, which tells before
anybody else opens the file; what may only read (R) on a read lease, which tells before who could write does. Keeping a
handle (H) needs to know when the file's name goes: of that, and of new names in its place, its directory's watch tells.
What cannot be honoured in this way is not granted.
"""

import logging
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import trio

from acl.mask import FILE_APPEND_DATA, FILE_WRITE_DATA
from gateway.share.breaking import Conflict, break_for_outside
from gateway.share.breaks import LeaseHolder
from gateway.share.leases import HANDLE_CACHING, READ_CACHING, WRITE_CACHING, Granted, LeaseRequest
from gateway.share.name_watch import NameWatch
from gateway.share.opens import Open
from gateway.share.record import FileRecord
from gateway.uncompiled import in_nursery
from vfs_backends.api import LeaseKind, NodeId

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["KernelLeases"]

log = logging.getLogger("gateway.oplock")

_WRITES = FILE_WRITE_DATA | FILE_APPEND_DATA


class _Errand(NamedTuple):
    """A break that others are the reason of."""

    node_id: NodeId
    left: LeaseKind | None
    """What the kernel can leave; None if it is about the file's name."""


class KernelLeases:
    """The leases of a share's clients that the kernel knows of."""

    def __init__(self, share: "Share", names: NameWatch | None, *, is_guarded: bool) -> None:
        """`is_guarded`: others ask before they open what clients have open, so the kernel need not tell of it."""
        self._share = share
        self._is_guarded = is_guarded
        self._breaks = share.breaks
        self._names = names
        """Without one, no handle can be kept."""
        self._opens: dict[NodeId, dict[int, Open]] = {}
        """Opens with leases, by file and id; none of streams."""
        self._errands: deque[_Errand] = deque()
        self._more = trio.Event()
        if names is not None:
            names.on_lost = self._name_lost
        limit = share.fs.lease_seconds
        # The kernel must not lose patience before we do.
        self._breaks.seconds = min(self._breaks.seconds, max(limit - 5, limit / 2))

    # --- granting

    async def grant(self, one: Open, request: LeaseRequest, holder: LeaseHolder) -> Granted:
        """As `Breaks.grant`, but no more than the kernel backs."""
        granted = await self._breaks.grant(one, request, holder)
        if not granted.state:
            return granted
        if not one.stream and not self._is_guarded:
            self._opens.setdefault(one.node_id, {})[one.open_id] = one
            self._breaks.backed[one.node_id] = partial(self._align, one.node_id)
        if granted.breaking:
            return granted
        is_written = self._is_written(one.node_id, one.stream)
        if self._is_guarded:
            state, is_written = _undisturbed(one, granted.state), False
        elif not one.stream:
            state = self._backed(one, granted.state)
        else:
            # Programs do not open streams, which are the gateway's own; but reads stand on nothing while others write.
            state = granted.state if granted.state & WRITE_CACHING or not is_written else 0
        if state & HANDLE_CACHING and (self._names is None or not await self._names.add(one)):
            state &= ~HANDLE_CACHING
        return await self._breaks.limit(one, state, is_whole=is_written)

    def _backed(self, one: Open, state: int) -> int:
        """What of `state` the kernel backs."""
        handle, told = one.handle, partial(self._kernel_breaks, one.node_id)
        if state & WRITE_CACHING and not handle.set_lease(LeaseKind.WRITE, told):
            state &= ~WRITE_CACHING
        if not state & WRITE_CACHING and handle.lease is LeaseKind.NONE:
            state = state if handle.set_lease(LeaseKind.READ, told) else 0
        return state

    def _is_written(self, node_id: NodeId, stream: str = "") -> bool:
        """Whether a client may write; of the file, the descriptor is for writing then, as no read lease's may be."""
        record = self._share.table.peek_nowait(node_id)
        return record is not None and any(
            entry.granted_access & _WRITES and entry.stream == stream for entry in record.opens
        )

    def closing(self, one: Open) -> None:
        """An open is about to be closed, and in the record no more."""
        if self._names is not None:
            self._names.remove(one)
        opens = self._opens.get(one.node_id)
        if opens is None or opens.pop(one.open_id, None) is None:
            return
        if not opens:
            del self._opens[one.node_id]
            del self._breaks.backed[one.node_id]

    # --- breaking

    def _kernel_breaks(self, node_id: NodeId, left: LeaseKind) -> None:
        self._do(_Errand(node_id, left))

    def _name_lost(self, node_id: NodeId) -> None:
        self._do(_Errand(node_id, None))

    def _do(self, errand: _Errand) -> None:
        self._errands.append(errand)
        self._more.set()

    async def run(self) -> None:
        """Carry the kernel's breaks on to the clients until cancelled."""
        await in_nursery(self._run_errands)

    async def _run_errands(self, nursery: trio.Nursery) -> None:
        while True:
            while self._errands:
                nursery.start_soon(self._break, self._errands.popleft())
            await self._more.wait()
            self._more = trio.Event()

    async def _break(self, errand: _Errand) -> None:
        node_id, left = errand
        if left is None:
            await self._breaks.before_name_change(node_id, None, spares_absent=True)
            return
        reads = left is LeaseKind.READ and not self._is_written(node_id)

        def rule(record: FileRecord, waited: bool) -> tuple[FileRecord, Conflict]:
            return break_for_outside(record, reads=reads, waited=waited)

        await self._breaks.settle(node_id, rule, spares_absent=True)
        self._align(node_id)

    def _align(self, node_id: NodeId) -> None:
        """Let the kernel's lease be no more than clients' leases need: they have changed."""
        opens = self._opens.get(node_id)
        if not opens:
            return
        handle = next(iter(opens.values())).handle
        state = _needed(self._share.table.peek_nowait(node_id))
        if state & WRITE_CACHING:
            return
        told = partial(self._kernel_breaks, node_id)
        if state & READ_CACHING:
            if handle.set_lease(LeaseKind.READ, told):
                return
            # Somebody writes by now: there is nothing that reads could stand on.
            self._kernel_breaks(node_id, LeaseKind.NONE)
        handle.set_lease(LeaseKind.NONE, told)


def _undisturbed(one: Open, state: int) -> int:
    """What of `state` those leave who have the file open already: the kernel gives no lease beside them."""
    if one.stream:
        return state
    for kind, left in ((LeaseKind.WRITE, state), (LeaseKind.READ, state & ~WRITE_CACHING)):
        if one.handle.set_lease(kind, _not_told):
            one.handle.set_lease(LeaseKind.NONE, _not_told)
            return left
    return 0


def _not_told(left: LeaseKind) -> None:
    """Nothing rests on the kernel's lease: it is given up at once."""


def _needed(record: FileRecord | None) -> int:
    """What clients have, or have not given up yet though it must be waited for."""
    state = 0
    for lease in record.leases if record is not None else ():
        if not lease.stream:
            is_gone = lease.breaking_to is not None and not lease.state & WRITE_CACHING
            state |= (lease.breaking_to or 0) if is_gone else lease.state
    return state
