"""Asking before others open a file: permission events of fanotify(7).

Only single files are marked. The kernel stops every open of such a file, by whomever, until it is answered; so a thread
that waits for nothing else answers at once what this process does itself (the event loop may be who stands still), and
in time what nobody else has answered. When the process ends, however it ends, the kernel lets everybody go on.
"""

import contextlib
import errno
import os
import select
import threading
import time
from collections.abc import Callable
from typing import Final

import trio

from vfs_backends.api import Handle, OpenGuard, OutsideOpen
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import fanotify
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.stats import fields_of
from vfs_backends.posix.syscalls import proc_path
from vfs_backends.posix.volume import Tree
from vfs_backends.records import NodeId

__all__ = ["PosixOpenGuard", "check_guarding"]

_BUFFER: Final = 4096
_LONGEST: Final = 3600.0


def check_guarding(directory: int) -> None:
    """Raise NOT_SUPPORTED, with the reason, if opens below the directory cannot be stopped."""
    try:
        group = fanotify.init(fanotify.FAN_NONBLOCK | fanotify.FAN_CLASS_PRE_CONTENT)
    except OSError as error:
        raise VfsError(Kind.NOT_SUPPORTED, f"fanotify(7), which takes root: {error.strerror}") from error
    try:
        # Without FAN_ONDIR nothing happens to a directory.
        fanotify.add_mark(group, fanotify.FAN_OPEN_PERM, proc_path(directory))
    except OSError as error:
        raise VfsError(Kind.NOT_SUPPORTED, f"permission events of fanotify(7): {error.strerror}") from error
    finally:
        os.close(group)


class _Asked(OutsideOpen):
    """An open that waits."""

    def __init__(self, guard: "PosixOpenGuard", node_id: NodeId, fd: int) -> None:
        self.node_id = node_id
        self._guard = guard
        self._fd = fd

    def answer(self, *, allow: bool) -> None:
        self._guard.answer(self._fd, allow=allow)


class PosixOpenGuard(OpenGuard):
    """A group of fanotify, and its thread."""

    def __init__(self, tree: Tree, asked: Callable[[OutsideOpen], None], seconds: float) -> None:
        """Raises `VfsError`."""
        try:
            self._group = fanotify.init(fanotify.FAN_NONBLOCK | fanotify.FAN_CLASS_PRE_CONTENT)
        except OSError as error:
            raise vfs_error(error, "fanotify(7)") from error
        self._tree = tree
        self._asked = asked
        self._seconds = seconds
        self._pid = os.getpid()
        self._uses: dict[NodeId, int] = {}
        self._lock = threading.Lock()
        self._pending: dict[int, float] = {}
        """Until when to wait for an answer, by the descriptor of the event."""
        self._wake, self._woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._token = trio.lowlevel.current_trio_token()
        self._thread = threading.Thread(target=self._run, name="open-guard", daemon=True)
        self._thread.start()

    def add(self, handle: Handle) -> None:
        if not isinstance(handle, PosixHandle):
            raise VfsError(Kind.INVALID, "a handle of another file system")
        uses = self._uses.get(handle.node_id, 0)
        if not uses:
            try:
                fanotify.add_mark(self._group, fanotify.FAN_OPEN_PERM, proc_path(handle.fd))
            except OSError as error:
                raise vfs_error(error, handle.path) from error
        self._uses[handle.node_id] = uses + 1

    def remove(self, handle: Handle) -> None:
        uses = self._uses.pop(handle.node_id, 0)
        if uses > 1:
            self._uses[handle.node_id] = uses - 1
        elif uses and isinstance(handle, PosixHandle):
            with contextlib.suppress(OSError):  # it ends with the file
                fanotify.remove_mark(self._group, fanotify.FAN_OPEN_PERM, proc_path(handle.fd))

    def answer(self, fd: int, *, allow: bool) -> None:
        """Let an open go on or fail, unless its time is over."""
        with self._lock:
            if self._pending.pop(fd, None) is not None:
                self._answer(fd, allow=allow)

    def _answer(self, fd: int, *, allow: bool) -> None:
        try:
            fanotify.answer(self._group, fd, allow=allow, number=0 if allow else errno.EBUSY)
        except OSError:
            # Before Linux 6.13 there is no choice of errors; or nobody waits any more.
            with contextlib.suppress(OSError):
                fanotify.answer(self._group, fd, allow=allow)
        os.close(fd)

    # --- the thread, which must not log: a handler may wait for the loop

    def _run(self) -> None:
        poll = select.poll()
        poll.register(self._group, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll(self._patience())]
            if self._wake in ready:
                return
            if self._group in ready:
                self._read()
            self._expire()

    def _patience(self) -> float:
        """Milliseconds until somebody's time is over."""
        with self._lock:
            until = min(self._pending.values(), default=time.monotonic() + _LONGEST)
        return max(until - time.monotonic(), 0.0) * 1000 + 1

    def _read(self) -> None:
        try:
            data = os.read(self._group, _BUFFER)
        except OSError:
            # Nothing there after all; or the kernel could not open the file for us, and has refused by itself.
            return
        for event in fanotify.events(data):
            if event.fd < 0:
                continue
            if event.pid == self._pid:
                self._answer(event.fd, allow=True)
                continue
            with self._lock:
                self._pending[event.fd] = time.monotonic() + self._seconds
            try:
                self._token.run_sync_soon(self._hand_over, event.fd)
            except trio.RunFinishedError:
                self.answer(event.fd, allow=True)

    def _expire(self) -> None:
        now = time.monotonic()
        with self._lock:
            late = [fd for fd, until in self._pending.items() if until <= now]
            for fd in late:
                del self._pending[fd]
                self._answer(fd, allow=True)

    def _hand_over(self, fd: int) -> None:
        """In the loop: ask who is to decide."""
        with self._lock:
            if fd not in self._pending:
                return
            try:
                node_id = self._tree.node_id(fields_of(fd))
            except OSError:
                node_id = None
        if node_id is None:
            self.answer(fd, allow=True)
        else:
            self._asked(_Asked(self, node_id, fd))

    def close(self) -> None:
        os.write(self._woken, b"\0")
        self._thread.join()
        with self._lock:
            for fd in self._pending:
                os.close(fd)
            self._pending.clear()
        # Closing it lets everybody go on who still waits.
        for fd in (self._group, self._wake, self._woken):
            os.close(fd)
