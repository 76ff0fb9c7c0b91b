"""A FUSE file system that takes its time for everything: `python -m tests.bench.growth.slow_files DIRECTORY`.

It has a thousand files of 64 KiB, `file000` to `file999`, and nothing in it is remembered by the kernel.
"""

import errno
import os
import stat
import sys

import pyfuse3
import trio

from tests.bench.growth.finding import SLOW_SECONDS

FILES, SIZE = 1000, 64 << 10
_FIRST = 1000
"""The inode of the first file."""


class SlowFiles(pyfuse3.Operations):
    """Answers each question after SLOW_SECONDS."""

    async def lookup(self, parent_inode, name, ctx=None):
        await trio.sleep(SLOW_SECONDS)
        text = name.decode()
        number = text.removeprefix("file")
        if parent_inode != pyfuse3.ROOT_INODE or number == text or not number.isdigit() or int(number) >= FILES:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return _attributes(_FIRST + int(number))

    async def getattr(self, inode, ctx=None):
        await trio.sleep(SLOW_SECONDS)
        return _attributes(inode)

    async def open(self, inode, flags, ctx):
        await trio.sleep(SLOW_SECONDS)
        return pyfuse3.FileInfo(fh=inode, direct_io=True)

    async def read(self, fh, off, size):
        await trio.sleep(SLOW_SECONDS)
        return bytes(max(0, min(size, SIZE - off)))

    async def getxattr(self, inode, name, ctx):
        await trio.sleep(SLOW_SECONDS)
        raise pyfuse3.FUSEError(errno.ENODATA)

    async def statfs(self, ctx):
        await trio.sleep(SLOW_SECONDS)
        return pyfuse3.StatvfsData()


def _attributes(inode):
    found = pyfuse3.EntryAttributes()
    found.st_ino = inode
    found.st_mode = stat.S_IFDIR | 0o755 if inode == pyfuse3.ROOT_INODE else stat.S_IFREG | 0o644
    found.st_nlink, found.st_size, found.st_blksize = 1, SIZE, 4096
    found.st_uid, found.st_gid = os.getuid(), os.getgid()
    found.entry_timeout = found.attr_timeout = 0
    return found


if __name__ == "__main__":
    pyfuse3.init(SlowFiles(), sys.argv[1], {"fsname=slow-files", "allow_other"})
    trio.run(pyfuse3.main)
