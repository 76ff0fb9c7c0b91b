"""Locks that the process holds on behalf of clients: one open file description for each file that has any.

It is another one than those that read and write: an exclusive lock takes one that is open for writing, and closing it
ends all its locks at once.
"""

import os
from collections.abc import Callable, Sequence

from vfs_backends.errors import Kind, VfsError
from vfs_backends.ofd_locks import LAST_OFFSET, is_locked, set_locks
from vfs_backends.posix.failures import vfs_error
from vfs_backends.records import LockKind, LockSegment, NodeId

__all__ = ["KernelLocks", "check_locking", "open_for_locks"]

_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def open_for_locks(path: bytes) -> tuple[int, bool]:
    """A new descriptor, and whether it is for writing: as it should be, and may not be possible. Raises OSError."""
    try:
        return os.open(path, os.O_RDWR | _FLAGS), True
    except BlockingIOError:
        raise
    except OSError:
        return os.open(path, os.O_RDONLY | _FLAGS), False


class KernelLocks:
    """The files of a tree that have locks: by id, a descriptor, and whether it is for writing."""

    def __init__(self) -> None:
        self._files: dict[NodeId, tuple[int, bool]] = {}

    def set(self, node_id: NodeId, open_file: Callable[[], tuple[int, bool]], segments: Sequence[LockSegment]) -> bool:
        """Lock and unlock. False if somebody is in the way.

        Raises `VfsError`: BUSY if somebody has a kernel lease on the file.
        """
        try:
            file = self._files.get(node_id)
            if file is None:
                file = self._files[node_id] = open_file()
            fd, is_writable = file
            if not is_writable:
                # The best there is: others can lock nothing exclusively there.
                shared = LockKind.SHARED
                segments = [one._replace(kind=shared) if one.kind is LockKind.EXCLUSIVE else one for one in segments]
            return set_locks(fd, segments)
        except OSError as error:
            raise vfs_error(error, "locks") from error

    def is_locked(self, node_id: NodeId, fd: int, wanted: LockSegment) -> bool:
        """Whether somebody else has locked what is wanted; `fd` is any descriptor of the file. Raises `VfsError`."""
        file = self._files.get(node_id)
        try:
            return is_locked(fd if file is None else file[0], wanted)
        except OSError as error:
            raise vfs_error(error, "locks") from error

    def drop(self, node_id: NodeId) -> int | None:
        """Unlock everything; the descriptor that was closed for that."""
        file = self._files.pop(node_id, None)
        if file is None:
            return None
        set_locks(file[0], (LockSegment(LockKind.NONE, 0, LAST_OFFSET),))  # it may be a duplicate, and stay open
        os.close(file[0])
        return file[0]

    def close(self) -> None:
        for node_id in list(self._files):
            self.drop(node_id)


def check_locking(root: int) -> None:
    """Raise NOT_SUPPORTED, with the reason, if the file system of the directory has no such locks."""
    try:
        fd = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=root)
    except OSError as error:
        raise vfs_error(error) from error
    try:
        set_locks(fd, (LockSegment(LockKind.NONE, 0, 1),))
    except OSError as error:
        raise VfsError(Kind.NOT_SUPPORTED, f"locks of open file descriptions: {error.strerror}") from error
    finally:
        os.close(fd)
