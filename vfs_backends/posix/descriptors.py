"""Calls on a descriptor: opening what it is on once more, reading, writing, closing. All but that raise OSError."""

import contextlib
import fcntl
import os
from typing import Final

from vfs_backends.api import Caller, IoAccess
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.identity import as_caller
from vfs_backends.posix.syscalls import fallocate_keep_size

__all__ = [
    "ACCESS_MODES",
    "IO_FLAGS",
    "allocate",
    "close_quietly",
    "flush",
    "keep_access_time",
    "read_all",
    "reopen",
    "write_all",
]

# O_NONBLOCK: where somebody has a kernel lease on the file, an open would wait for it to be given up.
_ALWAYS: Final = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_READING: Final = os.O_RDONLY | _ALWAYS
_WRITING: Final = os.O_WRONLY | _ALWAYS
IO_FLAGS: Final = {
    IoAccess.READ: _READING,
    IoAccess.WRITE: _WRITING,
    IoAccess.READ | IoAccess.WRITE: os.O_RDWR | _ALWAYS,
}
ACCESS_MODES: Final = {
    IoAccess.READ: os.R_OK,
    IoAccess.WRITE: os.W_OK,
    IoAccess.READ | IoAccess.WRITE: os.R_OK | os.W_OK,
}
"""The same as access(2) takes it."""


def reopen(fd: int, flags: int, proc: int, caller: Caller | None = None) -> int:
    """Open what a descriptor is on, with the rights of `caller`; `proc` is /proc/self/fd."""
    name = b"%d" % fd
    if caller is None:
        return os.open(name, flags, dir_fd=proc)
    return as_caller(caller, lambda: os.open(name, flags, dir_fd=proc))


def read_all(fd: int, offset: int, buffer: memoryview) -> int:
    """Read until the buffer is full or the file at its end; how many bytes there were."""
    done = 0
    while done < len(buffer):
        got = os.preadv(fd, [buffer[done:]], offset + done)
        if got == 0:
            break
        done += got
    return done


def write_all(fd: int, offset: int, data: memoryview) -> None:
    """Write all of `data`."""
    done = os.pwrite(fd, data, offset)
    while done < len(data):
        done += os.pwrite(fd, data[done:], offset + done)


def close_quietly(fd: int) -> None:
    """Close, whatever the storage says to it: the descriptor is gone in any case."""
    try:
        os.close(fd)
    except OSError:
        return


def keep_access_time(fd: int, *, keep: bool) -> None:
    """Let reading leave the time of the last access alone, or not; only who owns the file may: O_NOATIME, open(2)."""
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETFL, flags | os.O_NOATIME if keep else flags & ~os.O_NOATIME)


def flush(fd: int, proc: int | None) -> None:
    """fsync(2) wants a descriptor that is open for I/O; without `proc`, `fd` is."""
    used = fd if proc is None else reopen(fd, _READING, proc)
    try:
        os.fsync(used)
    finally:
        if proc is not None:
            os.close(used)


def allocate(fd: int, size: int, proc: int | None) -> None:
    """fallocate(2) wants a descriptor that is open for writing; without `proc`, `fd` is."""
    used = fd if proc is None else reopen(fd, _WRITING, proc)
    try:
        result = fallocate_keep_size(used, size)
    finally:
        if proc is not None:
            os.close(used)
    if result < 0:
        raise os_error(-result)
