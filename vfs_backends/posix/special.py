"""Symbolic links, FIFOs, sockets and devices: whole operations, to be made in one thread.

All raise OSError or VfsError.
"""

import contextlib
import errno
import os
import stat as stat_module
from collections.abc import Callable

from vfs_backends.api import Caller
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.changes import wanted_owner
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.identity import as_caller
from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.stats import fields_of
from vfs_backends.posix.syscalls import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    How,
    StatxFields,
    openat2,
    proc_path,
)

__all__ = ["create_node", "create_symlink", "read_link"]

_PATH = How(os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)


def create_symlink(parent: int, name: bytes, target: bytes, caller: Caller | None) -> tuple[int, StatxFields]:
    """A new O_PATH descriptor, and what it is on. `caller`: who creates it, and owns it."""
    return _create(parent, name, None, lambda: os.symlink(target, name, dir_fd=parent), stat_module.S_IFLNK, caller)


def create_node(parent: int, name: bytes, mode: int, rdev: int, caller: Caller | None) -> tuple[int, StatxFields]:
    """The same for a FIFO, a socket or a device; `mode` has the type in it."""
    kind, permissions = stat_module.S_IFMT(mode), stat_module.S_IMODE(mode)
    return _create(parent, name, permissions, lambda: os.mknod(name, mode, rdev, dir_fd=parent), kind, caller)


def _create(
    parent: int, name: bytes, permissions: int | None, make: Callable[[], None], kind: int, caller: Caller | None
) -> tuple[int, StatxFields]:
    as_caller(caller, make)
    fd = openat2(parent, name, _PATH)
    if fd < 0:
        if -fd in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
            os.unlink(name, dir_fd=parent)
        raise os_error(-fd)  # or else somebody has put something in its place already
    try:
        fields = fields_of(fd)
        makers = {os.geteuid()} if caller is None else {os.geteuid(), caller.uid}
        if stat_module.S_IFMT(fields[4]) != kind or fields[2] not in makers:
            raise VfsError(Kind.STALE, f"{name_from_bytes(name)}: replaced while it was made")
        owner = wanted_owner(parent, fields, caller)
        if owner is not None:
            os.chown(proc_path(fd), *owner)
        if permissions is not None and (owner is not None or fields[4] & 0o7777 != permissions):
            os.chmod(proc_path(fd), permissions)
    except BaseException as error:  # whatever it is: nobody else has the descriptor
        os.close(fd)
        if not isinstance(error, VfsError):
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=parent)
        raise
    return fd, fields


def read_link(fd: int) -> bytes:
    """Where the symbolic link behind an O_PATH descriptor leads."""
    return os.readlink(b"", dir_fd=fd)
