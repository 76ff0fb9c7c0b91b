"""What the kernel is to be told, when others change something: to forget what it kept."""

import contextlib
import math
import time
from collections.abc import Callable, Hashable
from typing import Final

import trio

from acl import mask
from gateway.fuse.core import Core
from gateway.fuse.inodes import Inode
from gateway.fuse.names import to_kernel
from gateway.fuse.telling import Call, Queue
from gateway.share.notify import Entry
from gateway.share.sharemodes import CHANGES
from vfs_backends.api import NodeId
from vfs_backends.inline import may_wait

__all__ = ["Notifier"]

_OPENING_SECONDS: Final = 2.0
"""For so long an open takes at most from here until it is in the file's record."""
_TELLING_SECONDS: Final = 1.0


class Notifier:
    """Observes the shares of a mount."""

    def __init__(self, core: Core) -> None:
        self._core = core
        # Two, since contents can always be forgotten at once, and names perhaps only after a request.
        self._contents = Queue("fuse-contents")
        self._names = Queue("fuse-names")
        for mounted in core.mounted.values():
            mounted.share.watches.observers.append(self)

    def end(self) -> None:
        """Observe no more; before the mount ends."""
        for mounted in self._core.mounted.values():
            mounted.share.watches.observers.remove(self)
        for queue in (self._contents, self._names):
            queue.end()

    def join(self) -> None:
        """After the mount has ended, which lets everything go that waits for it."""
        for queue in (self._contents, self._names):
            queue.join(5)

    async def before_opening(self, node_id: NodeId, access: int, by: Hashable) -> None:
        """Somebody will be able to change a file: the kernel must not answer by itself any more."""
        if by == self._core.owner or not access & CHANGES:
            return
        now = time.monotonic()
        known = self._core.known(node_id)
        kept = [inode for inode in known if now < inode.kept_until]
        closing = [inode for inode in known if inode.is_open] if access & mask.WRITE_DAC else []
        if not kept and not closing:
            return
        may_wait()
        for inode in closing:
            self._forget_names(inode)
        for inode in kept:
            inode.unkept_until, inode.kept_until = now + _OPENING_SECONDS, now
            self._contents.put(inode.number, b"")
            for directory, name in inode.names:
                self._names.put(directory.number, to_kernel(name))
        await self._tell_all()

    async def permissions_changed(self, directory: Inode) -> None:
        """Not everybody may look up names in a directory any more, perhaps."""
        if directory.is_open:
            self._forget_names(directory)
            # The kernel does not forget a name while its directory is being changed: only when it has been answered.
            with trio.move_on_after(_TELLING_SECONDS):
                await self._called(self._names.when_begun)

    def _forget_names(self, directory: Inode) -> None:
        """Have the kernel ask for all names in a directory, and have it judged anew whether it may keep any."""
        directory.is_open, directory.judged_until = False, -math.inf
        now = time.monotonic()
        for name, inode in self._core.inodes.children(directory):
            if now < inode.kept_until:
                self._names.put(directory.number, to_kernel(name))

    async def _tell_all(self) -> None:
        # A request in the directory may be waiting for whoever changes it: then it is as if they had come first.
        with trio.move_on_after(_TELLING_SECONDS):
            for queue in (self._contents, self._names):
                await self._called(queue.when_told)

    async def _called(self, when: Callable[[Call], None]) -> None:
        called = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def set_called() -> None:
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(called.set)

        when(set_called)
        await called.wait()

    def file_changed(self, node_id: NodeId, by: Hashable) -> None:
        """Contents or attributes are others."""
        if by != self._core.owner:
            for inode in self._core.known(node_id):
                self._contents.put(inode.number, b"")

    def name_added(self, entry: Entry, by: Hashable) -> None:
        """There is a new name, which may have led to another file: and the directory has other times."""
        for directory in self._core.known(entry.directory):
            if self._core.inodes.child(directory, entry.name) is not None:
                self._forget(directory.number, entry.name, by)
        self.file_changed(entry.directory, by)

    def name_removed(self, entry: Entry, by: Hashable) -> None:
        """A name has gone."""
        inodes = self._core.inodes
        for directory in inodes.known(entry.directory):
            inodes.remove_name(directory, entry.name)
            self._forget(directory.number, entry.name, by)
        self.file_changed(entry.directory, by)

    def name_moved(self, old: Entry, new: Entry, by: Hashable) -> None:
        """A file has got another name, in place of what had that."""
        inodes = self._core.inodes
        for directory in self._core.known(old.directory):
            target = inodes.find(directory.mounted, new.directory)
            if target is None:
                inodes.remove_name(directory, old.name)
            else:
                inodes.move_name(directory, old.name, target, new.name)
            self._forget(directory.number, old.name, by)
        for directory in self._core.known(new.directory):
            self._forget(directory.number, new.name, by)
        self.file_changed(old.directory, by)
        self.file_changed(new.directory, by)

    def names_exchanged(self, one: Entry, other: Entry, by: Hashable) -> None:
        """Two names have changed places."""
        mounts = {directory.mounted for entry in (one, other) for directory in self._core.known(entry.directory)}
        for mounted in mounts:
            self._core.inodes.exchange_names(mounted, (one.directory, one.name), (other.directory, other.name))
        for entry in (one, other):
            for directory in self._core.known(entry.directory):
                self._forget(directory.number, entry.name, by)
            self.file_changed(entry.directory, by)

    def _forget(self, directory: int, name: str, by: Hashable) -> None:
        if by != self._core.owner and self._core.keeping.seconds:
            self._names.put(directory, to_kernel(name))
