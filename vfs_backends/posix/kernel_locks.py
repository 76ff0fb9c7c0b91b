"""Locks that the process holds on behalf of clients: one open file description for each file that has any.

It is another one than those that read and write: an exclusive lock takes one that is open for writing, and closing it
ends all its locks at once.
"""

import os
from collections.abc import Sequence

from vfs_backends.errors import Kind, VfsError
from vfs_backends.ofd_locks import set_locks
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.syscalls import proc_path
from vfs_backends.records import LockKind, LockSegment, NodeId

__all__ = ["KernelLocks", "check_locking"]

_FLAGS = os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class _LockFile:
    """A file with locks."""

    __slots__ = ("fd", "is_writable")

    def __init__(self, path: bytes) -> None:
        """Raises OSError."""
        try:
            self.fd = os.open(path, os.O_RDWR | _FLAGS)
            self.is_writable = True
        except BlockingIOError:
            raise
        except OSError:
            self.fd = os.open(path, os.O_RDONLY | _FLAGS)
            self.is_writable = False

    def set(self, segments: Sequence[LockSegment]) -> bool:
        if not self.is_writable:
            # The best there is: others can lock nothing exclusively there.
            shared = LockKind.SHARED
            segments = [one._replace(kind=shared) if one.kind is LockKind.EXCLUSIVE else one for one in segments]
        return set_locks(self.fd, segments)


class KernelLocks:
    """The files of a tree that have locks."""

    def __init__(self) -> None:
        self._files: dict[NodeId, _LockFile] = {}

    def set(self, node_id: NodeId, fd: int, segments: Sequence[LockSegment]) -> bool:
        """Lock and unlock; `fd` is any descriptor of the file. False if somebody is in the way.

        Raises `VfsError`: BUSY if somebody has a kernel lease on the file.
        """
        try:
            file = self._files.get(node_id)
            if file is None:
                file = self._files[node_id] = _LockFile(proc_path(fd))
            return file.set(segments)
        except OSError as error:
            raise vfs_error(error, "locks") from error

    def drop(self, node_id: NodeId) -> None:
        """Unlock everything."""
        file = self._files.pop(node_id, None)
        if file is not None:
            os.close(file.fd)

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
