"""What a share does about those who use its directory without it: local programs, and NFS servers.

Each part is asked for in the share's settings. What the storage, or the process, cannot do is told once, when the share
starts, and not done.
"""

import logging
from typing import TYPE_CHECKING

import trio

from gateway.share.breaks import LeaseHolder
from gateway.share.leases import Granted, LeaseRequest
from gateway.share.name_watch import NameWatch
from gateway.share.opens import Open
from gateway.share.outside_changes import OutsideChanges
from gateway.share.outside_leases import KernelLeases
from gateway.share.outside_locks import KernelLocks
from gateway.share.outside_opens import KernelShareModes
from gateway.uncompiled import in_nursery
from vfs_backends.api import Capability
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["Outside", "begin_outside"]

log = logging.getLogger("gateway.vfs")


def begin_outside(share: "Share") -> "Outside | None":
    """What the settings ask for, as far as it can be had; None if that is nothing."""
    settings = share.settings
    if not settings.heeds_others:
        return None
    outside = Outside(share)
    if settings.kernel_notify:
        outside.changes = _changes(share)
    if settings.kernel_locks:
        if Capability.KERNEL_LOCKS in share.fs.capabilities:
            share.outside_locks.append(KernelLocks(share.name))
        else:
            log.warning("%s: `kernel locks` has no effect: the storage has no such locks", share.name)
    if settings.kernel_share_modes:
        outside.share_modes = _share_modes(share)
    if settings.kernel_leases:
        outside.needs_leases = True
        outside.leases = _leases(share, outside)
    outside.start()
    return outside


def _share_modes(share: "Share") -> KernelShareModes | None:
    try:
        return KernelShareModes(share)
    except VfsError as error:
        log.warning("%s: `kernel share modes` has no effect: %s", share.name, error)
        return None


def _changes(share: "Share") -> OutsideChanges | None:
    try:
        return OutsideChanges(share, share.fs.watch_changes())
    except VfsError as error:
        log.warning(
            "%s: `kernel notify`: changes by others are not told, and no leases granted on directories: %s",
            share.name,
            error,
        )
        return None


def _leases(share: "Share", outside: "Outside") -> KernelLeases | None:
    if Capability.KERNEL_LEASES not in share.fs.capabilities:
        log.warning(
            "%s: `kernel leases`: neither oplocks nor leases are granted: the storage, or what the server may do "
            "there, does not allow any",
            share.name,
        )
        return None
    try:
        outside.names = NameWatch(share, share.fs.watch_changes())
    except VfsError as error:
        log.warning("%s: `kernel leases`: no handles are cached: %s", share.name, error)
    return KernelLeases(share, outside.names, is_guarded=outside.share_modes is not None)


class Outside:
    """The parts that a share has; its tasks live as long as the share."""

    def __init__(self, share: "Share") -> None:
        self._share = share
        self.changes: OutsideChanges | None = None
        self.leases: KernelLeases | None = None
        self.names: NameWatch | None = None
        self.share_modes: KernelShareModes | None = None
        self.needs_leases = False
        """Whether files have leases of the kernel, or none at all."""
        self._scope = trio.CancelScope()
        self._ended = trio.Event()

    def start(self) -> None:
        """Begin to follow what others do."""
        # A share belongs to no nursery: it begins with a server, or with the first client that comes to it.
        trio.lowlevel.spawn_system_task(self._run)

    async def _run(self) -> None:
        try:
            with self._scope:
                await in_nursery(self._start_parts)
        except Exception:
            # The outermost boundary: a defect here must not end the other shares.
            log.exception("%s: what others do is not followed any more", self._share.name)
        finally:
            self._ended.set()

    async def _start_parts(self, nursery: trio.Nursery) -> None:
        for part in (self.changes, self.leases, self.names, self.share_modes):
            if part is not None:
                nursery.start_soon(part.run)

    async def aclose(self) -> None:
        """Let go of everything."""
        self._scope.cancel()
        await self._ended.wait()
        for part in (self.changes, self.names, self.share_modes):
            if part is not None:
                part.close()

    async def grant(self, one: Open, request: LeaseRequest, holder: LeaseHolder) -> Granted:
        """Give an open an oplock, or let it join its lease, as far as that holds for others too."""
        if self.needs_leases and not one.is_directory:
            if self.leases is not None:
                return await self.leases.grant(one, request, holder)
            request = request._replace(state=0)
        if one.is_directory and request.state and self._share.settings.kernel_notify and not self._follows(one):
            request = request._replace(state=0)
        return await self._share.breaks.grant(one, request, holder)

    def _follows(self, directory: Open) -> bool:
        """Whether changes of a directory by others are seen, from now on until it is closed."""
        return self.changes is not None and self.changes.add(directory)

    def opened(self, one: Open) -> None:
        """A file was opened; who asked for it does not know yet."""
        if self.share_modes is not None:
            self.share_modes.opened(one)

    def closing(self, one: Open) -> None:
        """An open is about to be closed."""
        if self.share_modes is not None:
            self.share_modes.closing(one)
        if one.is_directory:
            if self.changes is not None:
                self.changes.remove(one)
        elif self.leases is not None:
            self.leases.closing(one)
