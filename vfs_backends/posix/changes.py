"""Creating, removing, renaming and linking names: whole operations, to be made in one thread.

Directories are descriptors, names are bytes of one component. All raise OSError or VfsError, and leave nothing behind
if they do.
"""

import contextlib
import errno
import os
import secrets
import stat as stat_module
import time
from typing import Final

from vfs_backends.api import Caller, IoAccess, NodeId
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.identity import as_caller, is_refusal
from vfs_backends.posix.made import adopt, wanted_owner
from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.stats import birth_of, fields_of
from vfs_backends.posix.syscalls import (
    AT_NO_AUTOMOUNT,
    AT_SYMLINK_NOFOLLOW,
    RENAME_EXCHANGE,
    RENAME_NOREPLACE,
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    How,
    StatxFields,
    proc_path,
    renameat2,
    statx,
)
from vfs_backends.posix.volume import Tree

__all__ = ["create_directory", "create_file", "exchange", "link", "remove", "rename"]

_CREATE: Final = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_CREATE_FLAGS: Final = {
    IoAccess.READ: _CREATE | os.O_RDONLY,
    IoAccess.WRITE: _CREATE | os.O_WRONLY,
    IoAccess.READ | IoAccess.WRITE: _CREATE | os.O_RDWR,
}
_NEW_DIRECTORY: Final = How(
    os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
    RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS,
)
_CLOCK_SLACK_NS: Final = 1_000_000_000


def create_file(
    parent: int, name: bytes, mode: int, access: IoAccess, caller: Caller | None
) -> tuple[int, StatxFields]:
    """A new descriptor, and what it is on. `caller`: who creates it, and owns it."""
    fd = as_caller(caller, lambda: os.open(name, _CREATE_FLAGS[access], mode, dir_fd=parent))
    try:
        fields = fields_of(fd)
        owner = wanted_owner(parent, fields, caller)
        if owner is not None:
            os.chown(fd, *owner)
        # The umask, a default ACL of the directory, or the change of owner took bits away.
        if owner is not None or fields[4] & 0o7777 != mode:
            os.chmod(fd, mode)
    except BaseException:  # whatever it is: nobody else has the descriptor
        os.close(fd)
        with contextlib.suppress(OSError):
            os.unlink(name, dir_fd=parent)
        raise
    return fd, fields


def create_directory(parent: int, name: bytes, mode: int, caller: Caller | None) -> tuple[int, StatxFields]:
    """A new O_PATH descriptor, and what it is on. `caller`: who creates it, and owns it."""
    before = time.time_ns()
    as_caller(caller, lambda: os.mkdir(name, mode, dir_fd=parent))
    # No system call makes a directory and opens it: make sure that nobody's older one gets the new mode and owner.
    return adopt(
        parent,
        name,
        _NEW_DIRECTORY,
        caller,
        is_it=lambda fields: birth_of(fields) == 0 or birth_of(fields) >= before - _CLOCK_SLACK_NS,
        # A set-group-id bit comes from the parent, and is to be passed on.
        permissions=lambda has: mode | (has & stat_module.S_ISGID),
        remove=lambda: os.rmdir(name, dir_fd=parent),
    )


def _check(tree: Tree, parent: int, name: bytes, node_id: NodeId) -> StatxFields:
    """Raises STALE if the name does not lead to the node; a symbolic link to it will do where these are followed."""
    fields = statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
    if isinstance(fields, int):
        raise os_error(-fields)
    if tree.node_id(fields) == node_id:
        return fields
    if tree.follows_symlinks and stat_module.S_ISLNK(fields[4]):
        target = statx(parent, name, AT_NO_AUTOMOUNT)
        if not isinstance(target, int) and tree.node_id(target) == node_id:
            return fields
    raise VfsError(Kind.STALE, name_from_bytes(name))


def remove(tree: Tree, parent: int, name: bytes, node_id: NodeId, caller: Caller | None) -> None:
    fields = _check(tree, parent, name, node_id)
    delete = os.rmdir if stat_module.S_ISDIR(fields[4]) else os.unlink
    try:
        as_caller(caller, lambda: delete(name, dir_fd=parent))
    except OSError as error:
        if error.errno == errno.EEXIST:  # POSIX allows either; some file systems say this
            raise VfsError(Kind.NOT_EMPTY, name_from_bytes(name)) from error
        raise


def rename(
    tree: Tree,
    parent: int,
    name: bytes,
    new_parent: int,
    new_name: bytes,
    *,
    node_id: NodeId,
    replace: bool,
    caller: Caller | None,
) -> None:
    moved = tree.node_id(_check(tree, parent, name, node_id))
    same_parent = tree.node_id(fields_of(parent)) == tree.node_id(fields_of(new_parent))
    if name == new_name and same_parent:
        return
    flags = 0 if replace else RENAME_NOREPLACE
    result = _renameat2(caller, parent, name, new_parent, new_name, flags)
    if result == -errno.EEXIST and not replace:
        if not (same_parent and _differs_by_spelling_only(tree, parent, new_name, moved)):
            raise VfsError(Kind.EXISTS, name_from_bytes(new_name))
        result = _renameat2(caller, parent, name, new_parent, new_name, 0)
    elif result == -errno.EINVAL and not replace:
        result = _rename_without_flag(caller, parent, name, new_parent, new_name)
    if result in {-errno.EEXIST, -errno.ENOTEMPTY}:
        raise VfsError(Kind.NOT_EMPTY, name_from_bytes(new_name))
    if result < 0:
        raise os_error(-result)
    if replace:
        _drop_second_name(tree, parent, name, new_parent, new_name, node_id=moved)


def exchange(
    tree: Tree,
    parent: int,
    name: bytes,
    other_parent: int,
    other_name: bytes,
    *,
    node_ids: tuple[NodeId, NodeId],
    caller: Caller | None,
) -> None:
    _check(tree, parent, name, node_ids[0])
    _check(tree, other_parent, other_name, node_ids[1])
    result = _renameat2(caller, parent, name, other_parent, other_name, RENAME_EXCHANGE)
    if result < 0:
        raise os_error(-result)


def _renameat2(caller: Caller | None, parent: int, name: bytes, new_parent: int, new_name: bytes, flags: int) -> int:
    """0 or the negative error number."""
    result = as_caller(caller, lambda: renameat2(parent, name, new_parent, new_name, flags))
    if is_refusal(-result) and caller is not None and caller.overrules:
        return renameat2(parent, name, new_parent, new_name, flags)
    return result


def _rename_without_flag(caller: Caller | None, parent: int, name: bytes, new_parent: int, new_name: bytes) -> int:
    """EINVAL is "into itself", or a file system without RENAME_NOREPLACE."""
    if not isinstance(statx(new_parent, new_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT), int):
        raise VfsError(Kind.EXISTS, name_from_bytes(new_name))
    return _renameat2(caller, parent, name, new_parent, new_name, 0)


def _differs_by_spelling_only(tree: Tree, directory: int, new_name: bytes, node_id: NodeId) -> bool:
    """Whether a case-insensitive file system takes both for the same name."""
    fields = statx(directory, new_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
    return not isinstance(fields, int) and tree.node_id(fields) == node_id and not _is_listed(directory, new_name)


def _is_listed(directory: int, name: bytes) -> bool:
    """Whether a name is in a directory in just this spelling."""
    scan = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.fsdecode(name) in os.listdir(scan)
    finally:
        os.close(scan)


def _drop_second_name(
    tree: Tree, parent: int, name: bytes, new_parent: int, new_name: bytes, *, node_id: NodeId
) -> None:
    """Finish what rename(2) does not do: of two names of the same file it removes none."""
    fields = statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
    if isinstance(fields, int) or fields[1] < 2 or stat_module.S_ISDIR(fields[4]) or tree.node_id(fields) != node_id:
        return
    target = statx(new_parent, new_name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
    if isinstance(target, int) or tree.node_id(target) != node_id:
        return
    if _is_listed(parent, name):
        os.unlink(name, dir_fd=parent)


def link(tree: Tree, fd: int, parent: int, name: bytes, *, replace: bool, caller: Caller | None) -> None:
    """Give what `fd` is on another name."""
    source = proc_path(fd)
    try:
        as_caller(caller, lambda: os.link(source, name, dst_dir_fd=parent, follow_symlinks=True))
        return
    except FileExistsError:
        if not replace:
            raise
    existing = statx(parent, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT)
    if not isinstance(existing, int) and tree.node_id(existing) == tree.node_id(fields_of(fd)):
        return
    passing = b".smbgate-link-" + secrets.token_hex(8).encode()
    as_caller(caller, lambda: os.link(source, passing, dst_dir_fd=parent, follow_symlinks=True))
    try:
        as_caller(caller, lambda: os.rename(passing, name, src_dir_fd=parent, dst_dir_fd=parent))
    except OSError:
        os.unlink(passing, dir_fd=parent)
        raise
