"""From what a storage tells to what the kernel is told: stat(2), statfs(2)."""

import stat as stat_module
from typing import Final

import pyfuse3

from gateway.fuse.inodes import ROOT, Inode
from vfs_backends.api import FileSystemStat, Stat

__all__ = ["NOTHING", "SHARES_SECONDS", "attributes_of", "attributes_of_root", "statfs_of"]

_BLOCK: Final = 512
_MASK64: Final = (1 << 64) - 1
_IO_SIZE: Final = 1 << 17
"""What programs are told to read and write at a time."""
SHARES_SECONDS: Final = 60.0
"""For so long the kernel may keep what never changes: which shares there are."""


NOTHING: Final = pyfuse3.EntryAttributes()
"""There is no such name, which the kernel may not keep: as ENOENT, and cheaper to tell than by an exception."""
NOTHING.st_ino = 0
NOTHING.entry_timeout = 0


def attributes_of(inode: Inode, stat: Stat, seconds: float, name_seconds: float) -> pyfuse3.EntryAttributes:
    """What the kernel may keep for so many seconds, and the name that it was found under."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = inode.number
    entry.generation = stat.node_id.generation & _MASK64
    entry.entry_timeout = name_seconds
    entry.attr_timeout = seconds
    entry.st_mode = stat.mode
    entry.st_nlink = stat.nlink
    entry.st_uid = stat.uid
    entry.st_gid = stat.gid
    entry.st_rdev = stat.rdev
    entry.st_size = stat.size
    entry.st_blksize = _IO_SIZE
    entry.st_blocks = -(-stat.allocated // _BLOCK)
    entry.st_atime_ns = stat.atime_ns
    entry.st_mtime_ns = stat.mtime_ns
    entry.st_ctime_ns = stat.ctime_ns
    return entry


def attributes_of_root(shares: int, uid: int, gid: int, now_ns: int) -> pyfuse3.EntryAttributes:
    """The mount's own directory, which nobody can write to."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = ROOT
    entry.generation = 0
    entry.entry_timeout = entry.attr_timeout = SHARES_SECONDS
    entry.st_mode = stat_module.S_IFDIR | 0o555
    entry.st_nlink = 2 + shares
    entry.st_uid, entry.st_gid = uid, gid
    entry.st_blksize = _IO_SIZE
    entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = now_ns
    return entry


def statfs_of(found: FileSystemStat) -> pyfuse3.StatvfsData:
    block = found.block_size or _BLOCK
    data = pyfuse3.StatvfsData()
    data.f_bsize = data.f_frsize = block
    data.f_blocks = found.total // block
    data.f_bfree = found.free // block
    data.f_bavail = found.available // block
    data.f_files = found.files
    data.f_ffree = data.f_favail = found.files_free
    data.f_namemax = found.max_name
    return data
