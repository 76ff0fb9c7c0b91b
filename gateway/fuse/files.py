"""Contents of files: reading, writing, bringing to stable storage."""

import os

from acl.token import Token
from gateway.fuse.core import Core
from gateway.fuse.directories import access_of_flags
from gateway.fuse.opened import OpenFile
from gateway.nt.status import STATUS_DELETE_PENDING, StatusError
from gateway.share.changing import set_size
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import nothing_happened

__all__ = ["Files"]


def _has_no_name(error: StatusError | VfsError) -> bool:
    """Whether a file cannot be opened since it has no name any more, or is about to lose it."""
    if isinstance(error, StatusError):
        return error.status == STATUS_DELETE_PENDING
    return error.kind is Kind.STALE


class Files:
    """Operations on files. All raise `FUSEError`, `StatusError` and `VfsError`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def open(self, number: int, flags: int, token: Token) -> int:
        """open(2) of what is there already."""
        core = self.core
        inode = core.inode(number)
        access = access_of_flags(flags)
        try:
            one = await core.open(inode, token, access)
        except (StatusError, VfsError) as error:
            known = await core.opened(inode, token, access) if _has_no_name(error) else None
            if known is None:
                raise
            one = known
        try:
            if flags & os.O_TRUNC:
                nothing_happened()
                await set_size(inode.mounted.share, one, 0)
        except BaseException:  # also if it is interrupted: nobody knows of the open yet
            if one not in inode.opens:
                await core.close(one)
            raise
        return self.enter(OpenFile(inode, one), flags)

    def enter(self, file: OpenFile, flags: int) -> int:
        file.appends = bool(flags & os.O_APPEND)
        return self.core.enter(file)

    async def read(self, handle: int, offset: int, size: int) -> bytearray:
        one = self.core.file(handle).one
        buffer = bytearray(size)
        with memoryview(buffer) as view:
            count = await one.share.read_into(one, offset, view)
        if count < size:
            del buffer[count:]
        return buffer

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
