"""Serving quiet sockets without a turn of the event loop for every message.

To let trio watch a socket, wake its task and go through its loop costs more than to answer a small request. So whoever
waits for nothing but the next message on a socket hands in a function that serves it, and one task, the hub, sleeps on
all those sockets in an epoll object of its own, in place of the loop, whenever no other task can run. In the same
object it watches the one that the loop sleeps on: what would wake the loop wakes the hub, which then lets it have its
turn; so it does at the next deadline, and as soon as any task can run.

The hub only needs what trio documents, and a look into /proc/self. Where that does not answer, and where no hub runs,
`wait` leaves the waiting to the loop.
"""

import contextlib
import logging
import math
import os
import re
import select
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import trio

from gateway.uncompiled import in_nursery

__all__ = ["Hub"]

log = logging.getLogger("gateway.conn")

_EVENTS: Final = 42
"""Sockets that are served before others are looked at: as many as need no more than a small piece of memory."""
_LONGEST_SLEEP: Final = 3600.0
_now: Final = time.perf_counter
_EVENTPOLL: Final = "anon_inode:[eventpoll]"


class _Runnable(trio.abc.Instrument):
    """The tasks that wait for their turn of the loop."""

    def __init__(self) -> None:
        self.tasks: set[trio.lowlevel.Task] = set()

    def task_scheduled(self, task: trio.lowlevel.Task) -> None:
        self.tasks.add(task)

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self.tasks.discard(task)


class _Waiter:
    """A task that waits, and what serves its socket meanwhile."""

    __slots__ = ("error", "run", "serve", "task")

    def __init__(self, serve: Callable[[], bool]) -> None:
        self.serve = serve
        self.task = trio.lowlevel.current_task()
        self.run = self.task.context.run
        self.error: Exception | None = None


class Hub:
    """Waits for sockets together. At most one `run` at a time; it keeps the loop from ever being idle."""

    def __init__(self) -> None:
        self._epoll: select.epoll | None = None
        self._waiters: dict[int, _Waiter] = {}
        self._came = trio.Event()
        self._runnable = _Runnable()

    async def wait(self, sock: socket.socket | int, serve: Callable[[], bool]) -> None:
        """Wait until `sock` (non-blocking) is readable, or has been served as long as that needed nobody to wait.

        `serve` may be called any number of times when something can be received, in the caller's context but out of
        its turn, and must not wait. Once it returns False, or raises an `Exception`, the caller goes on. In place of
        `sock` a descriptor will do.
        """
        epoll = self._epoll
        if epoll is None:
            await trio.lowlevel.wait_readable(sock)
            return
        fd = sock if isinstance(sock, int) else sock.fileno()
        epoll.register(fd, select.EPOLLIN)
        waiter = self._waiters[fd] = _Waiter(serve)
        self._came.set()

        def abort(_: object) -> trio.lowlevel.Abort:
            self._forget(fd)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if waiter.error is not None:
            raise waiter.error

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve those who wait, until cancelled. Returns at once where the loop does not sleep on an epoll object."""
        loop = await _find_loop()
        if loop is None:
            log.info("the event loop has no epoll object that can be watched; sockets are left to it")
            task_status.started()
            return
        with select.epoll() as epoll:
            epoll.register(loop, select.EPOLLIN)
            trio.lowlevel.add_instrument(self._runnable)
            self._epoll = epoll
            task_status.started()
            try:
                while True:
                    await trio.lowlevel.checkpoint()
                    if not self._waiters:
                        self._came = trio.Event()
                        await self._came.wait()
                    self._serve_until_others_are_due(epoll, loop)
            finally:
                self._epoll = None
                trio.lowlevel.remove_instrument(self._runnable)
                for fd in list(self._waiters):
                    self._release(fd)

    def _serve_until_others_are_due(self, epoll: select.epoll, loop: int) -> None:
        runnable = self._runnable.tasks
        if runnable:
            self._serve_ready(epoll, loop, 0)
            return
        # No task can run, so nobody but who is served here could bring the deadline forward; and who does that for
        # another task does it by waking it.
        sleep = trio.lowlevel.current_statistics().seconds_to_next_deadline
        if sleep == math.inf:
            # The kernel has no timer to set then, nor is there a clock to look at.
            while not runnable and self._waiters and not self._serve_ready(epoll, loop, None):
                pass
            return
        end = _now() + min(sleep, _LONGEST_SLEEP)
        while not runnable and (left := end - _now()) > 0 and self._waiters:
            if self._serve_ready(epoll, loop, left):
                return

    def _serve_ready(self, epoll: select.epoll, loop: int, timeout: float | None) -> bool:
        """Serve each socket that is readable once; whether the loop has something to do."""
        awake = False
        for fd, _ in epoll.poll(timeout, _EVENTS):
            if fd == loop:
                awake = True
            elif (waiter := self._waiters.get(fd)) is not None:
                try:
                    if waiter.run(waiter.serve):
                        continue
                except Exception as error:
                    waiter.error = error  # raised where it belongs: in the task that waits
                if self._waiters.get(fd) is waiter:  # it may have been cancelled by what served it
                    self._release(fd)
        return awake

    def _forget(self, fd: int) -> _Waiter:
        if self._epoll is not None:
            self._epoll.unregister(fd)
        return self._waiters.pop(fd)

    def _release(self, fd: int) -> None:
        trio.lowlevel.reschedule(self._forget(fd).task)


async def _find_loop() -> int | None:
    """The descriptor of the epoll object on which the loop sleeps: the one that watches what a task waits for."""
    if not hasattr(select, "epoll"):
        return None
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return await in_nursery(partial(_find_watcher, ours))


async def _find_watcher(sock: socket.socket, nursery: trio.Nursery) -> int | None:
    nursery.start_soon(trio.lowlevel.wait_readable, sock)
    for _ in range(2):  # the other task may have its first turn after ours
        await trio.lowlevel.checkpoint()
    found = _watcher_of(sock.fileno())
    nursery.cancel_scope.cancel()
    return found


def _watcher_of(fd: int) -> int | None:
    """The epoll object of this process that watches `fd`, by what proc(5) tells; None if there is none."""
    watched = re.compile(rf"^tfd:\s*{fd}\s", re.MULTILINE)
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # closed meanwhile
            if os.readlink(f"/proc/self/fd/{name}") == _EVENTPOLL and watched.search(
                Path(f"/proc/self/fdinfo/{name}").read_text()
            ):
                return int(name)
    return None
