"""The fields of statx(2) and the stored DOS attributes as `Stat`."""

import os

from vfs_backends.api import NodeId, Stat
from vfs_backends.posix.attributes import DosAttributes
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.syscalls import StatxFields, statx

__all__ = ["fields_of", "node_id_of", "stat_of"]

_BTIME = 0x800
_SECOND = 1_000_000_000


def fields_of(fd: int) -> StatxFields:
    """What statx(2) tells of a descriptor. Raises OSError."""
    fields = statx(fd)
    if isinstance(fields, int):
        raise os_error(-fields)
    return fields


def node_id_of(fields: StatxFields) -> NodeId:
    """The generation is the time of birth, or 0 where the storage does not know it."""
    generation = fields[10] * _SECOND + fields[11] if fields[0] & _BTIME else 0
    return NodeId(os.makedev(fields[18], fields[19]), fields[5], generation)


def stat_of(fields: StatxFields, stored: bytes | None) -> Stat:
    """`stored`: the value of user.DOSATTRIB; what is malformed counts as absent."""
    mask, nlink, uid, gid, mode, inode, size, blocks, a, a_ns, b, b_ns, c, c_ns, m, m_ns, rma, rmi, ma, mi = fields
    ctime = c * _SECOND + c_ns
    mtime = m * _SECOND + m_ns
    generation = birthtime = 0
    if mask & _BTIME:
        generation = birthtime = b * _SECOND + b_ns
    # Some file systems have the field and nothing in it.
    if birthtime == 0:
        birthtime = min(mtime, ctime)
    attributes = None
    if stored is not None:
        dos = DosAttributes.parse(stored)
        if dos is not None:
            attributes = dos.attributes
            if dos.birthtime_ns is not None:
                birthtime = dos.birthtime_ns
    return Stat(
        NodeId(os.makedev(ma, mi), inode, generation),
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
    )
