"""What others change in a share's directory behind its back, as watchers and holders of directory leases see it.

[MS-FSA] 2.1.4.1 (change notification), [MS-SMB2] 3.3.4.7 (directory leases). A directory is only watched while somebody
watches it or has a lease on it; for a watch of a whole tree, each directory of it is, up to a limit.
"""

import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from gateway.nt.constants import (
    FILE_ACTION_MODIFIED,
    FILE_NOTIFY_CHANGE_ATTRIBUTES,
    FILE_NOTIFY_CHANGE_EA,
    FILE_NOTIFY_CHANGE_LAST_ACCESS,
    FILE_NOTIFY_CHANGE_LAST_WRITE,
    FILE_NOTIFY_CHANGE_SECURITY,
    FILE_NOTIFY_CHANGE_SIZE,
)
from gateway.share.listing import NOBODY, name_added, name_moved, name_removed, names_exchanged
from gateway.share.notify import Watch
from gateway.share.opens import Open
from gateway.share.paths import join
from gateway.share.renaming import follow
from gateway.uncompiled import in_nursery
from vfs_backends.api import ChangeWatcher, DirectoryStream, Handle, IoAccess, NodeId, OutsideChange, OutsideKind
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["OutsideChanges"]

log = logging.getLogger("gateway.vfs")

_MOST: Final = 8192
"""Directories of a share that are watched at a time."""
_SLICE: Final = 256

_CONTENTS: Final = FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE
_ATTRIBUTES: Final = (
    FILE_NOTIFY_CHANGE_ATTRIBUTES
    | FILE_NOTIFY_CHANGE_LAST_WRITE
    | FILE_NOTIFY_CHANGE_LAST_ACCESS
    | FILE_NOTIFY_CHANGE_SECURITY
    | FILE_NOTIFY_CHANGE_EA
)
"""The storage tells that there is something new, not what."""


class _Directory:
    """A directory that is watched: for opens of it, or for one above that watches its tree, or both."""

    __slots__ = ("above", "below", "name", "node_id", "opens", "trees", "watch")

    def __init__(self, watch: int, node_id: NodeId) -> None:
        self.watch = watch
        self.node_id = node_id
        self.opens: list[Open] = []
        self.trees: set[int] = set()
        """Those of its opens, by id, that want to know of its tree."""
        self.above: _Directory | None = None
        self.name = ""
        """In `above`, if there is one."""
        self.below: dict[str, _Directory] = {}

    @property
    def path(self) -> str:
        if self.opens or self.above is None:
            return self.opens[0].path if self.opens else ""
        return join(self.above.path, self.name)

    @property
    def is_in_tree(self) -> bool:
        """Whether somebody wants to know of the tree that it is in."""
        here: _Directory | None = self
        while here is not None:
            if here.trees:
                return True
            here = here.above
        return False


class _Errand(NamedTuple):
    """Something to do for those who watch trees."""

    directory: _Directory
    name: str = ""
    """The directory in it that is to be watched; all of them if empty."""
    is_new: bool = False
    """Whether what is in that one is to be told: it came before anybody could watch it."""


class OutsideChanges:
    """The watched directories of a share."""

    def __init__(self, share: "Share", watcher: ChangeWatcher) -> None:
        self._share = share
        self._watcher = watcher
        self._by_watch: dict[int, _Directory] = {}
        self._by_open: dict[int, _Directory] = {}
        self._unread: deque[_Errand] = deque()
        self._more = trio.Event()
        self._has_complained = False
        share.watches.on_add = self._watch_added

    # --- who wants to know

    def _watch_added(self, watch: Watch) -> None:
        if isinstance(watch.one, Open):
            self.add(watch.one, recursive=watch.recursive)

    def add(self, one: Open, *, recursive: bool = False) -> bool:
        """Watch an open directory until `remove`; false if it cannot be. May be called again for the same one."""
        directory = self._by_open.get(one.open_id)
        if directory is None:
            directory = self._marked(one.handle)
            if directory is None:
                return False
            directory.opens.append(one)
            self._by_open[one.open_id] = directory
        if recursive and one.open_id not in directory.trees:
            directory.trees.add(one.open_id)
            self._soon(_Errand(directory))
        return True

    def remove(self, one: Open) -> None:
        """The open is about to be closed."""
        directory = self._by_open.pop(one.open_id, None)
        if directory is not None:
            directory.opens.remove(one)
            directory.trees.discard(one.open_id)
            self._drop_unneeded(directory)

    def _marked(self, handle: Handle) -> _Directory | None:
        try:
            if len(self._by_watch) >= _MOST:
                self._complain(f"{_MOST} directories are watched already")
                return None
            watch = self._watcher.add(handle)
        except VfsError as error:
            self._complain(str(error))
            return None
        return self._by_watch.setdefault(watch, _Directory(watch, handle.node_id))

    def _complain(self, why: str) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning("%s: some changes by local programs will not be told: %s", self._share.name, why)

    def _soon(self, errand: _Errand) -> None:
        self._unread.append(errand)
        self._more.set()

    def _drop_unneeded(self, directory: _Directory) -> None:
        """End the watches that nobody wants any more, from here downwards."""
        if directory.is_in_tree:
            return
        for child in list(directory.below.values()):
            self._detach(child)
        if not directory.opens:
            self._by_watch.pop(directory.watch, None)
            self._watcher.remove(directory.watch)
            self._leave(directory)

    def _detach(self, directory: _Directory) -> None:
        """It is not in the directory any more that it was in, or nobody wants to know that one's tree."""
        self._leave(directory)
        self._drop_unneeded(directory)

    @staticmethod
    def _leave(directory: _Directory) -> None:
        if directory.above is not None:
            del directory.above.below[directory.name]
            directory.above = None

    # --- what happens

    async def run(self) -> None:
        """Follow the changes until cancelled."""
        await in_nursery(self._heed_all)

    async def _heed_all(self, nursery: trio.Nursery) -> None:
        nursery.start_soon(self._read_trees)
        while True:
            changes = deque(await self._watcher.changes())
            while changes:
                change = changes.popleft()
                if changes and await self._is_exchange(change, changes[0]):
                    await self._exchanged(change, changes.popleft())
                else:
                    await self._heed(change)

    def close(self) -> None:
        """Watch nothing any more."""
        self._share.watches.on_add = None
        self._watcher.close()

    async def _heed(self, change: OutsideChange) -> None:
        if change.kind is OutsideKind.OVERFLOW:
            await self._overflowed()
            return
        directory = self._by_watch.get(change.watch)
        if directory is None:
            return
        if change.is_directory:
            self._follow(directory, change)
        if not change.is_own:
            await self._tell(directory, change)

    async def _tell(self, directory: _Directory, change: OutsideChange) -> None:
        share, kind, name, is_directory = self._share, change.kind, change.name, change.is_directory
        if kind is OutsideKind.ADDED:
            await name_added(share, directory, name, NOBODY, is_directory=is_directory)
        elif kind is OutsideKind.REMOVED:
            await name_removed(share, directory, name, NOBODY, is_directory=is_directory)
        elif kind is OutsideKind.ADDED_AND_REMOVED:
            await self._tell_both(directory, name, is_directory=is_directory)
        elif kind is OutsideKind.MOVED:
            target = self._by_watch.get(change.new_watch)
            if target is None:
                await name_removed(share, directory, name, NOBODY, is_directory=is_directory)
                return
            await follow(share, (join(directory.path, name), join(target.path, change.new_name)))
            old, new = (directory, name), (target, change.new_name)
            await name_moved(share, old, new, NOBODY, is_directory=is_directory)
        else:
            what = _CONTENTS if kind is OutsideKind.CONTENTS else _ATTRIBUTES
            share.watches.tell(join(directory.path, name), FILE_ACTION_MODIFIED, what, outside=True)
            await share.breaks.directory_changed(directory.node_id, NOBODY)

    async def _is_exchange(self, change: OutsideChange, following: OutsideChange) -> bool:
        """Whether two names have changed places, of which the storage tells as of two renamings, there and back.

        After those there would be nothing where the first one led to.
        """
        target = self._by_watch.get(change.new_watch)
        is_back = (following.watch, following.name) == (change.new_watch, change.new_name)
        if OutsideKind.MOVED is not change.kind or following.kind is not change.kind or not is_back or target is None:
            return False
        if (following.new_watch, following.new_name) != (
            change.watch,
            change.name,
        ) or change.watch not in self._by_watch:
            return False
        return await self._is_there(join(target.path, change.new_name))

    async def _exchanged(self, change: OutsideChange, back: OutsideChange) -> None:
        places = (self._by_watch[change.watch], change.name), (self._by_watch[back.watch], back.name)
        for directory, name in places:
            gone = directory.below.get(name)
            if gone is not None:
                self._detach(gone)
        for (directory, name), each in zip(places, (back, change), strict=True):
            if each.is_directory and directory.is_in_tree:
                self._soon(_Errand(directory, name))
        if not change.is_own:
            one, other = [join(directory.path, name) for directory, name in places]
            await follow(self._share, (one, other), (other, one))
            kinds = change.is_directory, back.is_directory
            await names_exchanged(self._share, *places, NOBODY, are_directories=kinds)

    async def _is_there(self, path: str) -> bool:
        try:
            (await self._share.fs.lookup(self._share.root, path, case_sensitive=True)).discard()
        except VfsError:
            return False
        return True

    async def _tell_both(self, directory: _Directory, name: str, *, is_directory: bool) -> None:
        """What is there now came last."""
        is_there = await self._is_there(join(directory.path, name))
        if is_there:
            await name_removed(self._share, directory, name, NOBODY, is_directory=is_directory)
        await name_added(self._share, directory, name, NOBODY, is_directory=is_directory)
        if not is_there:
            await name_removed(self._share, directory, name, NOBODY, is_directory=is_directory)

    async def _overflowed(self) -> None:
        log.info("%s: local programs changed more than could be followed", self._share.name)
        self._share.watches.lose()
        for directory in list(self._by_watch.values()):
            await self._share.breaks.directory_changed(directory.node_id, NOBODY)
            if directory.trees:
                self._soon(_Errand(directory))

    # --- trees

    def _follow(self, directory: _Directory, change: OutsideChange) -> None:
        """A directory has come, gone or moved within the trees."""
        kind, gone = change.kind, directory.below.get(change.name)
        if kind is OutsideKind.MOVED:
            target = self._by_watch.get(change.new_watch)
            is_wanted = target is not None and target.is_in_tree
            if gone is not None and target is not None and is_wanted:
                self._leave(gone)
                self._attach(gone, target, change.new_name)
                return
            if target is not None and is_wanted:
                self._soon(_Errand(target, change.new_name))
        if gone is not None and kind is not OutsideKind.ADDED:
            self._detach(gone)
        if kind in (OutsideKind.ADDED, OutsideKind.ADDED_AND_REMOVED) and directory.is_in_tree:
            self._soon(_Errand(directory, change.name, not change.is_own))

    def _attach(self, directory: _Directory, above: _Directory, name: str) -> None:
        replaced = above.below.get(name)
        if replaced is not None:
            self._detach(replaced)
        directory.above, directory.name = above, name
        above.below[name] = directory

    async def _read_trees(self) -> None:
        """Watch the directories below those that are watched with their trees."""
        while True:
            while self._unread:
                errand = self._unread.popleft()
                directory = errand.directory
                if directory.is_in_tree and directory.watch in self._by_watch:
                    try:
                        await self._run_errand(errand)
                    except VfsError as error:
                        # Mostly that it is gone already.
                        log.debug("%s: %r is not watched: %s", self._share.name, directory.path, error)
            self._more = trio.Event()
            await self._more.wait()

    async def _run_errand(self, errand: _Errand) -> None:
        directory, fs = errand.directory, self._share.fs
        handle = await fs.lookup(self._share.root, directory.path, case_sensitive=True)
        try:
            if handle.node_id != directory.node_id:
                return
            if errand.name:
                child = await self._enter(directory, handle, errand.name)
                if child is not None and errand.is_new:
                    await self._read(child, is_new=True)
                elif child is not None:
                    self._soon(_Errand(child))
                return
        finally:
            handle.discard()
        await self._read(directory, is_new=errand.is_new)

    async def _read(self, directory: _Directory, *, is_new: bool) -> None:
        handle = await self._share.fs.lookup(self._share.root, directory.path, case_sensitive=True)
        stream: DirectoryStream | None = None
        try:
            await handle.open_io(IoAccess.READ)
            stream = await handle.open_directory()
            while entries := await stream.read(_SLICE):
                for entry in entries:
                    is_directory = entry.stat is not None and entry.stat.is_directory
                    if is_new:
                        await name_added(self._share, directory, entry.name, NOBODY, is_directory=is_directory)
                    if is_directory and entry.name not in directory.below:
                        self._soon(_Errand(directory, entry.name, is_new))
        finally:
            if stream is not None:
                stream.discard()
            handle.discard()

    async def _enter(self, directory: _Directory, parent: Handle, name: str) -> _Directory | None:
        """The directory of this name, now watched; None if it is none, or was watched already."""
        handle = await self._share.fs.lookup(parent, name, case_sensitive=True)
        try:
            child = self._marked(handle) if handle.is_directory else None
        finally:
            handle.discard()
        if child is None or child.above is not None or child is directory:
            return None
        self._attach(child, directory, name)
        return child
