"""The fields of statx(2) and the stored DOS attributes as `Stat`; and what a storage tells of itself."""

import os
from typing import Final

from vfs_backends.api import FileSystemStat, NodeId, Stat
from vfs_backends.posix.attributes import DosAttributes
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.names import MAX_NAME
from vfs_backends.posix.syscalls import AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_STATX_DONT_SYNC, StatxFields, statx

__all__ = ["IDENTITY", "birth_of", "device_of", "fields_of", "file_system_stat", "identity_of", "stat_of"]

IDENTITY: Final = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC
"""Flags of statx(2)."""

_BTIME: Final = 0x800
_SECOND: Final = 1_000_000_000
_MASK64: Final = (1 << 64) - 1


def fields_of(fd: int) -> StatxFields:
    """What statx(2) tells of a descriptor. Raises OSError."""
    fields = statx(fd)
    if isinstance(fields, int):
        raise os_error(-fields)
    return fields


def identity_of(fd: int) -> StatxFields:
    """The same, where only what never changes will be used: nobody is asked over a network."""
    fields = statx(fd, b"", IDENTITY)
    if isinstance(fields, int):
        raise os_error(-fields)
    return fields


def device_of(fields: StatxFields) -> int:
    return os.makedev(fields[18], fields[19])


def birth_of(fields: StatxFields) -> int:
    """When the inode was made, in nanoseconds since 1970; 0 where the storage does not know."""
    return fields[10] * _SECOND + fields[11] if fields[0] & _BTIME else 0


def stat_of(node_id: NodeId, fields: StatxFields, dos: DosAttributes | None, has_xattrs: bool | None = None) -> Stat:
    """`dos`: what is stored with the file, if anything is."""
    mask, nlink, uid, gid, mode, _, size, blocks, a, a_ns, b, b_ns, c, c_ns, m, m_ns, rma, rmi, _, _ = fields
    ctime = version = c * _SECOND + c_ns
    mtime = m * _SECOND + m_ns
    birthtime = b * _SECOND + b_ns if mask & _BTIME else 0
    # Some file systems have the field and nothing in it.
    if birthtime == 0:
        birthtime = min(mtime, ctime)
    attributes = None
    if dos is not None:
        attributes = dos.attributes
        if dos.birthtime_ns is not None:
            birthtime = dos.birthtime_ns
        if dos.changed_ns is not None and ctime <= dos.changed_until_ns:
            ctime = dos.changed_ns
    return Stat(
        node_id,
        mode,
        nlink,
        uid,
        gid,
        size,
        blocks * 512,
        a * _SECOND + a_ns,
        mtime,
        ctime,
        birthtime,
        attributes,
        os.makedev(rma, rmi) if rma or rmi else 0,
        version,
        has_xattrs,
    )


def file_system_stat(root: int, node_id: NodeId, kind: str) -> FileSystemStat:
    """What the storage below a descriptor, which is on `node_id`, tells of itself. Raises OSError."""
    found = os.fstatvfs(root)
    fields = fields_of(root)
    volume_id = found.f_fsid & _MASK64
    if volume_id == 0:
        volume_id = (node_id.device << 32 ^ node_id.inode) & _MASK64
    return FileSystemStat(
        block_size=found.f_frsize,
        total=found.f_blocks * found.f_frsize,
        free=found.f_bfree * found.f_frsize,
        available=found.f_bavail * found.f_frsize,
        files=found.f_files,
        files_free=found.f_ffree,
        volume_id=volume_id,
        max_name=min(found.f_namemax or MAX_NAME, MAX_NAME),
        birthtime_ns=birth_of(fields) or fields[14] * _SECOND,
        kind=kind,
    )
