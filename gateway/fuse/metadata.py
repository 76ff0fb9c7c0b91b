"""What is known about files beside their contents: attributes, extended attributes, links, space."""

import errno
import os
import stat as stat_module
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import pyfuse3

from acl import mask
from acl.token import SUPERUSER, Token
from gateway.fuse.attributes import statfs_of
from gateway.fuse.core import Core
from gateway.fuse.inodes import ROOT, Inode
from gateway.fuse.names import from_kernel, to_kernel
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.share.changing import set_size, set_stat
from gateway.share.extended import set_attribute
from gateway.share.opens import Open
from vfs_backends.api import Capability, Stat, StatChange
from vfs_backends.inline import may_wait

__all__ = ["Metadata"]

_MODE: Final = 0o7777
_USER: Final = "user."


class Metadata:
    """Operations on what is known about files. All raise `FUSEError`, `StatusError` and `VfsError`."""

    def __init__(self, core: Core, permissions_changed: Callable[[Inode], Awaitable[None]]) -> None:
        self.core = core
        self._permissions_changed = permissions_changed
        """Told of a directory before the program goes on."""

    async def getattr(self, number: int) -> pyfuse3.EntryAttributes:
        if number == ROOT:
            return self.core.root_attributes()
        inode = self.core.inode(number)
        return self.core.attributes(inode, await self.core.stat(inode))

    async def setattr(
        self,
        number: int,
        wanted: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        handle: int | None,
        token: Token,
    ) -> pyfuse3.EntryAttributes:
        """chmod(2), chown(2), truncate(2), utimensat(2)."""
        inode = self.core.inode(number)
        if inode.is_open or fields.update_size:
            # There may be more to wait for after the first effect.
            may_wait()
        if fields.update_size:
            await self._set_size(inode, wanted.st_size, handle, token)
        change = StatChange(
            mode=wanted.st_mode & _MODE if fields.update_mode else None,
            uid=wanted.st_uid if fields.update_uid else None,
            gid=wanted.st_gid if fields.update_gid else None,
            atime_ns=wanted.st_atime_ns if fields.update_atime else None,
            mtime_ns=wanted.st_mtime_ns if fields.update_mtime else None,
        )
        if change != StatChange():
            await self._set_stat(inode, change, token)
        return await self.getattr(number)

    async def _set_size(self, inode: Inode, size: int, handle: int | None, token: Token) -> None:
        if handle is not None:
            await set_size(inode.mounted.share, self.core.file(handle).one, size)
            return
        one = await self.core.open(inode, token, mask.FILE_WRITE_DATA)
        await self.core.briefly(one, set_size(inode.mounted.share, one, size))

    async def _set_stat(self, inode: Inode, change: StatChange, token: Token) -> None:
        stat = await self.core.stat(inode)
        change = _as_allowed(change, stat, token)
        needed = 0
        if change.mode is not None:
            needed |= mask.WRITE_DAC
        if change.uid is not None:
            needed |= mask.WRITE_OWNER
        if change.gid is not None and token.uid != stat.uid:
            needed |= mask.WRITE_OWNER
        if change.atime_ns is not None or change.mtime_ns is not None:
            needed |= mask.FILE_WRITE_ATTRIBUTES
        is_told = change.mode is not None and stat.is_directory
        work = partial(self._set_stat_of, inode, change, is_told)
        try:
            await self.core.change(inode, token, needed or mask.FILE_READ_ATTRIBUTES, work)
        except StatusError as error:
            # Who does not own a file is told so: EPERM, where contents would be EACCES.
            if error.status != STATUS_ACCESS_DENIED:
                raise
            raise pyfuse3.FUSEError(errno.EPERM) from error

    async def _set_stat_of(self, inode: Inode, change: StatChange, is_told: bool, one: Open) -> None:
        await set_stat(inode.mounted.share, one, change)
        if is_told:
            await self._permissions_changed(inode)

    async def readlink(self, number: int) -> bytes:
        inode = self.core.inode(number)
        with await self.core.asked(inode) as handle:
            return to_kernel(await handle.read_link())

    async def access(self, number: int, mode: int, token: Token) -> bool:
        """access(2)."""
        if number == ROOT:
            return not mode & os.W_OK
        core = self.core
        inode = core.inode(number)
        with await core.asked(inode) as handle:
            stat = await handle.stat()
            has = await core.access(inode, token, handle, stat)
        needed = mask.FILE_READ_DATA if mode & os.R_OK else 0
        if mode & os.W_OK:
            needed |= mask.FILE_WRITE_DATA | mask.FILE_APPEND_DATA
        if mode & os.X_OK:
            needed |= mask.FILE_EXECUTE
            if token.has_privilege(SUPERUSER) and not stat.is_directory and not stat.mode & 0o111:
                return False
        return not needed & ~has

    async def statfs(self) -> pyfuse3.StatvfsData:
        """Of the first share: the kernel does not say which is asked about."""
        for mounted in self.core.mounted.values():
            return statfs_of(await mounted.share.fs.statfs())
        return pyfuse3.StatvfsData()

    # --- extended attributes

    async def getxattr(self, number: int, name: bytes, token: Token) -> bytes:
        if number == ROOT:
            raise pyfuse3.FUSEError(errno.ENODATA)
        inode, own = self._named(number, name)
        await self._check(inode, mask.FILE_READ_EA, token)
        with await self.core.asked(inode) as handle:
            return await handle.get_xattr(own)

    async def listxattr(self, number: int) -> list[bytes]:
        if number == ROOT:
            return []
        inode = self.core.inode(number)
        if Capability.XATTRS not in inode.mounted.share.fs.capabilities:
            return []
        with await self.core.asked(inode) as handle:
            return [to_kernel(_USER + name) for name in await handle.list_xattrs()]

    async def setxattr(self, number: int, name: bytes, value: bytes, token: Token) -> None:
        inode, own = self._named(number, name)
        await self._set_xattr(inode, own, value, token)

    async def removexattr(self, number: int, name: bytes, token: Token) -> None:
        inode, own = self._named(number, name)
        await self._set_xattr(inode, own, None, token)

    async def _set_xattr(self, inode: Inode, name: str, value: bytes | None, token: Token) -> None:
        share = inode.mounted.share
        await self.core.change(inode, token, mask.FILE_WRITE_EA, lambda one: set_attribute(share, one, name, value))

    def _named(self, number: int, name: bytes) -> tuple[Inode, str]:
        """The inode, and the name without its namespace: only users' attributes are there to be had."""
        inode = self.core.inode(number)
        text = from_kernel(name)
        if not text.startswith(_USER) or Capability.XATTRS not in inode.mounted.share.fs.capabilities:
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        return inode, text[len(_USER) :]

    async def _check(self, inode: Inode, needed: int, token: Token) -> None:
        with await self.core.asked(inode) as handle:
            if needed & ~await self.core.access(inode, token, handle, await handle.stat()):
                raise pyfuse3.FUSEError(errno.EACCES)


def _as_allowed(change: StatChange, stat: Stat, token: Token) -> StatChange:
    """What of a change POSIX lets this caller make. Raises EPERM. See chmod(2), chown(2)."""
    if token.has_privilege(SUPERUSER):
        return change
    if change.uid is not None and change.uid != stat.uid:
        raise pyfuse3.FUSEError(errno.EPERM)
    groups = (token.gid, *token.gids)
    if change.gid is not None and change.gid != stat.gid and (token.uid != stat.uid or change.gid not in groups):
        raise pyfuse3.FUSEError(errno.EPERM)
    mode = change.mode
    if mode is not None and mode & stat_module.S_ISGID and not stat.is_directory and stat.gid not in groups:
        mode &= ~stat_module.S_ISGID
    uid = None if change.uid == stat.uid else change.uid
    return StatChange(mode, uid, change.gid, change.atime_ns, change.mtime_ns)
