"""Names: finding, listing, making, moving and removing them."""

import errno
import os
import stat as stat_module
from typing import Final

import pyfuse3

from acl import mask
from acl.token import SUPERUSER, Token
from gateway.fuse.attributes import NOTHING
from gateway.fuse.core import Core, join
from gateway.fuse.inodes import ROOT, Inode
from gateway.fuse.names import to_kernel
from gateway.fuse.opened import OpenFile
from gateway.fuse.restoring import restored
from gateway.nt import constants as nt
from gateway.share.changing import set_size
from gateway.share.intent import OpenIntent
from gateway.share.opens import Open
from gateway.share.reaching import reach
from gateway.share.removing import remove_name, remove_unopened
from gateway.share.renaming import exchange, link, rename
from gateway.share.special import make_node, make_symlink
from gateway.uncompiled import raise_after
from vfs_backends.api import Handle, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import nothing_happened

__all__ = ["Directories", "access_of_flags"]

_MODE: Final = 0o7777
_CHUNK: Final = 128
"""Entries read at a time."""
_FMODE_EXEC: Final = 0x20
"""The kernel opens it to run it."""
_DOTS: Final = (".", "..")


def access_of_flags(flags: int) -> int:
    """The access mask that flags of open(2) stand for."""
    writes = mask.FILE_WRITE_DATA | mask.FILE_APPEND_DATA
    match flags & os.O_ACCMODE:
        case os.O_RDONLY:
            access = mask.FILE_EXECUTE if flags & _FMODE_EXEC else mask.FILE_READ_DATA
        case os.O_WRONLY:
            access = writes
        case _:
            access = mask.FILE_READ_DATA | writes
    return access | mask.FILE_WRITE_DATA if flags & os.O_TRUNC else access


class _Removal:
    """A name that `uid` wants to take away by unlink(2) or rmdir(2), from the directory `around`; None if root does."""

    __slots__ = ("_around", "_is_directory", "_uid")

    def __init__(self, is_directory: bool, uid: int, around: Stat | None) -> None:
        self._is_directory = is_directory
        self._uid = uid
        self._around = around

    def check(self, stat: Stat) -> None:
        """Raise ENOTDIR, EISDIR or EPERM."""
        if stat.is_directory is not self._is_directory:
            raise pyfuse3.FUSEError(errno.ENOTDIR if self._is_directory else errno.EISDIR)
        if self._around is not None:
            _check_sticky(self._uid, self._around, stat)


def _check_sticky(uid: int, around: Stat, stat: Stat) -> None:
    """Raise EPERM if only owners may remove a name. See S_ISVTX in inode(7)."""
    if around.mode & stat_module.S_ISVTX and uid not in (around.uid, stat.uid):
        raise pyfuse3.FUSEError(errno.EPERM)


class Directories:
    """Operations on directories. All raise `FUSEError`, `StatusError` and `VfsError`."""

    def __init__(self, core: Core) -> None:
        self.core = core

    # --- look-up

    async def lookup(self, parent: int, name: str, token: Token) -> pyfuse3.EntryAttributes:
        core = self.core
        if parent == ROOT:
            return await self._lookup_share(name)
        if name in _DOTS:
            return await self._lookup_dots(parent, name)
        directory = core.inode(parent)
        if core.must_check_search(directory, token):
            await core.check_search(directory, token)
        is_denied = False
        try:
            stat = await core.stat_entry(directory, name, token)
        except VfsError as error:
            if error.kind is not Kind.ACCESS_DENIED:
                raise
            stat, is_denied = None, True
        if is_denied:
            stat = await self._overruled(directory, name, token)
        if stat is None:
            return NOTHING
        if not core.keeping.is_judged(directory):
            await core.judge(directory)
        return core.told(core.inodes.enter_child(directory, name, stat.node_id), stat, directory)

    async def _overruled(self, directory: Inode, name: str, token: Token) -> Stat:
        """What the storage does not let a caller reach, and a security descriptor does."""
        above = directory.path()
        if above is None:
            raise VfsError(Kind.NOT_FOUND, name)
        found = await reach(directory.mounted.share, join(above, name), token, case_sensitive=True)
        try:
            return await found.stat()
        finally:
            found.discard()

    async def _lookup_share(self, name: str) -> pyfuse3.EntryAttributes:
        if name in _DOTS:
            return self.core.root_attributes()
        if name not in self.core.mounted:
            raise VfsError(Kind.NOT_FOUND, name)
        inode, stat = await self._root_of(name)
        inode.lookups += 1
        return self.core.share_attributes(inode, stat)

    async def _root_of(self, name: str) -> tuple[Inode, Stat]:
        mounted = self.core.mounted[name]
        root = mounted.share.root
        return self.core.inodes.enter(mounted, root.node_id), await root.stat()

    async def _lookup_dots(self, number: int, name: str) -> pyfuse3.EntryAttributes:
        """What NFS asks for a directory that the kernel has forgotten."""
        core = self.core
        inode = await restored(core, number)
        if name == "..":
            if inode.is_root:
                return core.root_attributes()
            directory = next(reversed(inode.names), None)
            if directory is None:
                raise VfsError(Kind.STALE, name)
            inode = core.inodes.revive(directory[0])
        return core.told(inode, await core.stat(inode))

    # --- listing

    async def opendir(self, number: int, token: Token) -> int:
        core = self.core
        if number == ROOT:
            return core.enter_root()
        inode = core.inode(number)
        file = OpenFile(inode, await core.open(inode, token, mask.FILE_LIST_DIRECTORY))
        file.names = list(_DOTS)
        return core.enter(file)

    async def readdir(self, handle: int, start: int, token: pyfuse3.ReaddirToken) -> None:
        """Tell entries from the index `start` on, as many as there is room for."""
        if handle in self.core.root_handles:
            await self._list_shares(start, token)
            return
        file = self.core.file(handle)
        if start == 0 and file.listing is not None:
            await file.listing.rewind()
            file.stats.clear()
            del file.names[len(_DOTS) :]
        if not self.core.keeping.is_judged(file.inode):
            await self.core.judge(file.inode)
        index = start
        while index < len(file.names) or await self._read_more(file):
            name = file.names[index]
            index += 1
            if name in _DOTS:
                if not pyfuse3.readdir_reply(token, name.encode(), await self._dots_of(file.inode, name), index):
                    return
                continue
            stat = file.stats.pop(name, None) or await self._stat_of(file, name)
            if stat is not None and not self._tell(file, name, stat, index, token):
                file.stats[name] = stat
                return

    async def _list_shares(self, start: int, token: pyfuse3.ReaddirToken) -> None:
        core = self.core
        for index, name in enumerate([*_DOTS, *sorted(core.mounted)][start:], start + 1):
            if name in _DOTS:
                if not pyfuse3.readdir_reply(token, name.encode(), core.root_attributes(), index):
                    return
                continue
            inode, stat = await self._root_of(name)
            if not pyfuse3.readdir_reply(token, to_kernel(name), core.share_attributes(inode, stat), index):
                return
            inode.lookups += 1

    async def _dots_of(self, inode: Inode, name: str) -> pyfuse3.EntryAttributes:
        core = self.core
        if name == "..":
            if inode.is_root:
                return core.root_attributes()
            above = next(reversed(inode.names), None)
            inode = above[0] if above is not None else inode
        return core.attributes(inode, await core.stat(inode))

    async def _read_more(self, file: OpenFile) -> bool:
        """Read further entries; whether there were any."""
        if file.listing is None:
            file.listing = await file.one.handle.open_directory()
        entries = await file.listing.read(_CHUNK)
        for entry in entries:
            file.names.append(entry.name)
            if entry.stat is not None:
                file.stats[entry.name] = entry.stat
        return bool(entries)

    async def _stat_of(self, file: OpenFile, name: str) -> Stat | None:
        """Of what was listed earlier; None if it has gone."""
        return await file.inode.mounted.share.fs.stat_entry(file.one.handle, name)

    def _tell(self, file: OpenFile, name: str, stat: Stat, index: int, token: pyfuse3.ReaddirToken) -> bool:
        """Tell the kernel an entry; False if there is no room for it."""
        core = self.core
        inode = core.inodes.enter_child(file.inode, name, stat.node_id)
        if not pyfuse3.readdir_reply(token, to_kernel(name), core.attributes(inode, stat, file.inode), index):
            core.inodes.release(inode)
            return False
        inode.lookups += 1
        return True

    # --- making

    def _place(self, parent: int, name: str) -> tuple[Inode, str]:
        """The directory, and the path of a name in it."""
        directory, above = self._above(parent, name)
        return directory, join(above, name)

    def _above(self, parent: int, name: str) -> tuple[Inode, str]:
        """The directory, and where it is. Raises `VfsError`."""
        directory = self.core.inode(parent)
        above = directory.path()
        if above is None:
            raise VfsError(Kind.NOT_FOUND, name)
        return directory, above

    async def _new(
        self, place: tuple[Inode, str], name: str, token: Token, mode: int, desired: int, disposition: int, options: int
    ) -> OpenIntent:
        directory, above = place
        parent = self.core.kept(directory, above) or await self.core.at_hand(directory, above)
        intent = self.core.intent(directory.mounted, token, join(above, name), desired, disposition, options, parent)
        intent.mode = mode & _MODE
        # Or else the kernel would not ask for that, but open what it has found.
        intent.is_new = True
        return intent

    async def create(
        self, parent: int, name: str, mode: int, flags: int, token: Token
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        """open(2) with O_CREAT."""
        core = self.core
        place = self._above(parent, name)
        directory, share = place[0], place[0].mounted.share
        disposition = nt.FILE_CREATE if flags & os.O_EXCL else nt.FILE_OPEN_IF
        access = access_of_flags(flags)
        intent = await self._new(place, name, token, mode, access, disposition, nt.FILE_NON_DIRECTORY_FILE)
        one = await share.open(intent, token)
        stat = one.created_stat
        if one.action != nt.FILE_CREATED:
            stat = await self._found(one, name, flags)
        inode = core.inodes.enter_child(directory, name, one.node_id)
        return core.info(OpenFile(inode, one), flags), core.told(inode, stat, directory)

    async def _found(self, one: Open, name: str, flags: int) -> Stat:
        """What is known of a file that was to be created, and was there already."""
        stat = one.created_stat
        try:
            if not stat_module.S_ISREG(stat.mode):
                raise VfsError(Kind.EXISTS, name)
            if flags & os.O_TRUNC:
                nothing_happened()
                await set_size(one.share, one, 0)
                stat = await one.handle.stat()
        except BaseException as error:  # also if it is interrupted: nobody knows of the open yet
            ending = raise_after(self.core.close(one), error)
        else:
            return stat
        await ending

    async def mkdir(self, parent: int, name: str, mode: int, token: Token) -> pyfuse3.EntryAttributes:
        place = self._above(parent, name)
        return await self._make(place, name, token, mode, nt.FILE_DIRECTORY_FILE)

    async def _make(
        self, place: tuple[Inode, str], name: str, token: Token, mode: int, options: int
    ) -> pyfuse3.EntryAttributes:
        """Make a file or a directory, which is not to stay open."""
        directory = place[0]
        intent = await self._new(place, name, token, mode, mask.FILE_READ_ATTRIBUTES, nt.FILE_CREATE, options)
        one = await directory.mounted.share.open(intent, token)
        await self.core.close(one)
        inode = self.core.inodes.enter_child(directory, name, one.node_id)
        return self.core.told(inode, one.created_stat, directory)

    async def mknod(self, parent: int, name: str, mode: int, rdev: int, token: Token) -> pyfuse3.EntryAttributes:
        place = self._above(parent, name)
        if stat_module.S_ISREG(mode) or not stat_module.S_IFMT(mode):
            return await self._make(place, name, token, mode, nt.FILE_NON_DIRECTORY_FILE)
        if (stat_module.S_ISBLK(mode) or stat_module.S_ISCHR(mode)) and not token.has_privilege(SUPERUSER):
            raise pyfuse3.FUSEError(errno.EPERM)
        directory, path = place[0], join(place[1], name)
        self.core.check_writable(directory.mounted, token)
        stat = await make_node(directory.mounted.share, path, mode, rdev, token, (self.core.owner, b""))
        return self.core.told(self.core.inodes.enter_child(directory, name, stat.node_id), stat, directory)

    async def symlink(self, parent: int, name: str, target: str, token: Token) -> pyfuse3.EntryAttributes:
        directory, path = self._place(parent, name)
        self.core.check_writable(directory.mounted, token)
        stat = await make_symlink(directory.mounted.share, path, target, token, (self.core.owner, b""))
        return self.core.told(self.core.inodes.enter_child(directory, name, stat.node_id), stat, directory)

    # --- moving and removing

    async def unlink(self, parent: int, name: str, token: Token) -> None:
        await self._remove(parent, name, token, is_directory=False)

    async def rmdir(self, parent: int, name: str, token: Token) -> None:
        await self._remove(parent, name, token, is_directory=True)

    async def _remove(self, parent: int, name: str, token: Token, *, is_directory: bool) -> None:
        core = self.core
        directory, above = self._above(parent, name)
        share = directory.mounted.share
        at_hand = core.kept(directory, above) or await core.at_hand(directory, above)
        intent = core.intent(directory.mounted, token, join(above, name), mask.DELETE, parent=at_hand)
        if at_hand is not None:
            around = await core.stat(directory) if token.uid else None
            if await remove_unopened(share, intent, token, _Removal(is_directory, token.uid, around).check):
                return
        one = await share.open(intent, token)
        await core.briefly(one, self._remove_open(directory, one, token, at_hand, is_directory))

    async def _remove_open(
        self, directory: Inode, one: Open, token: Token, at_hand: Handle | None, is_directory: bool
    ) -> None:
        around = await self.core.stat(directory) if token.uid else None
        _Removal(is_directory, token.uid, around).check(one.created_stat)
        await remove_name(one.share, one, at_hand)

    async def rename(self, parent: int, name: str, new_parent: int, new_name: str, flags: int, token: Token) -> None:
        if flags not in (0, pyfuse3.RENAME_NOREPLACE, pyfuse3.RENAME_EXCHANGE):
            raise pyfuse3.FUSEError(errno.EINVAL)
        directory, path = self._place(parent, name)
        new_directory, new_path = self._place(new_parent, new_name)
        share = directory.mounted.share
        if share is not new_directory.mounted.share:
            raise pyfuse3.FUSEError(errno.EXDEV)
        one = await self.core.open_path(directory.mounted, token, path, mask.DELETE)
        if flags == pyfuse3.RENAME_EXCHANGE:
            work = self._exchange(one, directory, new_directory, new_path, token)
        else:
            work = self._rename(one, directory, new_path, token, replace=not flags)
        await self.core.briefly(one, work)

    async def _rename(self, one: Open, directory: Inode, new_path: str, token: Token, *, replace: bool) -> None:
        await self._check_sticky(directory, one, token)
        await rename(one.share, one, new_path, replace=replace, posix=True)

    async def _exchange(self, one: Open, directory: Inode, new_directory: Inode, new_path: str, token: Token) -> None:
        await self._check_sticky(directory, one, token)
        other = await self.core.open_path(directory.mounted, token, new_path, mask.DELETE)
        await self.core.briefly(other, self._exchange_open(one, other, new_directory, token))

    async def _exchange_open(self, one: Open, other: Open, new_directory: Inode, token: Token) -> None:
        await self._check_sticky(new_directory, other, token)
        await exchange(one.share, one, other)

    async def _check_sticky(self, directory: Inode, one: Open, token: Token) -> None:
        """Raise EPERM if only owners may remove a name."""
        if token.uid:
            _check_sticky(token.uid, await self.core.stat(directory), await one.handle.stat())

    async def link(self, number: int, new_parent: int, new_name: str, token: Token) -> pyfuse3.EntryAttributes:
        core = self.core
        inode = core.inode(number)
        directory, path = self._place(new_parent, new_name)
        if inode.mounted is not directory.mounted:
            raise pyfuse3.FUSEError(errno.EXDEV)
        one = await core.open(inode, token, mask.FILE_READ_ATTRIBUTES)
        stat = await core.briefly(one, _link(one, path))
        return core.told(core.inodes.enter_child(directory, new_name, inode.node_id), stat, directory)


async def _link(one: Open, path: str) -> Stat:
    await link(one.share, one, path, replace=False, posix=True)
    return await one.handle.stat()
