"""What the kernel asks for, as pyfuse3 hands it over; and what it is told, if it cannot be done.

Whatever is raised ends here: a FUSE loop does not survive an exception.
"""

import errno
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar, cast

import pyfuse3

from gateway.fuse.answering import Answering
from gateway.fuse.core import Core
from gateway.fuse.directories import Directories
from gateway.fuse.files import Files
from gateway.fuse.inodes import ROOT
from gateway.fuse.metadata import Metadata
from gateway.fuse.names import from_kernel
from gateway.fuse.notifier import Notifier
from gateway.fuse.turns import Turn
from gateway.fuse.waiting import Requests

__all__ = ["Operations"]

T = TypeVar("T")

Answer = Coroutine[Any, Any, T]


class Operations(pyfuse3.Operations):
    """The handlers of one mount.

    It is not compiled, since what it inherits from is not; so it does nothing but to pass on what it is asked.
    """

    supports_dot_lookup = True
    enable_writeback_cache = False
    enable_acl = False

    def __init__(self, core: Core, requests: Requests, turn: Turn, notifier: Notifier) -> None:
        super().__init__()
        self._core = core
        answering = Answering(requests, turn)
        self._answer, self._ask, self._wait = answering.answer, answering.ask, answering.wait
        self._token = core.callers.token
        self._directories = Directories(core)
        self._files = Files(core)
        self._metadata = Metadata(core, notifier.permissions_changed)

    # --- names

    def lookup(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> Answer[pyfuse3.EntryAttributes]:
        return self._ask(self._directories.lookup, parent_inode, from_kernel(name), self._token(ctx))

    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        for number, lookups in inode_list:
            if number != ROOT:
                self._core.inodes.forget(number, lookups)

    def mkdir(
        self, parent_inode: int, name: bytes, mode: int, ctx: pyfuse3.RequestContext
    ) -> Answer[pyfuse3.EntryAttributes]:
        return self._wait(ctx.pid, self._directories.mkdir, parent_inode, from_kernel(name), mode, self._token(ctx))

    def mknod(
        self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: pyfuse3.RequestContext
    ) -> Answer[pyfuse3.EntryAttributes]:
        return self._wait(
            ctx.pid, self._directories.mknod, parent_inode, from_kernel(name), mode, rdev, self._token(ctx)
        )

    def symlink(
        self, parent_inode: int, name: bytes, target: bytes, ctx: pyfuse3.RequestContext
    ) -> Answer[pyfuse3.EntryAttributes]:
        symlink = self._directories.symlink
        return self._wait(ctx.pid, symlink, parent_inode, from_kernel(name), from_kernel(target), self._token(ctx))

    def unlink(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> Answer[None]:
        return self._wait(ctx.pid, self._directories.unlink, parent_inode, from_kernel(name), self._token(ctx))

    def rmdir(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> Answer[None]:
        return self._wait(ctx.pid, self._directories.rmdir, parent_inode, from_kernel(name), self._token(ctx))

    def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> Answer[None]:
        old, new = from_kernel(name_old), from_kernel(name_new)
        rename = self._directories.rename
        return self._wait(ctx.pid, rename, parent_inode_old, old, parent_inode_new, new, flags, self._token(ctx))

    def link(
        self, inode: int, new_parent_inode: int, new_name: bytes, ctx: pyfuse3.RequestContext
    ) -> Answer[pyfuse3.EntryAttributes]:
        link = self._directories.link
        return self._wait(ctx.pid, link, inode, new_parent_inode, from_kernel(new_name), self._token(ctx))

    def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> Answer[int]:
        return self._wait(ctx.pid, self._directories.opendir, inode, self._token(ctx))

    def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> Answer[None]:
        return self._answer(self._directories.readdir(fh, start_id, token))

    def releasedir(self, fh: int) -> Answer[None]:
        return self._ask(self._core.release, fh)

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        pass

    # --- files

    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        if ctx.pid in self._core.own_threads:
            return pyfuse3.FileInfo(fh=self._core.enter_own(), keep_cache=True)
        return await self._wait(ctx.pid, self._files.open, inode, flags, self._token(ctx))

    def create(
        self, parent_inode: int, name: bytes, mode: int, flags: int, ctx: pyfuse3.RequestContext
    ) -> Answer[tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]]:
        create = self._directories.create
        return self._wait(ctx.pid, create, parent_inode, from_kernel(name), mode, flags, self._token(ctx))

    def read(self, fh: int, off: int, size: int) -> Answer[bytes]:
        # pyfuse3 takes any buffer.
        return cast("Answer[bytes]", self._wait(0, self._files.read, fh, off, size))

    def write(self, fh: int, off: int, buf: bytes) -> Answer[int]:
        return self._wait(0, self._files.write, fh, off, buf)

    async def flush(self, fh: int) -> None:
        """Nothing to do at a close(2); and the kernel does not ask again."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    def release(self, fh: int) -> Answer[None]:
        return self._ask(self._core.release, fh)

    def fsync(self, fh: int, datasync: bool) -> Answer[None]:
        return self._ask(self._files.fsync, fh)

    # --- attributes

    def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Answer[pyfuse3.EntryAttributes]:
        return self._ask(self._metadata.getattr, inode)

    def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> Answer[pyfuse3.EntryAttributes]:
        return self._wait(ctx.pid, self._metadata.setattr, inode, attr, fields, fh, self._token(ctx))

    def readlink(self, inode: int, ctx: pyfuse3.RequestContext) -> Answer[bytes]:
        return self._ask(self._metadata.readlink, inode)

    def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> Answer[bool]:
        return self._ask(self._metadata.access, inode, mode, self._token(ctx))

    def statfs(self, ctx: pyfuse3.RequestContext) -> Answer[pyfuse3.StatvfsData]:
        return self._ask(self._metadata.statfs)

    def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> Answer[bytes]:
        if not name.startswith(b"user."):
            # Asked before each write, for the capabilities of a file.
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        return self._ask(self._metadata.getxattr, inode, name, self._token(ctx))

    def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Answer[Sequence[bytes]]:
        return self._ask(self._metadata.listxattr, inode)

    def setxattr(self, inode: int, name: bytes, value: bytes, ctx: pyfuse3.RequestContext) -> Answer[None]:
        return self._wait(ctx.pid, self._metadata.setxattr, inode, name, value, self._token(ctx))

    def removexattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> Answer[None]:
        return self._wait(ctx.pid, self._metadata.removexattr, inode, name, self._token(ctx))
