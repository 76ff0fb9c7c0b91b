"""Whether files keep their names, as far as others could take them. [MS-FSA] 2.1.4.12 (handle caching).

A client that keeps a handle takes the file's name for the file. The kernel's leases say nothing of names, so the
directories of such files are watched.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

from gateway.share.opens import Open
from gateway.share.paths import open_parent
from vfs_backends.api import ChangeWatcher, NodeId, OutsideChange, OutsideKind
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["NameWatch"]

_Place = tuple[int, str]
"""A watch, and a name in its directory."""

_MOST = 8192
"""Directories of a share that are watched at a time."""


class NameWatch:
    """Open files whose names matter."""

    def __init__(self, share: "Share", watcher: ChangeWatcher) -> None:
        self._share = share
        self._watcher = watcher
        self._places: dict[int, _Place] = {}
        self._files: dict[_Place, dict[int, NodeId]] = {}
        """By place and open id."""
        self._uses: Counter[int] = Counter()
        self.on_lost: Callable[[NodeId], None] = lambda node_id: None
        """Told when others have taken a file's name, or given it to another file."""

    async def add(self, one: Open) -> bool:
        """Watch the name of an open file, until `remove`; false if that is not possible."""
        if one.open_id in self._places:
            return True
        if not one.path or len(self._uses) >= _MOST:
            return False
        try:
            parent, name = await open_parent(self._share, one.path)
        except VfsError:
            return False
        try:
            watch = self._watcher.add(parent)
        except VfsError:
            return False
        finally:
            parent.discard()
        self._enter(one.open_id, one.node_id, (watch, name))
        return True

    def remove(self, one: Open) -> None:
        """Its name does not matter any more."""
        place = self._places.pop(one.open_id, None)
        if place is not None:
            self._leave(one.open_id, place)

    def _enter(self, open_id: int, node_id: NodeId, place: _Place) -> None:
        self._places[open_id] = place
        self._files.setdefault(place, {})[open_id] = node_id
        self._uses[place[0]] += 1

    def _leave(self, open_id: int, place: _Place) -> None:
        files, watch = self._files[place], place[0]
        del files[open_id]
        if not files:
            del self._files[place]
        self._uses[watch] -= 1
        if not self._uses[watch]:
            del self._uses[watch]
            self._watcher.remove(watch)

    async def run(self) -> None:
        """Follow the changes until cancelled."""
        while True:
            for change in await self._watcher.changes():
                self._heed(change)

    def close(self) -> None:
        """Watch nothing any more."""
        self._watcher.close()

    def _heed(self, change: OutsideChange) -> None:
        if change.kind is OutsideKind.OVERFLOW:
            for place in list(self._files):
                self._lost(place)
        elif change.kind in (OutsideKind.CONTENTS, OutsideKind.ATTRIBUTES):
            return
        elif not change.is_own:
            self._lost((change.watch, change.name))
            self._lost((change.new_watch, change.new_name))
        elif change.kind is OutsideKind.MOVED:
            self._moved((change.watch, change.name), (change.new_watch, change.new_name))
        elif change.kind is OutsideKind.REMOVED:
            # Deleted, or moved to where nobody watches.
            self._lost((change.watch, change.name))

    def _lost(self, place: _Place) -> None:
        for node_id in set(self._files.get(place, {}).values()):
            self.on_lost(node_id)

    def _moved(self, old: _Place, new: _Place) -> None:
        """Who renamed it here has seen to the leases of others."""
        for open_id, node_id in list(self._files.get(old, {}).items()):
            self._enter(open_id, node_id, new)
            self._leave(open_id, old)
