"""One open file description for each file, whoever opens it here: only so can the process have a kernel lease on it.

To the kernel, a lease (F_SETLEASE of fcntl(2)) conflicts with every other open of the file, the holder's own included.
So all handles on a file have duplicates of one descriptor; it is for as much as they need together, and is opened anew,
and put in the place of all duplicates, when that becomes more.
"""

import errno
import fcntl
import os
from collections.abc import Callable
from typing import Final

from vfs_backends.posix.descriptors import ACCESS_MODES, IO_FLAGS
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.identity import as_caller
from vfs_backends.posix.kernel_locks import open_for_locks
from vfs_backends.posix.lease_signals import lease_signals
from vfs_backends.posix.syscalls import proc_path
from vfs_backends.records import Caller, IoAccess, LeaseKind, NodeId

__all__ = ["SharedFiles", "check_leases"]

_NO_ACCESS: Final = IoAccess(0)
_KINDS: Final = {LeaseKind.READ: fcntl.F_RDLCK, LeaseKind.WRITE: fcntl.F_WRLCK}
_LEFT: Final = {fcntl.F_RDLCK: LeaseKind.READ, fcntl.F_WRLCK: LeaseKind.WRITE}

Broken = Callable[[LeaseKind], None]


def check_leases(root: int) -> None:
    """Raise OSError if there can be no leases on files of the directory, or the process may not have any."""
    fd = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=root)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    finally:
        os.close(fd)


class _File:
    """A file that is open."""

    __slots__ = ("access", "broken", "fd", "is_breaking", "lease", "users")

    def __init__(self, fd: int, access: IoAccess) -> None:
        self.fd = fd
        self.access = access
        self.users: dict[int, IoAccess] = {}
        """What each duplicate is for."""
        self.lease = LeaseKind.NONE
        self.broken: Broken | None = None
        self.is_breaking = False
        """Whether somebody waits for the lease."""

    @property
    def needed(self) -> IoAccess:
        needed = _NO_ACCESS
        for access in self.users.values():
            needed |= access
        return needed


class SharedFiles:
    """The regular files of a tree that are open for I/O. All of it is for the thread of the event loop alone."""

    def __init__(self, *, acts_as_callers: bool) -> None:
        self._acts_as_callers = acts_as_callers
        self._files: dict[NodeId, _File] = {}

    # --- descriptors

    def open(self, node_id: NodeId, fd: int, access: IoAccess, caller: Caller | None) -> int:
        """A duplicate for I/O on the file behind `fd`, as far as `caller` may. Raises OSError: BlockingIOError while
        somebody else's lease is in the way, or somebody waits for ours."""
        file = self._files.get(node_id)
        acting = caller if self._acts_as_callers else None
        if file is None:
            path = proc_path(fd)
            opened = as_caller(acting, lambda: os.open(path, IO_FLAGS[access]))
            file = self._files[node_id] = _File(opened, access)
        else:
            _check_rights(fd, access, acting)
            if access & ~file.access:
                self._reopen(file, fd, file.access | access)
        return self._duplicate(node_id, file, access)

    def open_for_locks(self, node_id: NodeId, fd: int) -> tuple[int, bool]:
        """A duplicate to lock with, and whether it is for writing: as it should be, and may not be possible.

        Raises OSError.
        """
        file = self._files.get(node_id)
        if file is None:
            return open_for_locks(proc_path(fd))
        both = IoAccess.READ | IoAccess.WRITE
        if both & ~file.access:
            try:
                self._reopen(file, fd, both)
            except BlockingIOError:
                raise
            except OSError:
                return self._duplicate(node_id, file, IoAccess.READ), False
        return self._duplicate(node_id, file, both), True

    def adopt(self, node_id: NodeId, fd: int, access: IoAccess) -> None:
        """A new file was created, and `fd` is open for I/O on it."""
        if node_id not in self._files:
            self._files[node_id] = file = _File(os.dup(fd), access)
            file.users[fd] = access

    def closed(self, node_id: NodeId, fd: int) -> None:
        """A duplicate is about to be closed."""
        file = self._files.get(node_id)
        if file is None or file.users.pop(fd, None) is None or file.users:
            return
        self._give_up(file)
        del self._files[node_id]
        os.close(file.fd)

    def _duplicate(self, node_id: NodeId, file: _File, access: IoAccess) -> int:
        try:
            fd = os.dup(file.fd)
        except OSError:
            if not file.users:
                del self._files[node_id]
                os.close(file.fd)
            raise
        file.users[fd] = access
        return fd

    def _reopen(self, file: _File, fd: int, access: IoAccess) -> None:
        """Open the file for more, or less. The rights of who needs it were checked.

        For a moment there is no lease. That does no harm: as long as nobody could write, a client has nothing that
        others would have to see.
        """
        if file.is_breaking:
            raise os_error(errno.EAGAIN)
        lease, broken = file.lease, file.broken
        self._give_up(file)
        try:
            opened = os.open(proc_path(fd), IO_FLAGS[access])
        except OSError:
            self._resume(file, lease, broken)
            raise
        for user in (file.fd, *file.users):
            os.dup2(opened, user, inheritable=False)
        os.close(opened)
        file.access = access
        self._resume(file, lease, broken)

    def _resume(self, file: _File, lease: LeaseKind, broken: Broken | None) -> None:
        if lease is LeaseKind.NONE or broken is None:
            return
        if not self._take(file, lease, broken):
            broken(LeaseKind.NONE)

    # --- leases

    def lease(self, node_id: NodeId) -> LeaseKind:
        """What lease there is on a file."""
        file = self._files.get(node_id)
        return LeaseKind.NONE if file is None else file.lease

    def set_lease(self, node_id: NodeId, kind: LeaseKind, broken: Broken) -> bool:
        """See `Handle.set_lease`."""
        file = self._files.get(node_id)
        if file is None:
            return kind is LeaseKind.NONE
        if kind is LeaseKind.NONE:
            self._give_up(file)
            return True
        if kind is file.lease and not file.is_breaking:
            return True
        if kind is LeaseKind.WRITE and file.is_breaking:
            return False
        if kind is LeaseKind.READ and not self._narrow(file):
            return False
        return self._take(file, kind, broken)

    def _narrow(self, file: _File) -> bool:
        """A read lease takes a descriptor that is not for writing."""
        if IoAccess.WRITE not in file.access:
            return True
        if IoAccess.WRITE in file.needed:
            return False
        self._give_up(file)
        try:
            self._reopen(file, file.fd, IoAccess.READ)
        except OSError:
            return False
        return True

    def _take(self, file: _File, kind: LeaseKind, broken: Broken) -> bool:
        try:
            lease_signals().set(file.fd, _KINDS[kind], lambda: self._told(file))
        except OSError:
            # Somebody has the file open, or it is not the process' own; what it had, it has still.
            return False
        file.lease, file.broken, file.is_breaking = kind, broken, False
        return True

    def _give_up(self, file: _File) -> None:
        if file.lease is not LeaseKind.NONE:
            file.lease, file.broken, file.is_breaking = LeaseKind.NONE, None, False
            lease_signals().give_up(file.fd)

    def _told(self, file: _File) -> None:
        """Somebody may wait for the lease; with a break in progress, the kernel tells what could be left."""
        left = _LEFT.get(fcntl.fcntl(file.fd, fcntl.F_GETLEASE), LeaseKind.NONE)
        if left is not file.lease and file.broken is not None:
            file.is_breaking = True
            file.broken(left)

    def close(self) -> None:
        """Give everything up; the duplicates are closed already."""
        for file in self._files.values():
            self._give_up(file)
            os.close(file.fd)
        self._files.clear()


def _check_rights(fd: int, access: IoAccess, caller: Caller | None) -> None:
    """Raise PermissionError if the storage would not let `caller` open the file."""
    if caller is None or not caller.uid:
        return

    def check() -> None:
        if not os.access(proc_path(fd), ACCESS_MODES[access], effective_ids=True):
            raise os_error(errno.EACCES)

    as_caller(caller, check)
