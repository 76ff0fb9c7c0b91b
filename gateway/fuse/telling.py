"""Telling the kernel what others have changed: it forgets what it kept.

The kernel may make whoever tells it wait for requests that are under way in the same directory. So that is done by
threads that do nothing else, after the change, and while nothing is held that a request could need.
"""

import logging
import threading
from collections.abc import Callable

import pyfuse3

__all__ = ["Call", "Queue"]

log = logging.getLogger("gateway.fuse")

Call = Callable[[], object]


class Queue:
    """What one thread has still to tell; the same thing is told once."""

    def __init__(self, name: str) -> None:
        self._pending: dict[tuple[int, bytes], None] = {}
        self._changed = threading.Condition()
        self._begun: list[Call] = []
        self._calls: list[Call] = []
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, inode: int, name: bytes) -> None:
        with self._changed:
            self._pending[inode, name] = None
            self._changed.notify()

    def when_begun(self, call: Call) -> None:
        """Call (in the thread) as soon as it begins to tell the kernel what is pending now."""
        with self._changed:
            self._begun.append(call)
            self._changed.notify()

    def when_told(self, call: Call) -> None:
        """Call (in the thread) as soon as the kernel was told what is pending now, or need not be told any more."""
        with self._changed:
            self._calls.append(call)
            self._changed.notify()

    def end(self) -> None:
        """What has not been told by now need not be told any more."""
        with self._changed:
            self._pending.clear()
            self._ended = True
            self._changed.notify()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._pending or self._begun or self._calls or self._ended):
                    self._changed.wait()
                pending, begun, calls = list(self._pending), self._begun, self._calls
                self._pending.clear()
                self._begun, self._calls = [], []
                ended = self._ended
            for call in begun:
                call()
            for inode, name in pending:
                _tell(inode, name)
            for call in calls:
                call()
            if ended:
                return


def _tell(inode: int, name: bytes) -> None:
    try:
        if name:
            pyfuse3.invalidate_entry(inode, name)
        else:
            pyfuse3.invalidate_inode(inode)
    except OSError as error:
        # Mostly ENOENT: the kernel has forgotten it already.
        log.debug("inode %d, name %r: %s", inode, name, error)
