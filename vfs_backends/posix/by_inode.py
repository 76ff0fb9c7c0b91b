"""Files by their inode numbers: only ext4's handles are known, which have 32 bits of inode and 32 of generation."""

import errno
import os
import struct

from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.stats import birth_of, fields_of
from vfs_backends.posix.syscalls import name_to_handle, open_by_handle, proc_path

__all__ = ["is_there", "path_of"]

_FILEID_INO32_GEN = 1


def is_there(root: int, inode: int, generation: int) -> bool:
    """Whether a file still exists; also if that cannot be told."""
    fd = _open(root, inode)
    if fd is None:
        return True
    if fd < 0:
        return fd not in (-errno.ESTALE, -errno.ENOENT)
    try:
        return generation in (0, birth_of(fields_of(fd)))
    finally:
        os.close(fd)


def path_of(root: int, inode: int) -> str | None:
    """Where a file seems to be; None if it does not exist, or not below the root, or is not in memory."""
    fd = _open(root, inode)
    if fd is None or fd < 0:
        return None
    try:
        top, path = os.readlink(proc_path(root)), os.readlink(proc_path(fd))
    except OSError:  # longer than a page
        return None
    finally:
        os.close(fd)
    if path == top:
        return ""
    prefix = top.rstrip(b"/") + b"/"
    return name_from_bytes(path[len(prefix) :]) if path.startswith(prefix) else None


def _open(root: int, inode: int) -> int | None:
    """An O_PATH descriptor, or the negative error number; None where handles are not of the kind that is known."""
    template = name_to_handle(root)
    if template is None or template[0] != _FILEID_INO32_GEN or not 0 < inode < 1 << 32:
        return None
    # ext4 takes generation 0 for "any".
    return open_by_handle(root, _FILEID_INO32_GEN, struct.pack("=II", inode, 0), os.O_PATH | os.O_CLOEXEC)
