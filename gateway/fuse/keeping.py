"""For how long the kernel may answer by itself, from what it was told.

What it keeps is for all programs, whoever made it ask. Attributes are the same for all; that a name is there is only
for those who may look up names in its directory. So names are kept where everybody may do that.
"""

import time
from collections.abc import Hashable
from typing import Final

from acl import mask
from gateway.fuse.inodes import Inode
from gateway.share.sharemodes import CHANGES
from vfs_backends.api import Capability, Handle

__all__ = ["Keeping"]

_SEARCHABLE: Final = 0o111


class Keeping:
    """`seconds`: for so long anything is kept. `owner`: of all opens of the mount."""

    def __init__(self, seconds: float, owner: Hashable, *, is_for_one: bool) -> None:
        self.seconds = seconds
        self._owner = owner
        self._is_for_one = is_for_one
        """Nobody but who mounts gets in."""

    def attributes(self, inode: Inode) -> float:
        """For how many seconds a file's attributes may be kept: not at all while others could change it."""
        if not self.seconds:
            return 0.0
        now = time.monotonic()
        if now < inode.unkept_until or self._others_could(inode, CHANGES):
            return 0.0
        inode.kept_until = now + self.seconds
        return self.seconds

    def names(self, directory: Inode) -> float:
        """For how many seconds a name in a directory may be kept that was judged."""
        return self.seconds if directory.is_open else 0.0

    def is_judged(self, directory: Inode) -> bool:
        """Whether it is known by now if names in a directory may be kept."""
        return not self.seconds or time.monotonic() < directory.judged_until

    async def judge(self, directory: Inode, handle: Handle) -> None:
        """Find out whether everybody may look up names in a directory. Raises `VfsError`."""
        directory.is_open = await self._is_open(directory, handle)
        directory.judged_until = time.monotonic() + self.seconds

    async def _is_open(self, directory: Inode, handle: Handle) -> bool:
        if self._is_for_one:
            return True
        mounted = directory.mounted
        capabilities = mounted.share.fs.capabilities
        if not mounted.acts_as_callers or (directory.is_root and not mounted.is_for_all):
            return False
        if (await handle.stat()).mode & _SEARCHABLE != _SEARCHABLE:
            return False
        if Capability.POSIX_ACLS in capabilities and (await handle.get_posix_acls())[0] is not None:
            return False
        return not self._others_could(directory, mask.WRITE_DAC)

    def _others_could(self, inode: Inode, access: int) -> bool:
        record = inode.mounted.share.table.peek_nowait(inode.node_id)
        if record is None:
            return False
        if record.pending:
            # It goes with whichever open is the last.
            return True
        # To list the one or two that there are takes less than a generator of them.
        return bool([entry for entry in record.opens if entry.granted_access & access and entry.owner != self._owner])
