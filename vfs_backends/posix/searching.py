"""How a file of the local machine is found: by name, by inode, and as somebody who may not get everywhere."""

import errno
import os
from collections.abc import Callable
from typing import Final, TypeVar

from vfs_backends.api import Caller, FileSystem, Handle, IoAccess, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import may_suspend
from vfs_backends.posix.by_inode import path_of
from vfs_backends.posix.descriptors import ACCESS_MODES
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.identity import act_as, as_caller
from vfs_backends.posix.leased_handles import LeasedHandle
from vfs_backends.posix.names import name_to_bytes, path_to_bytes
from vfs_backends.posix.resolve import Found, Resolver, look_up_failure
from vfs_backends.posix.sidestore import is_hidden
from vfs_backends.posix.stats import identity_of, stat_of
from vfs_backends.posix.syscalls import AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, proc_path, statx
from vfs_backends.posix.volume import Tree, Volume

__all__ = ["SearchableFileSystem", "joined"]

T = TypeVar("T")

_UNKNOWN: Final = frozenset({-errno.ENOENT, -errno.EAGAIN})
_ENTRY: Final = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT


class SearchableFileSystem(FileSystem):
    """The part of `PosixFileSystem` that changes nothing."""

    _tree: Tree
    _resolver: Resolver
    _top: PosixHandle

    def _own(self, handle: Handle) -> PosixHandle:
        if not isinstance(handle, PosixHandle):
            raise VfsError(Kind.INVALID, "a handle of another file system")
        return handle

    def _handle(self, found: Found, path: str, access: IoAccess | None = None, *, at_once: bool = False) -> PosixHandle:
        """`at_once`: it was found without waiting for anything."""
        fd, fields = found
        volume, node_id = self._tree.locate(fields)
        # A slow storage was not asked for what may have changed.
        told = fields if at_once and not volume.threads.always else None
        if self._tree.shared is not None:
            return LeasedHandle(volume, fd, node_id, fields[4], path, access=access, told=told)
        return PosixHandle(volume, fd, node_id, fields[4], path, access=access, told=told)

    async def root(self) -> Handle:
        return self._handle(await self._ask(self._top.volume, _open_again, self._tree.root), "")

    async def _ask(self, volume: Volume, call: Callable[..., T], *args: object) -> T:
        try:
            if volume.threads.always:
                return await volume.threads.run(call, *args)
            return call(*args)
        except OSError as error:
            raise vfs_error(error) from error

    async def lookup(
        self, parent: Handle, path: str, *, case_sensitive: bool = False, caller: Caller | None = None
    ) -> Handle:
        handle = await self.find(parent, path, case_sensitive=case_sensitive, caller=caller)
        if handle is None:
            raise VfsError(Kind.NOT_FOUND, path)
        return handle

    async def find(
        self,
        parent: Handle,
        path: str,
        *,
        case_sensitive: bool = False,
        caller: Caller | None = None,
        opening: IoAccess | None = None,
    ) -> Handle | None:
        start = self._own(parent)
        if not path:
            return self._handle(await self._ask(start.volume, _open_again, start.fd), start.path, at_once=True)
        if is_hidden(path):
            return None
        if caller is not None and caller.uid and self._tree.acts_as_callers:
            return await self._find_as(caller, start, path, opening, case_sensitive=case_sensitive)
        found = self._resolver.exact_at_hand(start, path_to_bytes(path))
        if isinstance(found, int):
            if found not in _UNKNOWN:
                raise look_up_failure(found, path, is_last=True)
            resolved = await self._resolver.resolve(start, path, case_sensitive=case_sensitive)
            return None if resolved is None else self._handle(*resolved)
        return self._handle(found, joined(start.path, path), at_once=True)

    async def _find_as(
        self, caller: Caller, start: PosixHandle, path: str, opening: IoAccess | None, *, case_sensitive: bool
    ) -> Handle | None:
        """Look up what the caller can reach: names are found with our own rights, the way to them with theirs."""
        found, allowed = self._reach_at_hand(caller, start, path, opening)
        if not isinstance(found, int):
            handle = self._handle(found, joined(start.path, path), at_once=True)
            if opening is not None and allowed:
                handle.allow(opening, caller)
            return handle
        if found == -errno.EAGAIN:
            found = await self._reach(caller, start, path)
            if not isinstance(found, int):
                return self._handle(found, joined(start.path, path))
        if found != -errno.ENOENT:
            raise look_up_failure(found, path, is_last=True)
        resolved = await self._resolver.resolve(start, path, case_sensitive=case_sensitive)
        if resolved is None:
            return None
        handle = self._handle(*resolved)
        reached, _ = self._reach_at_hand(caller, self._top, handle.path)
        if reached == -errno.EAGAIN:
            reached = await self._reach(caller, self._top, handle.path)
        if isinstance(reached, int):
            handle.discard()
            raise look_up_failure(reached, path, is_last=True)
        os.close(reached[0])
        return handle

    def _reach_at_hand(
        self, caller: Caller, start: PosixHandle, path: str, opening: IoAccess | None = None
    ) -> tuple[Found | int, bool]:
        """What a path leads to exactly, for the caller; the negative error number, EAGAIN if it takes longer. And
        whether they may open it: false where that is better asked when it is opened."""
        mode = 0 if opening is None or may_suspend() or self._tree.shared is not None else ACCESS_MODES[opening]
        try:
            return self._resolver.reach_at_hand(start, path_to_bytes(path), caller, mode)
        except OSError as error:
            raise vfs_error(error, path) from error

    async def _reach(self, caller: Caller, start: PosixHandle, path: str) -> Found | int:
        """The same, however long it takes."""
        start.pin()
        try:
            return await self._resolver.reach(start, path_to_bytes(path), caller)
        except OSError as error:
            raise vfs_error(error, path) from error
        finally:
            start.unpin()

    async def stat_entry(self, parent: Handle, name: str, caller: Caller | None = None) -> Stat | None:
        directory = self._own(parent)
        if self._tree.follows_symlinks:
            return await super().stat_entry(parent, name, caller)
        if is_hidden(name):
            return None
        raw = name_to_bytes(name)
        acting = caller if caller is not None and caller.uid and self._tree.acts_as_callers else None
        looks = directory.volume.threads.looks_at_hand
        if looks is None:
            directory.pin()
            try:
                fields = await directory.volume.threads.run(as_caller, acting, lambda: statx(directory.fd, raw, _ENTRY))
            finally:
                directory.unpin()
        else:
            start = looks.begin()
            if acting is None:
                fields = statx(directory.fd, raw, _ENTRY)
            else:
                fields = act_as(acting, lambda: statx(directory.fd, raw, _ENTRY))
            looks.took(start)
        if isinstance(fields, int):
            if fields == -errno.ENOENT:
                return None
            raise look_up_failure(fields, name, is_last=True)
        return stat_of(self._tree.node_id(fields), fields, None)

    async def open_by_id(self, inode: int) -> Handle:
        if not self._tree.opens_by_inode:
            raise VfsError(Kind.NOT_SUPPORTED, "open by id")
        path = await self._ask(self._top.volume, path_of, self._tree.root, inode)
        if path is None:
            raise VfsError(Kind.NOT_FOUND, f"inode {inode}")
        # Where it is said to be is looked up in the same way as any path: that is what keeps it inside of the tree.
        handle = await self.lookup(self._top, path, case_sensitive=True)
        if handle.node_id.inode != inode:
            handle.discard()
            raise VfsError(Kind.NOT_FOUND, f"inode {inode}")
        return handle


def joined(path: str, name: str) -> str:
    """The path of what has a name in a directory."""
    return f"{path}/{name}" if path else name


def _open_again(fd: int) -> Found:
    """A new O_PATH descriptor on the same file."""
    new = os.open(proc_path(fd), os.O_PATH | os.O_CLOEXEC)
    try:
        return new, identity_of(new)
    except OSError:
        os.close(new)
        raise
