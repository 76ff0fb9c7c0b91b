"""Contents of files: reading, writing, bringing to stable storage."""

import os
from typing import Final

import pyfuse3

from acl.token import Token
from gateway.fuse.core import Core
from gateway.fuse.directories import access_of_flags
from gateway.fuse.inodes import Inode
from gateway.fuse.opened import OpenFile
from gateway.nt.status import STATUS_DELETE_PENDING, StatusError
from gateway.share.changing import set_size
from gateway.share.opens import Open
from gateway.uncompiled import raise_after
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import may_suspend, nothing_happened

__all__ = ["Files"]


_LARGEST_READ: Final = 1 << 20
"""The most that the kernel asks for, unless it is told otherwise."""


def _has_no_name(error: StatusError | VfsError) -> bool:
    """Whether a file cannot be opened since it has no name any more, or is about to lose it."""
    if isinstance(error, StatusError):
        return error.status == STATUS_DELETE_PENDING
    return error.kind is Kind.STALE


class Files:
    """Operations on files. All raise `FUSEError`, `StatusError` and `VfsError`."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self._room = memoryview(bytearray(_LARGEST_READ))

    async def open(self, number: int, flags: int, token: Token) -> pyfuse3.FileInfo:
        """open(2) of what is there already."""
        core = self.core
        inode = core.inode(number)
        access = access_of_flags(flags)
        try:
            one = await core.open(inode, token, access)
        except (StatusError, VfsError) as error:
            if not _has_no_name(error):
                raise
            opening = self._open_again(inode, token, access, error)
        else:
            return await self._entered(inode, one, flags)
        return await self._entered(inode, await opening, flags)

    async def _entered(self, inode: Inode, one: Open, flags: int) -> pyfuse3.FileInfo:
        if flags & os.O_TRUNC:
            await self._empty(inode, one)
        return self.core.info(OpenFile(inode, one), flags)

    async def _open_again(self, inode: Inode, token: Token, access: int, error: StatusError | VfsError) -> Open:
        """What is open already of a file without a name. Raises `error` if there is nothing."""
        one = await self.core.opened(inode, token, access)
        if one is None:
            raise error
        return one

    async def _empty(self, inode: Inode, one: Open) -> None:
        nothing_happened()
        try:
            await set_size(inode.mounted.share, one, 0)
        except BaseException as error:  # also if it is interrupted: nobody knows of the open yet
            if one in inode.opens:
                raise
            ending = raise_after(self.core.close(one), error)
        else:
            return
        await ending

    async def read(self, handle: int, offset: int, size: int) -> memoryview:
        """What is returned is to be used up before anything else is read."""
        one = self.core.file(handle).one
        # In an inline pass nobody else reads until the kernel has got it, and there is no need to clear so much first.
        room = memoryview(bytearray(size)) if may_suspend() or size > len(self._room) else self._room[:size]
        count = one.share.read_at_hand(one, offset, room)
        return room[: count if count >= 0 else await one.share.read_into(one, offset, room)]

    async def write(self, handle: int, offset: int, data: bytes) -> int:
        file = self.core.file(handle)
        one = file.one
        if file.appends:
            # Where the kernel believes the end to be, somebody else may have written meanwhile.
            offset = max(offset, (await one.handle.stat()).size)
        with memoryview(data) as view:
            await one.share.write(one, offset, view)
        return len(data)

    async def fsync(self, handle: int) -> None:
        one = self.core.file(handle).one
        await one.share.flush(one)
