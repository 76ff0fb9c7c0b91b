"""Requests that may have to wait for others: for a break, or for an open that denies sharing.

A waiting request can be interrupted as any system call: the kernel tells of a signal only to libfuse, which keeps it
to itself, so now and then it is looked up in /proc whether the process has one to take.
"""

import errno
import re
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import pyfuse3
import trio

from gateway.fuse.turns import Turn
from gateway.nt.status import STATUS_SHARING_VIOLATION, StatusError
from vfs_backends.inline import effect_scope, nothing_happened

__all__ = ["MAX_TASKS", "Requests", "has_signal", "is_shared_with_nobody"]

T = TypeVar("T")

MAX_TASKS: Final = 512
"""Requests that are worked on at a time."""
_MAX_WAITING: Final = MAX_TASKS - 64
"""Those of them that may wait: there is always room for what brings a wait to its end."""

_LOOK_SECONDS: Final = 0.2
_FIRST_RETRY: Final = 0.005
_LAST_RETRY: Final = 0.1

_SIGNALS: Final = re.compile(rb"^(SigPnd|ShdPnd|SigBlk|SigIgn):\s*([0-9a-f]+)$", re.MULTILINE)


class _Waiting:
    __slots__ = ("pid", "scope", "since")

    def __init__(self, pid: int, scope: trio.CancelScope) -> None:
        self.pid = pid
        self.scope = scope
        self.since = trio.current_time()


class Requests:
    """Those under way that may wait. `share_seconds`: for how long an open that denies sharing is waited for."""

    def __init__(self, share_seconds: float, turn: Turn) -> None:
        self._share_seconds = share_seconds
        self._turn = turn
        self._waiting: set[_Waiting] = set()

    async def run(self, pid: int, operation: Callable[..., Awaitable[T]], *args: object) -> T:
        """Do it; what others deny is tried again for a while. Raises EINTR if the process has a signal to take.

        `operation` must not have had an effect when it raises SHARING_VIOLATION.
        """
        if len(self._waiting) >= _MAX_WAITING:
            raise pyfuse3.FUSEError(errno.EBUSY)
        with trio.CancelScope() as scope, trio.CancelScope() as effects:
            waiting = _Waiting(pid, scope)
            self._waiting.add(waiting)
            before = effect_scope.set(effects)
            try:
                return await self._persist(operation, args)
            finally:
                effect_scope.reset(before)
                self._waiting.discard(waiting)
        raise pyfuse3.FUSEError(errno.EINTR)

    async def _persist(self, operation: Callable[..., Awaitable[T]], args: tuple[object, ...]) -> T:
        deadline, pause = 0.0, _FIRST_RETRY
        while True:
            try:
                return await operation(*args)
            except StatusError as error:
                now = trio.current_time()
                deadline = deadline or now + self._share_seconds
                if not is_shared_with_nobody(error) or now >= deadline:
                    raise
            nothing_happened()
            await trio.sleep(min(pause, deadline - now))
            pause = min(2 * pause, _LAST_RETRY)

    async def watch(self) -> None:
        """Interrupt those whose processes have signals to take; runs until cancelled."""
        while True:
            await trio.sleep(_LOOK_SECONDS)
            # The task whose turn it was may have ended, since nothing is mounted any more.
            self._turn.pass_on()
            before = trio.current_time() - _LOOK_SECONDS
            for waiting in list(self._waiting):
                if waiting.since <= before and has_signal(waiting.pid):
                    waiting.scope.cancel()


def is_shared_with_nobody(error: Exception) -> bool:
    """Whether another open denies it, for now."""
    return isinstance(error, StatusError) and error.status == STATUS_SHARING_VIOLATION


def has_signal(pid: int) -> bool:
    """Whether a thread has a signal to take that it neither blocks nor ignores, or has gone. See proc(5)."""
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            text = file.read()
    except ProcessLookupError:
        return True
    except OSError:
        # It cannot be seen: it may be in another namespace.
        return False
    masks = {name: int(mask, 16) for name, mask in _SIGNALS.findall(text)}
    pending = masks.get(b"SigPnd", 0) | masks.get(b"ShdPnd", 0)
    return bool(pending & ~masks.get(b"SigBlk", 0) & ~masks.get(b"SigIgn", 0))
