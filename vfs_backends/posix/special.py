"""Symbolic links, FIFOs, sockets and devices: whole operations, to be made in one thread.

All raise OSError or VfsError.
"""

import os
import stat as stat_module
from collections.abc import Callable

from vfs_backends.api import Caller
from vfs_backends.posix.identity import as_caller
from vfs_backends.posix.made import adopt
from vfs_backends.posix.syscalls import (
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    How,
    StatxFields,
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
    return adopt(
        parent,
        name,
        _PATH,
        caller,
        is_it=lambda fields: stat_module.S_IFMT(fields[4]) == kind,
        permissions=lambda has: permissions,
        remove=lambda: os.unlink(name, dir_fd=parent),
    )


def read_link(fd: int) -> bytes:
    """Where the symbolic link behind an O_PATH descriptor leads."""
    return os.readlink(b"", dir_fd=fd)
