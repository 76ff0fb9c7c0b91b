"""Finds names in directories without regard to case, without reading the directory for each.

Of each directory that was asked for, the names are kept by their folded form. What others change is noticed by
inotify, whose queue is emptied right before each use; our own changes come back the same way. Where there is no
inotify, or it does not see what happens elsewhere, the directory's times are compared, and our own changes are
recorded as they are made.
"""

import itertools
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import trio

from vfs_backends.api import NodeId
from vfs_backends.folding import FoldedNames
from vfs_backends.inline import committed, may_wait
from vfs_backends.posix.directory import Scan, decoded, next_names, open_scan
from vfs_backends.posix.syscalls import statx
from vfs_backends.posix.threads import Threads
from vfs_backends.posix.volume import Tree
from vfs_backends.posix.watch import Change, Watcher

__all__ = ["CaseIndex"]

SLICE: Final = 2000
"""Names read in one go, which takes about a millisecond."""

_ATTEMPTS: Final = 3
_TRUST_SECONDS: Final = 2.0
_TRUST_FACTOR: Final = 20
_TICK_SECONDS: Final = 1.0

Stamp = tuple[int, int, int, int, int]
"""The later of both times in seconds; status change and modification, in seconds and nanoseconds."""


@dataclass(slots=True, eq=False)
class _Directory:
    node_id: NodeId
    names: FoldedNames
    watch: int | None = None
    stamp: Stamp | None = None
    """Without a watch: the directory's times when its names were read."""
    adopts: bool = False
    """We have changed it ourselves since; its present times are as good as `stamp`."""
    expires: float = 0.0
    """When not to be trusted any more: with a change of our own, or in the same tick, we could have missed another."""
    build_seconds: float = 0.0
    counted: int = 0
    is_complete: bool = False
    is_lost: bool = False
    pending: list[Change] = field(default_factory=list)
    """What changed while it was being read."""


def _stamp(fd: int) -> Stamp | None:
    fields = statx(fd)
    return (
        None
        if isinstance(fields, int)
        else (max(fields[14], fields[12]), fields[12], fields[13], fields[14], fields[15])
    )


class CaseIndex:
    """The indexes of the directories used last, up to `budget` names in all (but always one directory)."""

    def __init__(self, tree: Tree, budget: int, watcher: Watcher | None) -> None:
        self._tree = tree
        self._budget = budget
        self._watcher = watcher
        self._directories: OrderedDict[NodeId, _Directory] = OrderedDict()
        self._watched: dict[int, _Directory] = {}
        self._building: dict[NodeId, trio.Event] = {}
        self._total = 0

    def ready(self, node_id: NodeId) -> FoldedNames | None:
        """The names of a directory, if they are at hand and certain: what is not among them does not exist."""
        if self._watcher is None:
            return None
        self._drain(self._watcher)
        directory = self._directories.get(node_id)
        if directory is None or directory.watch is None:
            return None
        self._directories.move_to_end(node_id)
        return directory.names

    async def get(self, fd: int, node_id: NodeId) -> FoldedNames:
        """The names of a directory (`fd`, which must stay open meanwhile). Raises OSError if it cannot be read."""
        for _ in range(_ATTEMPTS):
            names = await self._at_hand(fd, node_id)
            if names is not None:
                return names
            building = self._building.get(node_id)
            if building is not None and not committed():
                may_wait()
                await building.wait()
                continue
            directory = await self._build(fd, node_id)
            if not directory.is_lost:
                return directory.names
        # It changes faster than it is read; whatever is seen now is as right as anything.
        return (await self._build(fd, node_id)).names

    async def _at_hand(self, fd: int, node_id: NodeId) -> FoldedNames | None:
        directory = self._directories.get(node_id)
        if directory is None or directory.watch is not None:
            return self.ready(node_id)
        threads = self._tree.volume(node_id.device).threads
        stamp = await threads.run(_stamp, fd) if threads.always else _stamp(fd)
        if not self._is_fresh(directory, stamp):
            return None
        if node_id in self._directories:
            self._directories.move_to_end(node_id)
        return directory.names

    def _is_fresh(self, directory: _Directory, stamp: Stamp | None) -> bool:
        if directory.adopts:
            directory.adopts = False
            directory.stamp = stamp
        if stamp is None or directory.stamp != stamp or 0.0 < directory.expires < time.monotonic():
            self._drop(directory)
            return False
        return True

    def changed(self, node_id: NodeId, *, added: str | None = None, removed: str | None = None) -> None:
        """Record a change that we made."""
        directory = self._directories.get(node_id)
        if directory is None or directory.watch is not None:
            return
        if removed is not None:
            directory.names.remove(removed)
        if added is not None:
            directory.names.add(added)
        self._account(directory)
        directory.adopts = True
        self._distrust(directory)

    def _distrust(self, directory: _Directory) -> None:
        """See to it that a directory is read again before long: it may have changed without its times showing it."""
        if directory.expires == 0.0:
            trust = max(_TRUST_SECONDS, _TRUST_FACTOR * directory.build_seconds)
            directory.expires = time.monotonic() + trust

    def _drain(self, watcher: Watcher) -> None:
        if not watcher.has_changes():
            return
        for change in watcher.changes():
            if change.is_lost:
                lost = list(self._watched.values()) if change.watch < 0 else [self._watched.get(change.watch)]
                for directory in lost:
                    if directory is not None:
                        self._drop(directory)
                continue
            directory = self._watched.get(change.watch)
            if directory is None:
                continue
            if directory.is_complete:
                self._apply(directory, change)
            else:
                directory.pending.append(change)

    def _apply(self, directory: _Directory, change: Change) -> None:
        if change.is_added:
            directory.names.add(change.name)
        else:
            directory.names.remove(change.name)
        self._account(directory)

    def _account(self, directory: _Directory) -> None:
        self._total += directory.names.count - directory.counted
        directory.counted = directory.names.count

    def _drop(self, directory: _Directory) -> None:
        """Forget a directory, or have the one who is reading it know that it is of no use."""
        directory.is_lost = True
        if self._directories.get(directory.node_id) is directory:
            del self._directories[directory.node_id]
            self._total -= directory.counted
        watch, directory.watch = directory.watch, None
        if watch is not None and self._watched.pop(watch, None) is not None and self._watcher is not None:
            self._watcher.remove(watch)

    async def _build(self, fd: int, node_id: NodeId) -> _Directory:
        directory = _Directory(node_id, FoldedNames(self._tree.fold))
        threads = self._tree.volume(node_id.device).threads
        done = None
        if node_id not in self._building:
            done = self._building[node_id] = trio.Event()
            # First the watch, then the names: what happens in between is seen twice rather than never.
            # What others change behind a network or a FUSE file system raises no event.
            if self._watcher is not None and not threads.always:
                directory.watch = self._watcher.add(fd)
                if directory.watch is not None:
                    self._watched[directory.watch] = directory
        start = time.monotonic()
        try:
            if directory.watch is None:
                directory.stamp = await threads.run(_stamp, fd) if threads.always else _stamp(fd)
            await self._read(fd, directory, threads)
            directory.build_seconds = time.monotonic() - start
            if directory.stamp is not None and time.time() - directory.stamp[0] < _TICK_SECONDS:
                # Times advance in ticks: what changes in this very tick leaves them as they are.
                self._distrust(directory)
            if done is not None:
                self._keep(directory)
        finally:
            if done is not None:
                del self._building[node_id]
                done.set()
                if not directory.is_complete:
                    self._drop(directory)
        return directory

    async def _read(self, fd: int, directory: _Directory, threads: Threads) -> None:
        always = threads.always
        scan: Scan = await threads.run(open_scan, fd) if always else open_scan(fd)
        try:
            for number in itertools.count():
                if number > 0 and not always and not committed():
                    may_wait()
                    await trio.lowlevel.checkpoint()
                names = await threads.run(next_names, scan, SLICE) if always else next_names(scan, SLICE)
                directory.names.add_all(map(decoded, names))
                if len(names) < SLICE:
                    return
        finally:
            scan.close()

    def _keep(self, directory: _Directory) -> None:
        """From now on answer from what was read."""
        if self._watcher is not None:
            self._drain(self._watcher)
        if directory.is_lost:
            return
        directory.is_complete = True
        pending, directory.pending = directory.pending, []
        self._directories[directory.node_id] = directory
        for change in pending:
            self._apply(directory, change)
        self._account(directory)
        while self._total > self._budget and len(self._directories) > 1:
            self._drop(next(iter(self._directories.values())))

    def close(self) -> None:
        self._directories.clear()
        self._watched.clear()
        if self._watcher is not None:
            self._watcher.close()
