"""From inode numbers to files of the store, and back: what all operations share."""

import errno
import itertools
import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Final, TypeVar

import pyfuse3
import trio

from acl import mask
from acl.token import SUPERUSER, Token
from gateway.fuse.attributes import SHARES_SECONDS, attributes_of, attributes_of_root
from gateway.fuse.callers import Callers
from gateway.fuse.exports import Mounted
from gateway.fuse.inodes import ROOT, Inode, Inodes
from gateway.fuse.keeping import Keeping
from gateway.fuse.opened import Asked, OpenFile
from gateway.nt import constants as nt
from gateway.share.granting import grant_maximal
from gateway.share.intent import OpenIntent
from gateway.share.opens import Open
from gateway.share.sharemodes import CHANGES
from gateway.uncompiled import raise_after
from vfs_backends.api import Capability, Handle, IoAccess, NodeId, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import may_suspend, nothing_happened

__all__ = ["SHARE_ALL", "Core", "join"]

T = TypeVar("T")

SHARE_ALL: Final = nt.FILE_SHARE_READ | nt.FILE_SHARE_WRITE | nt.FILE_SHARE_DELETE
"""A program denies nothing to others."""

_GONE: Final = frozenset({Kind.NOT_FOUND, Kind.PATH_NOT_FOUND, Kind.SYMLINK, Kind.STALE})


_KEPT_DIRECTORIES: Final = 128


class Core:
    """The state of a mount. `keeping`: for how long the kernel may answer by itself what it was told."""

    def __init__(self, mounted: Sequence[Mounted], callers: Callers, owner: Hashable, keeping: Keeping) -> None:
        self.mounted = {one.name: one for one in mounted}
        self.callers = callers
        self.owner = owner
        """Of all opens of the mount."""
        self.keeping = keeping
        self.inodes = Inodes()
        for one in sorted(mounted, key=lambda one: one.name):
            self.inodes.salt(one, one.share.root.node_id.device)
        self.files: dict[int, OpenFile] = {}
        """What programs have open, by the numbers that the kernel knows."""
        self.own_threads: set[int] = set()
        """Native ids of the gateway's threads that use the mount; what they open is not opened in the store."""
        self._own_handles: set[int] = set()
        self._directories: OrderedDict[Inode, Handle] = OrderedDict()
        self.root_handles: set[int] = set()
        """The same for the mount's own directory."""
        self._new_handle = itertools.count(1)
        self._started_ns = time.time_ns()
        self.root_uid, self.root_gid = 0, 0

    # --- inodes

    def inode(self, number: int) -> Inode:
        """What the kernel means. Raises ESTALE if it is not known, and EPERM for the mount's own directory."""
        inode = self.inodes.get(number)
        if inode is None:
            raise pyfuse3.FUSEError(errno.EPERM if number == ROOT else errno.ESTALE)
        return inode

    def known(self, node_id: NodeId) -> list[Inode]:
        """What the kernel knows of a file, by each share that it is in."""
        return self.inodes.known(node_id)

    def told(self, inode: Inode, stat: Stat, directory: Inode | None = None) -> pyfuse3.EntryAttributes:
        """What the kernel is told of an inode that it looked up: it will forget it as often as it was told."""
        inode.lookups += 1
        return self.attributes(inode, stat, directory)

    def attributes(self, inode: Inode, stat: Stat, directory: Inode | None = None) -> pyfuse3.EntryAttributes:
        seconds = self.keeping.attributes(inode)
        name_seconds = self.keeping.names(directory) if directory is not None and seconds else 0.0
        return attributes_of(inode, stat, seconds, name_seconds)

    def share_attributes(self, inode: Inode, stat: Stat) -> pyfuse3.EntryAttributes:
        """Of the directory that a share is, whose name stays."""
        return attributes_of(inode, stat, self.keeping.attributes(inode), SHARES_SECONDS)

    async def judge(self, directory: Inode) -> None:
        """Find out whether names in a directory may be kept. Raises `VfsError`."""
        await self.keeping.judge(directory, await self.directory(directory))

    def root_attributes(self) -> pyfuse3.EntryAttributes:
        return attributes_of_root(len(self.mounted), self.root_uid, self.root_gid, self._started_ns)

    # --- files that are asked, but not opened

    async def asked(self, inode: Inode) -> Asked:
        """A handle that can be asked, `with` it. Raises `VfsError`: STALE if the file is gone."""
        if inode.opens:
            return Asked(inode.opens[0].handle, is_kept=True)
        return Asked(await self.find(inode), is_kept=False)

    async def find(self, inode: Inode) -> Handle:
        """A new path handle. Raises `VfsError`."""
        fs, root = inode.mounted.share.fs, inode.mounted.share.root
        for path in inode.paths():
            try:
                handle = await fs.lookup(root, path, case_sensitive=True)
            except VfsError as error:
                if error.kind not in _GONE:
                    raise
                continue
            if handle.node_id == inode.node_id:
                return handle
            handle.discard()
        if Capability.BY_ID in fs.capabilities:
            handle = await fs.open_by_id(inode.node_id.inode)
            if handle.node_id == inode.node_id:
                return handle
            handle.discard()
        raise VfsError(Kind.STALE, f"inode {inode.node_id.inode}")

    async def directory(self, inode: Inode) -> Handle:
        """A path handle on a directory, which stays with us: names in it can be asked for without going there anew."""
        kept = self._directories
        handle = kept.get(inode)
        if handle is None:
            handle = await self.find(inode)
            try:
                # What it has of permissions is asked for again and again, which then costs less.
                await handle.open_io(IoAccess.READ)
            except VfsError:
                pass  # to search is all that it takes
            except BaseException:  # whatever it is: nobody knows of the handle yet
                handle.discard()
                raise
            if inode in kept:
                handle.discard()
                return kept[inode]
            kept[inode] = handle
            if len(kept) > _KEPT_DIRECTORIES:
                kept.popitem(last=False)[1].discard()
        else:
            kept.move_to_end(inode)
        return handle

    async def at_hand(self, inode: Inode, path: str) -> Handle | None:
        """The same handle, where it stays open for as long as it is used: nobody closes it in an inline pass.

        `path`: where the directory is now. None in a task. Raises `VfsError`.
        """
        if may_suspend():
            return None
        handle = await self.directory(inode)
        handle.path = path
        return handle

    def kept(self, inode: Inode, path: str) -> Handle | None:
        """The same, if it is at hand already."""
        if may_suspend():
            return None
        handle = self._directories.get(inode)
        if handle is not None:
            handle.path = path
        return handle

    async def stat_entry(self, directory: Inode, name: str, token: Token | None = None) -> Stat | None:
        """What a name leads to, None if to nothing; with a token, for that caller. Raises `VfsError`."""
        share = directory.mounted.share
        caller = share.caller(token) if token is not None and token.uid else None
        handle = self._directories.get(directory) or await self.directory(directory)
        return await share.fs.stat_entry(handle, name, caller)

    async def stat(self, inode: Inode) -> Stat:
        if not inode.opens and inode.names:
            directory, name = next(reversed(inode.names))
            try:
                stat = await self.stat_entry(directory, name)
            except VfsError as error:
                if error.kind not in _GONE:
                    raise
            else:
                if stat is not None and stat.node_id == inode.node_id:
                    return stat
        with await self.asked(inode) as handle:
            return await handle.stat()

    async def access(self, inode: Inode, token: Token, handle: Handle, stat: Stat) -> int:
        """All that a caller may do with a file."""
        limit = inode.mounted.access_of(token)
        if token.has_privilege(SUPERUSER):
            return limit
        return limit & (await grant_maximal(inode.mounted.share, token, handle, stat)).access

    def must_check_search(self, directory: Inode, token: Token) -> bool:
        """Whether the storage does not see to it who looks up names in a directory.

        Raises EACCES if the caller may not even enter the share.
        """
        mounted = directory.mounted
        if not mounted.access_of(token):
            raise pyfuse3.FUSEError(errno.EACCES)
        return not (mounted.acts_as_callers or token.has_privilege(SUPERUSER))

    async def check_search(self, directory: Inode, token: Token) -> None:
        """Raise `StatusError` (ACCESS_DENIED) if a caller may not look up names in a directory."""
        mounted = directory.mounted
        with await self.asked(directory) as handle:
            await mounted.share.descriptors.check(handle, await handle.stat(), token, mask.FILE_TRAVERSE)

    # --- files that are opened

    def check_writable(self, mounted: Mounted, token: Token) -> None:
        """Raise EROFS if a caller may not change anything in a share, EACCES if they may not even enter it."""
        _check_writable(mounted.access_of(token))

    def intent(
        self,
        mounted: Mounted,
        token: Token,
        path: str,
        desired: int,
        disposition: int = nt.FILE_OPEN,
        options: int = 0,
        parent: Handle | None = None,
    ) -> OpenIntent:
        limit = mounted.access_of(token)
        if desired & CHANGES or disposition == nt.FILE_CREATE:
            _check_writable(limit)
        elif not limit:
            raise pyfuse3.FUSEError(errno.EACCES)
        return OpenIntent(
            path,
            desired,
            SHARE_ALL,
            disposition,
            options,
            parent=parent,
            owner=self.owner,
            access_limit=limit,
            posix=True,
        )

    async def open(self, inode: Inode, token: Token, desired: int) -> Open:
        """Open a file by any of its names. Raises `StatusError` and `VfsError`."""
        share = inode.mounted.share
        for path in inode.paths():
            try:
                one = await share.open(self.intent(inode.mounted, token, path, desired), token)
            except VfsError as error:
                if error.kind not in _GONE:
                    raise
                continue
            if one.node_id == inode.node_id:
                return one
            await self.close(one)
        raise VfsError(Kind.STALE, f"inode {inode.node_id.inode}")

    async def opened(self, inode: Inode, token: Token, desired: int) -> Open | None:
        """What the mount has open already of a file without a name, for one program more: as by /proc/self/fd.

        None if nothing is open for all of `desired`. Raises `StatusError` and `VfsError`.
        """
        for one in inode.opens:
            if not desired & ~one.granted_access:
                await inode.mounted.share.descriptors.check(one.handle, await one.handle.stat(), token, desired)
                return one
        return None

    async def open_path(
        self, mounted: Mounted, token: Token, path: str, desired: int, parent: Handle | None = None
    ) -> Open:
        """Open what has this name now, whatever it is. `parent`: the directory, if it is at hand."""
        return await mounted.share.open(self.intent(mounted, token, path, desired, parent=parent), token)

    async def close(self, one: Open) -> None:
        if not may_suspend():
            await one.share.close(one)
            return
        with trio.CancelScope(shield=True):
            await one.share.close(one)

    async def briefly(self, one: Open, work: Awaitable[T]) -> T:
        """Do something with an open, and close it in the end.

        To have opened it is no effect, since it can be taken back.
        """
        nothing_happened()
        try:
            result = await work
        except BaseException as error:  # also if it is cancelled: nobody else knows of the open
            ending = raise_after(self.close(one), error)
        else:
            await self.close(one)
            return result
        await ending

    async def change(self, inode: Inode, token: Token, needed: int, work: Callable[[Open], Awaitable[None]]) -> None:
        """Change something of a file by an open of it, even if it has no name any more.

        Raises `StatusError` and `VfsError` if the caller has not got the access `needed`.
        """
        if not inode.opens:
            one = await self.open(inode, token, needed)
            await self.briefly(one, work(one))
            return
        one, share = inode.opens[0], inode.mounted.share
        if needed & ~inode.mounted.access_of(token):
            raise pyfuse3.FUSEError(errno.EROFS)
        await share.descriptors.check(one.handle, await one.handle.stat(), token, needed)
        await work(one)

    def enter(self, file: OpenFile) -> int:
        """A number for a file that a program has opened."""
        number = next(self._new_handle)
        self.files[number] = file
        file.inode.opens.append(file.one)
        return number

    def info(self, file: OpenFile, flags: int) -> pyfuse3.FileInfo:
        """What the kernel is told of a file that a program has opened with these flags of open(2)."""
        file.appends = bool(flags & os.O_APPEND)
        return pyfuse3.FileInfo(fh=self.enter(file), keep_cache=self.keeping.seconds > 0)

    def enter_root(self) -> int:
        number = next(self._new_handle)
        self.root_handles.add(number)
        return number

    def enter_own(self) -> int:
        """A number for what a thread of our own has opened."""
        number = next(self._new_handle)
        self._own_handles.add(number)
        return number

    def file(self, number: int) -> OpenFile:
        try:
            return self.files[number]
        except KeyError:
            raise pyfuse3.FUSEError(errno.EBADF) from None

    async def release(self, number: int) -> None:
        """The program does not need it any more."""
        file = self.files.get(number)
        if file is None:
            self.root_handles.discard(number)
            self._own_handles.discard(number)
            return
        file.one.share.enter()
        del self.files[number]
        file.inode.opens.remove(file.one)
        self.inodes.release(file.inode)
        if file.listing is not None:
            file.listing.discard()
        if file.one not in file.inode.opens:
            await self.close(file.one)

    async def aclose(self) -> None:
        """Close all that is open still."""
        for number in list(self.files):
            await self.release(number)
        while self._directories:
            self._directories.popitem()[1].discard()


def _check_writable(limit: int) -> None:
    if not limit & CHANGES:
        raise pyfuse3.FUSEError(errno.EROFS if limit else errno.EACCES)


def join(directory: str, name: str) -> str:
    return f"{directory}/{name}" if directory else name
