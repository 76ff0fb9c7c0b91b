"""Which calls are made in the calling thread, and which in one of their own."""

import math
import resource
import time
from collections.abc import Callable
from typing import Final, TypeVar

import trio

from vfs_backends.inline import NotNow, committed, may_wait
from vfs_backends.posix.descriptors import close_quietly

__all__ = ["Pace", "Threads"]

T = TypeVar("T")

_SLOW_SECONDS: Final = 0.02
_SLOW_LOOK_SECONDS: Final = 0.002
_PAUSE_SECONDS: Final = 1.0


class Pace:
    """Remembers that calls of one kind were slow lately, so that the next ones go to threads.

    A storage that answers from memory most of the time (a write goes to the page cache, a new name to a journal)
    still blocks now and then, and if it does it is likely to go on for a while. One slow call alone says little:
    the thread may have been preempted, which on a busy machine happens all the time. So after one, those that follow
    are watched for whether the thread has waited for anything.
    """

    __slots__ = ("_last_slow", "_slow_seconds", "_waits", "slow_until")

    def __init__(self, *, never_slow: bool, slow_seconds: float = _SLOW_SECONDS) -> None:
        self._slow_seconds = math.inf if never_slow else slow_seconds
        self._last_slow = -math.inf
        self._waits = 0
        self.slow_until = 0.0

    def begin(self) -> float:
        """A call is about to be made in the calling thread; what `took` needs, on the clock `time.perf_counter`."""
        now = time.perf_counter()
        if now - self._last_slow < _PAUSE_SECONDS:
            self._waits = _waits()
        return now

    def took(self, start: float) -> None:
        """Record that a call that began at `start` has ended now."""
        now = time.perf_counter()
        if now - start > self._slow_seconds:
            if start - self._last_slow < _PAUSE_SECONDS:
                if _waits() == self._waits:
                    return
                self.slow_until = now + _PAUSE_SECONDS
            self._last_slow = now

    @property
    def is_slow(self) -> bool:
        return self.slow_until > 0.0 and time.perf_counter() < self.slow_until


def _waits() -> int:
    """How often the thread has left the processor to wait for something."""
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw


class Threads:
    """Runs calls that may block, under the rules of `vfs_backends.inline`.

    Only calls that release the interpreter lock belong here: a thread that computes slows the whole process down.
    """

    __slots__ = ("_limiter", "always", "changes", "looks")

    def __init__(self, limiter: trio.CapacityLimiter, *, always: bool, never_slow: bool) -> None:
        self._limiter = limiter
        self.always = always
        """Every call may block for long: the storage is behind a network, or behind another process."""
        self.changes = Pace(never_slow=never_slow)
        self.looks = Pace(never_slow=never_slow, slow_seconds=_SLOW_LOOK_SECONDS)

    async def run(self, call: Callable[..., T], *args: object) -> T:
        """Call in a thread; beyond an inline pass' point of no return, in this one."""
        if committed():
            return call(*args)
        may_wait()
        return await trio.to_thread.run_sync(call, *args, limiter=self._limiter)

    async def change(self, call: Callable[..., T], *args: object) -> T:
        """Make a change of names or attributes: here, unless such changes were slow lately."""
        return await self._at_pace(self.changes, call, *args)

    async def look(self, call: Callable[..., T], *args: object) -> T:
        """Look up a name that the kernel does not know offhand: here, unless the disk had to be asked lately."""
        return await self._at_pace(self.looks, call, *args)

    @property
    def looks_at_hand(self) -> Pace | None:
        """The pace of what `look` does, if that is to be done here; None if in a thread."""
        looks = self.looks
        return None if self.always or (looks.slow_until and looks.is_slow) else looks

    @property
    def changes_at_hand(self) -> Pace | None:
        """The same of what `change` does."""
        changes = self.changes
        return None if self.always or (changes.slow_until and changes.is_slow) else changes

    async def _at_pace(self, pace: Pace, call: Callable[..., T], *args: object) -> T:
        if self.always or pace.is_slow:
            return await self.run(call, *args)
        start = pace.begin()
        try:
            return call(*args)
        finally:
            pace.took(start)

    def close_soon(self, fd: int) -> None:
        """Close a descriptor now, or on a slow storage as soon as a thread gets to it."""
        if self.always:
            trio.lowlevel.start_thread_soon(lambda: close_quietly(fd), lambda _: None)
        else:
            close_quietly(fd)

    async def close(self, fd: int) -> None:
        """Close a descriptor of a slow storage, without ever having to wait in an inline pass.

        Such a pass may be about to start over, and must give up what it holds before.
        """
        try:
            may_wait()
        except (NotNow, RuntimeError):
            self.close_soon(fd)
            return
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(close_quietly, fd, limiter=self._limiter)
