"""Byte-range locks of SMB clients, as programs on the mount see them; and the reverse.

The kernel keeps the locks of a mount's files to itself. But the gateway can hold some as any program does: for each
open of a client that locks, it opens the file through its own mount and locks what the client has locked, by open file
description (F_OFD_SETLK, fcntl_locking(2)). What a program has locked conflicts with that, and what the client has
locked conflicts with what the program wants to.

Those calls are made in threads of their own, since it is the loop that has to answer them; an open by such a thread is
no open of the store.
"""

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar

import trio

from gateway.fuse.core import Core
from gateway.fuse.exports import Mounted
from gateway.fuse.names import to_kernel
from gateway.share.mirroring import segments
from gateway.share.opens import Open
from gateway.share.record import LockEntry
from vfs_backends.api import LockSegment
from vfs_backends.inline import may_wait
from vfs_backends.ofd_locks import is_locked, set_locks

__all__ = ["LockMirror"]

log = logging.getLogger("gateway.fuse")

T = TypeVar("T")

_SECONDS: Final = 2.0
"""For so long the kernel is waited for; it may have to wait for a request in the same directory."""
_THREADS: Final = 8


class _Held:
    """A client's open, as the kernel knows it: a descriptor on the mount. Its lock is held by the thread at it."""

    def __init__(self, path: bytes, number: int) -> None:
        self.path = path
        self.number = number
        self.descriptor = -1
        self.is_closed = False
        self.lock = threading.Lock()

    def set(self, wanted: Sequence[LockSegment]) -> bool:
        """Lock and unlock; False if somebody is in the way. Raises OSError."""
        return self._call(lambda descriptor: set_locks(descriptor, wanted), True)

    def is_locked(self, wanted: LockSegment) -> bool:
        """Whether somebody else has locked what is wanted. Raises OSError."""
        return self._call(lambda descriptor: is_locked(descriptor, wanted), False)

    def _call(self, call: Callable[[int], bool], if_closed: bool) -> bool:
        with self.lock:
            if self.is_closed:
                return if_closed
            if self.descriptor < 0:
                self.descriptor = self._open()
            return call(self.descriptor)

    def _open(self) -> int:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        if os.fstat(descriptor).st_ino != self.number:
            os.close(descriptor)
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return descriptor

    def close(self) -> None:
        with self.lock:
            self.is_closed = True
            if self.descriptor >= 0:
                os.close(self.descriptor)
                self.descriptor = -1


class LockMirror:
    """Follows the locks of the clients of all shares of a mount at `directory`."""

    def __init__(self, core: Core, directory: str) -> None:
        self._core = core
        self._directory = os.fsencode(directory)
        self._by_open: dict[int, _Held] = {}
        self._limiter = trio.CapacityLimiter(_THREADS)
        for mounted in core.mounted.values():
            mounted.share.outside_locks.append(self)
            mounted.share.advised.add(core.owner)

    def end(self) -> None:
        """Follow no more; before the mount ends."""
        for mounted in self._core.mounted.values():
            mounted.share.outside_locks.remove(self)
            mounted.share.advised.discard(self._core.owner)
        for held in self._by_open.values():
            self._close_soon(held)
        self._by_open.clear()

    async def follow(self, one: Open, ranges: Sequence[LockEntry]) -> bool:
        """Let programs see what a client has locked by now; False if one of them holds what conflicts."""
        held = self._by_open.get(one.open_id)
        if one.stream:
            return True
        record = one.share.record(one)
        own = [] if record is None else [lock for lock in record.locks if lock.open_id == one.open_id]
        if held is None:
            held = self._held(one) if own else None
            if held is None:
                return True
        with trio.move_on_after(_SECONDS, shield=True):
            try:
                return await self._run(held.set, segments(ranges, own))
            except OSError as error:
                log.debug("%s: locks are not seen by programs: %s", one.path, error)
                return True
        log.warning("%s: locks are not seen by programs: the kernel does not answer", one.path)
        return True

    async def blocks(self, one: Open, wanted: LockSegment) -> bool:
        """Whether a program has locked what conflicts with reading, or writing, that range."""
        may_wait()
        held = self._held(one)
        if held is None or one.is_directory:
            return False
        with trio.move_on_after(_SECONDS):
            try:
                return await self._run(held.is_locked, wanted)
            except OSError as error:
                log.debug("%s: locks of programs are not heeded: %s", one.path, error)
                return False
        log.warning("%s: locks of programs are not heeded: the kernel does not answer", one.path)
        return False

    def closed(self, one: Open) -> None:
        """Its locks are gone."""
        held = self._by_open.pop(one.open_id, None)
        if held is not None:
            self._close_soon(held)

    async def _run(self, call: Callable[[T], bool], argument: T) -> bool:
        def run() -> bool:
            with self._own_thread():
                return call(argument)

        return await trio.to_thread.run_sync(run, limiter=self._limiter, abandon_on_cancel=True)

    def _held(self, one: Open) -> _Held | None:
        """What stands for an open; None if it is in no share of the mount."""
        held = self._by_open.get(one.open_id)
        if held is None:
            mounted = next((one_of for one_of in self._core.mounted.values() if one_of.share is one.share), None)
            if mounted is not None:
                held = self._by_open[one.open_id] = self._new(mounted, one)
        return held

    def _new(self, mounted: Mounted, one: Open) -> _Held:
        number = self._core.inodes.number(mounted, one.node_id)
        path = b"/".join([self._directory, to_kernel(mounted.name), to_kernel(one.path)])
        return _Held(path, number)

    def _close_soon(self, held: _Held) -> None:
        # close(2) waits for the loop, too.
        trio.lowlevel.start_thread_soon(held.close, lambda _: None)

    @contextmanager
    def _own_thread(self) -> Iterator[None]:
        thread = threading.get_native_id()
        self._core.own_threads.add(thread)
        try:
            yield
        finally:
            self._core.own_threads.discard(thread)
