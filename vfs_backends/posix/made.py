"""What was just made by a system call that does not open it: it is opened, and given its owner and permissions."""

import contextlib
import errno
import os
import stat as stat_module
from collections.abc import Callable

from vfs_backends.api import Caller
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.stats import fields_of
from vfs_backends.posix.syscalls import How, StatxFields, openat2, proc_path

__all__ = ["adopt", "wanted_owner"]


def adopt(
    parent: int,
    name: bytes,
    how: How,
    caller: Caller | None,
    *,
    is_it: Callable[[StatxFields], bool],
    permissions: Callable[[int], int | None],
    remove: Callable[[], None],
) -> tuple[int, StatxFields]:
    """A new O_PATH descriptor, and what it is on. Raises OSError, and VfsError if it is something else by now.

    `is_it` tells it from what others may have put in its place, `permissions` says from its mode what they shall be
    (None: as they are), and `remove` takes it away again.
    """
    fd = openat2(parent, name, how)
    if fd < 0:
        if -fd in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}:
            remove()
        raise os_error(-fd)  # or else somebody has put something in its place already
    try:
        fields = fields_of(fd)
        makers = {os.geteuid()} if caller is None else {os.geteuid(), caller.uid}
        if fields[2] not in makers or not is_it(fields):
            raise VfsError(Kind.STALE, f"{name_from_bytes(name)}: replaced while it was made")
        owner = wanted_owner(parent, fields, caller)
        if owner is not None:
            os.chown(proc_path(fd), *owner)
        wanted = permissions(fields[4])
        if wanted is not None and (owner is not None or fields[4] & 0o7777 != wanted):
            os.chmod(proc_path(fd), wanted)
    except BaseException as error:  # whatever it is: nobody else has the descriptor
        os.close(fd)
        if not isinstance(error, VfsError):
            with contextlib.suppress(OSError):
                remove()
        raise
    return fd, fields


def wanted_owner(parent: int, fields: StatxFields, caller: Caller | None) -> tuple[int, int] | None:
    """The ids to give to a new file, None if it has them."""
    if caller is None:
        return None
    uid, gid = fields[2], fields[3]
    if (uid, gid) == (caller.uid, caller.gid):
        return None
    # Under a set-group-id directory the group has been taken from it.
    keeps_group = gid == caller.gid or fields_of(parent)[4] & stat_module.S_ISGID
    if keeps_group and uid == caller.uid:
        return None
    return caller.uid, -1 if keeps_group else caller.gid
