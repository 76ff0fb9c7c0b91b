"""Handles on a tree whose files can have kernel leases: those on one file share a descriptor."""

import stat as stat_module
from collections.abc import Callable

from vfs_backends.api import Caller, IoAccess, LeaseKind, NodeId
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.lease_wait import once_given_up
from vfs_backends.posix.shared_files import SharedFiles
from vfs_backends.posix.syscalls import StatxFields
from vfs_backends.posix.volume import Volume

__all__ = ["LeasedHandle"]


class LeasedHandle(PosixHandle):
    """A handle of a file system that was asked to have leases."""

    def __init__(
        self,
        volume: Volume,
        fd: int,
        node_id: NodeId,
        mode: int,
        path: str,
        *,
        access: IoAccess | None = None,
        told: StatxFields | None = None,
    ) -> None:
        super().__init__(volume, fd, node_id, mode, path, access=access, told=told)
        if access is not None and stat_module.S_ISREG(mode):
            self._shared.adopt(node_id, fd, access)

    @property
    def _shared(self) -> SharedFiles:
        shared = self.volume.tree.shared
        assert shared is not None
        return shared

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        if not stat_module.S_ISREG(self.mode):
            await super().open_io(access, caller)
            return
        try:
            fd = self._open(access, caller)
        except BlockingIOError as error:
            opening = once_given_up(error, lambda: self._open(access, caller), self.path)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        else:
            self._exchange(fd, access)
            return
        self._exchange(await opening, access)

    def _exchange(self, fd: int, access: IoAccess) -> None:
        old = self.fd if self._access is not None else -1
        super()._exchange(fd, access)
        if old >= 0:
            self._shared.closed(self.node_id, old)

    def _open(self, access: IoAccess, caller: Caller | None) -> int:
        return self._shared.open(self.node_id, self.fd, access, caller)

    def _open_for_locks(self) -> tuple[int, bool]:
        return self._shared.open_for_locks(self.node_id, self.fd)

    def drop_locks(self) -> None:
        fd = self.volume.tree.locks.drop(self.node_id)
        if fd is not None:
            self._shared.closed(self.node_id, fd)

    def set_lease(self, kind: LeaseKind, broken: Callable[[LeaseKind], None]) -> bool:
        return self._shared.set_lease(self.node_id, kind, broken)

    @property
    def lease(self) -> LeaseKind:
        return self._shared.lease(self.node_id)

    def _release(self) -> int:
        self._shared.closed(self.node_id, self.fd)
        return super()._release()
