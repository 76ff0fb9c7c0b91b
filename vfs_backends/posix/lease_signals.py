"""How the kernel tells that somebody waits for a lease: by a signal with the descriptor in it, fcntl(2) F_SETSIG.

The signal goes to the thread of the event loop alone, where it is blocked and read from signalfd(2); so it does not
matter what other threads there are and what they block. Where the kernel cannot queue any more signals it sends a plain
SIGIO: then all leases are looked at.
"""

import ctypes
import fcntl
import os
import signal
import struct
import threading
from collections.abc import Callable
from typing import Final

import trio

from vfs_backends.posix.failures import os_error

__all__ = ["LeaseSignals", "lease_signals"]

_libc = ctypes.CDLL(None, use_errno=True)
_signalfd = _libc["signalfd"]

_SIGNAL: Final = signal.SIGRTMIN + 5
_SFD_FLAGS: Final = os.O_CLOEXEC | os.O_NONBLOCK
_F_SETSIG: Final = 10
_F_SETOWN_EX: Final = 15
_F_OWNER_TID: Final = 0
_SET_SIZE: Final = 128
_INFO: Final = struct.Struct("=IiiIIi104x")
"""struct signalfd_siginfo: number, errno, code, pid, uid, descriptor."""
_BATCH: Final = 64

_current: trio.lowlevel.RunVar["LeaseSignals"] = trio.lowlevel.RunVar("lease_signals")


def lease_signals() -> "LeaseSignals":
    """That of the event loop that runs. Raises OSError."""
    try:
        return _current.get()
    except LookupError:
        made = LeaseSignals()
        _current.set(made)
        return made


class LeaseSignals:
    """Who is to be told of which descriptor."""

    def __init__(self) -> None:
        numbers = {_SIGNAL, signal.SIGIO}
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        mask = sum(1 << number - 1 for number in numbers)
        self._fd: int = _signalfd(-1, mask.to_bytes(_SET_SIZE, "little"), _SFD_FLAGS)
        if self._fd < 0:
            raise os_error(ctypes.get_errno())
        self._callbacks: dict[int, Callable[[], None]] = {}
        trio.lowlevel.spawn_system_task(self._run)

    def set(self, fd: int, kind: int, call: Callable[[], None]) -> None:
        """Take a lease (F_WRLCK, F_RDLCK), and have `call` called when somebody waits for it. Raises OSError.

        Only from the thread of the event loop.
        """
        # Both are undone by F_UNLCK; a lease without them would be broken by a SIGIO to anybody.
        fcntl.fcntl(fd, _F_SETOWN_EX, struct.pack("=ii", _F_OWNER_TID, threading.get_native_id()))
        fcntl.fcntl(fd, _F_SETSIG, int(_SIGNAL))
        self._callbacks[fd] = call
        try:
            fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
        except OSError:
            if fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_UNLCK:
                del self._callbacks[fd]
            raise

    def give_up(self, fd: int) -> None:
        """Give a lease up; whoever waits goes on."""
        self._callbacks.pop(fd, None)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    async def _run(self) -> None:
        try:
            while True:
                await trio.lowlevel.wait_readable(self._fd)
                for fd in self._broken():
                    call = self._callbacks.get(fd)
                    if call is not None:
                        call()
        finally:
            os.close(self._fd)

    def _broken(self) -> list[int]:
        try:
            data = os.read(self._fd, _INFO.size * _BATCH)
        except BlockingIOError:
            return []
        found = []
        for number, _, _, _, _, fd in _INFO.iter_unpack(data):
            if number == signal.SIGIO:
                return list(self._callbacks)
            found.append(fd)
        return found
