"""A directory of the local machine as a file system: Linux 5.6 or later, with /proc."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import trio

from vfs_backends.api import (
    Caller,
    Capability,
    ChangeWatcher,
    FileSystemStat,
    Fold,
    Handle,
    IoAccess,
    Link,
    OpenGuard,
    OutsideOpen,
)
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import changes, special
from vfs_backends.posix.by_inode import is_there
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.identity import SERVER, can_act, heed_quotas
from vfs_backends.posix.index import CaseIndex
from vfs_backends.posix.kinds import FileSystemKind, kind_of_magic
from vfs_backends.posix.lease_wait import break_seconds
from vfs_backends.posix.names import name_to_bytes, text_to_bytes
from vfs_backends.posix.outside import guard_opens, outside_capabilities, share_files, watch_changes
from vfs_backends.posix.permission_marks import PermissionMarks
from vfs_backends.posix.probes import check_system
from vfs_backends.posix.remains import Aside, Remains
from vfs_backends.posix.resolve import Found, Resolver
from vfs_backends.posix.searching import SearchableFileSystem, joined
from vfs_backends.posix.sidestore import is_hidden
from vfs_backends.posix.stats import fields_of, file_system_stat
from vfs_backends.posix.stream_handles import StreamTable
from vfs_backends.posix.syscalls import (
    StatxFields,
    fs_magic,
)
from vfs_backends.posix.volume import Tree
from vfs_backends.posix.watch import Watcher

__all__ = ["PosixFileSystem"]

T = TypeVar("T")


class PosixFileSystem(SearchableFileSystem):
    """The tree below `root`; acts with the rights of the process, and never leaves the tree.

    `fold` decides which names differ by case only. With `follow_symlinks` symbolic links lead on, as long as they stay
    inside. At most `threads` calls are waited for at once. Up to `index_names` names are kept in memory for look-ups
    that disregard case. `kind` overrides what the kernel says the storage is. Without `inotify`, changes made by
    others are noticed by the times of directories only. With `leases`, files can have kernel leases, if
    the process may.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        fold: Fold,
        follow_symlinks: bool = False,
        threads: int = 16,
        index_names: int = 500_000,
        kind: FileSystemKind | None = None,
        inotify: bool = True,
        leases: bool = False,
    ) -> None:
        self.inline = True
        self._root_path = Path(root)
        self._fold = fold
        self._follow_symlinks = follow_symlinks
        self._thread_count = threads
        self._index_names = index_names
        self._kind = kind
        self._inotify = inotify
        self._leases = leases
        self._capabilities: Capability | None = None
        self._index: CaseIndex
        self._remains: Remains

    async def start(self) -> None:
        if can_act():
            heed_quotas()  # before there are threads, which inherit it
        try:
            self._tree = await trio.to_thread.run_sync(self._open_tree)
        except OSError as error:
            raise vfs_error(error, str(self._root_path)) from error
        # Never closed as a handle: its descriptor is the tree's.
        self._top = self._handle((self._tree.root, fields_of(self._tree.root)), "")
        watcher = None
        if self._inotify:
            try:
                watcher = Watcher()
            except OSError:  # the user has too many: directories' times have to do
                watcher = None
            self._tree.marks = PermissionMarks()
        self._index = CaseIndex(self._tree, self._index_names, watcher)
        self._resolver = Resolver(self._tree, self._index)
        self._remains = Remains(self._tree)
        if self._leases:
            with contextlib.suppress(VfsError):  # the capability tells
                self._tree.shared = share_files(self._tree)
        if self._tree.has_xattrs:
            self._tree.streams = await trio.to_thread.run_sync(self._open_streams)

    def _open_tree(self) -> Tree:
        root = os.open(self._root_path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            check_system(root)
            kind = self._kind or kind_of_magic(fs_magic(root))
            limiter = trio.CapacityLimiter(self._thread_count)
            return Tree(root, kind, self._fold, limiter, follows_symlinks=self._follow_symlinks)
        except (OSError, VfsError):
            os.close(root)
            raise

    def _open_streams(self) -> StreamTable:
        table = StreamTable(self._tree)
        if self._tree.opens_by_inode:
            with contextlib.suppress(OSError):
                table.side.sweep(lambda inode, generation: is_there(self._tree.root, inode, generation))
        return table

    @property
    def capabilities(self) -> Capability:
        if self._capabilities is None:
            self._capabilities = self._tree.capabilities | outside_capabilities(self._tree)
        return self._capabilities

    async def _change(self, name: str, first: PosixHandle, second: PosixHandle, call: Callable[[], T]) -> T:
        """Make a change that uses the descriptors of two handles."""
        changes = first.volume.threads.changes_at_hand
        if changes is not None:
            start = changes.begin()
            try:
                return call()
            except OSError as error:
                raise vfs_error(error, name) from error
            finally:
                changes.took(start)
        first.pin()
        second.pin()
        try:
            return await first.volume.threads.change(call)
        except OSError as error:
            raise vfs_error(error, name) from error
        finally:
            first.unpin()
            second.unpin()

    def _acting(self, caller: Caller | None) -> Caller | None:
        """With whose rights to do something; None if with those that the process has."""
        if not self._tree.acts_as_callers:
            return None
        return caller or SERVER

    async def create_file(
        self, parent: Handle, name: str, mode: int, access: IoAccess, caller: Caller | None = None
    ) -> Handle:
        acting, mode = self._acting(caller), mode & 0o7777

        def is_settled(fields: StatxFields) -> bool:
            """Whether it came as it had to be, and nothing has been changed since."""
            return fields[4] & 0o7777 == mode and (acting is None or fields[2:4] == (acting.uid, acting.gid))

        return await self._create(
            parent, name, lambda fd, raw: changes.create_file(fd, raw, mode, access, acting), access, is_settled
        )

    async def create_directory(self, parent: Handle, name: str, mode: int, caller: Caller | None = None) -> Handle:
        acting = self._acting(caller)
        return await self._create(
            parent, name, lambda fd, raw: changes.create_directory(fd, raw, mode & 0o7777, acting)
        )

    async def create_symlink(self, parent: Handle, name: str, target: str, caller: Caller | None = None) -> Handle:
        raw_target, acting = text_to_bytes(target), self._acting(caller)
        return await self._create(parent, name, lambda fd, raw: special.create_symlink(fd, raw, raw_target, acting))

    async def create_node(
        self, parent: Handle, name: str, mode: int, rdev: int = 0, caller: Caller | None = None
    ) -> Handle:
        acting = self._acting(caller)
        return await self._create(parent, name, lambda fd, raw: special.create_node(fd, raw, mode, rdev, acting))

    async def _create(
        self,
        parent: Handle,
        name: str,
        make: Callable[[int, bytes], Found],
        access: IoAccess | None = None,
        is_settled: Callable[[StatxFields], bool] | None = None,
    ) -> Handle:
        """Create what `make` does, from the parent's descriptor and the name's bytes."""
        raw = _new_name(name)
        directory = self._own(parent)
        try:
            found = await self._change(name, directory, directory, lambda: make(directory.fd, raw))
        except VfsError as error:
            if error.kind in {Kind.NOT_FOUND, Kind.NOT_A_DIRECTORY}:  # the directory was removed, or is none
                raise VfsError(Kind.PATH_NOT_FOUND, name) from error
            raise
        self._index.changed(directory.node_id, added=name)
        handle = self._handle(found, joined(directory.path, name), access)
        if is_settled is not None and is_settled(found[1]) and not handle.volume.threads.always:
            handle.made(found[1])
        return handle

    async def remove(self, parent: Handle, name: str, handle: Handle, caller: Caller | None = None) -> None:
        raw = name_to_bytes(name)
        directory = self._own(parent)
        doomed = await self._remains.of(self._own(handle)) if self._remains.possible else None
        await self._change(
            name,
            directory,
            directory,
            lambda: changes.remove(self._tree, directory.fd, raw, handle.node_id, self._acting(caller)),
        )
        self._index.changed(directory.node_id, removed=name)
        if doomed is not None:
            await self._remains.remove(directory.volume, doomed)

    async def _doomed_at(self, parent: PosixHandle, name: str) -> Aside | None:
        """What remains of what has a name that is about to be replaced."""
        if not self._remains.possible:
            return None
        try:
            handle = await self.lookup(parent, name, case_sensitive=True)
        except VfsError:  # there is none
            return None
        try:
            return await self._remains.of(self._own(handle))
        finally:
            handle.discard()

    async def rename(
        self,
        parent: Handle,
        name: str,
        new_parent: Handle,
        new_name: str,
        handle: Handle,
        *,
        replace: bool,
        caller: Caller | None = None,
    ) -> None:
        raw, new_raw = name_to_bytes(name), _new_name(new_name)
        source, target = self._own(parent), self._own(new_parent)
        doomed = await self._doomed_at(target, new_name) if replace else None
        await self._change(
            name,
            source,
            target,
            lambda: changes.rename(
                self._tree,
                source.fd,
                raw,
                target.fd,
                new_raw,
                node_id=handle.node_id,
                replace=replace,
                caller=self._acting(caller),
            ),
        )
        self._index.changed(source.node_id, removed=name)
        self._index.changed(target.node_id, added=new_name)
        if doomed is not None and doomed[0] != handle.node_id:
            await self._remains.remove(target.volume, doomed)

    async def exchange(self, one: Link, other: Link, caller: Caller | None = None) -> None:
        source, target, acting = self._own(one.parent), self._own(other.parent), self._acting(caller)
        raw, other_raw = name_to_bytes(one.name), name_to_bytes(other.name)
        ids = one.handle.node_id, other.handle.node_id
        await self._change(
            one.name,
            source,
            target,
            lambda: changes.exchange(self._tree, source.fd, raw, target.fd, other_raw, node_ids=ids, caller=acting),
        )

    async def link(
        self, handle: Handle, parent: Handle, name: str, *, replace: bool, caller: Caller | None = None
    ) -> None:
        raw = _new_name(name)
        source, target = self._own(handle), self._own(parent)
        if source.is_directory:
            raise VfsError(Kind.IS_A_DIRECTORY, source.path)
        doomed = await self._doomed_at(target, name) if replace else None
        await self._change(
            name,
            source,
            target,
            lambda: changes.link(self._tree, source.fd, target.fd, raw, replace=replace, caller=self._acting(caller)),
        )
        self._index.changed(target.node_id, added=name)
        if doomed is not None and doomed[0] != handle.node_id:
            await self._remains.remove(target.volume, doomed)

    def watch_changes(self) -> ChangeWatcher:
        return watch_changes(self._tree)

    def guard_opens(self, asked: Callable[[OutsideOpen], None], seconds: float) -> OpenGuard:
        return guard_opens(self._tree, asked, seconds)

    @property
    def lease_seconds(self) -> float:
        return break_seconds()

    async def statfs(self) -> FileSystemStat:
        tree = self._tree
        return await self._ask(self._top.volume, file_system_stat, tree.root, self._top.node_id, tree.top.kind.name)

    async def aclose(self) -> None:
        self._index.close()
        self._resolver.close()
        if self._tree.streams is not None:
            self._tree.streams.close()
        self._tree.close()


def _new_name(name: str) -> bytes:
    """The bytes of a name that is to come into being."""
    if is_hidden(name):
        raise VfsError(Kind.ACCESS_DENIED, f"{name} is reserved")
    return name_to_bytes(name)
