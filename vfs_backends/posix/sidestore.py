"""Where streams live that are larger than an extended attribute: files in a hidden directory of the tree's root.

The attribute of such a stream holds only a random token. Its file is named after the inode it belongs to and that
token, so that a copied attribute leads nowhere: neither to the stream of the file it was copied from, nor to one of
somebody else. The directory is the process' own; nothing of the kind is looked up, listed or created by clients at any
level of a tree, since the root of one share may be inside of another.
"""

import contextlib
import errno
import os
import re
import stat as stat_module
from collections.abc import Callable, Iterable
from typing import Final

from vfs_backends.api import NodeId
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.syscalls import syncfs

__all__ = ["NAME", "SideStore", "is_hidden"]

NAME: Final = ".smbgate-streams"

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_NAME = re.compile(r"([0-9a-f]+)-([0-9a-f]+)-\w+")
_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC


def is_hidden(path: str) -> bool:
    """Whether a path leads to such a directory, or into one."""
    lower = path.lower()
    return NAME in lower and NAME in lower.split("/")


class SideStore:
    """All methods raise OSError."""

    def __init__(self, root: int) -> None:
        """`root` is a descriptor of the tree's root directory."""
        self._root = root
        self._fd = -1
        with contextlib.suppress(OSError):  # there is none, or none of ours
            self._open()

    def flush_all(self) -> None:
        """Bring everything of the file system to stable storage, where there is no way to do that for one file."""
        result = syncfs(self._root)
        if result < 0:
            raise os_error(-result)

    @property
    def in_use(self) -> bool:
        """Whether there may be anything in it."""
        return self._fd >= 0

    def _open(self) -> None:
        fd = os.open(NAME, _DIRECTORY, dir_fd=self._root)
        status = os.fstat(fd)
        # Whoever may write to the root could have made it.
        if status.st_uid != os.geteuid() or stat_module.S_IMODE(status.st_mode) & 0o077:
            os.close(fd)
            raise os_error(errno.EPERM)
        if self._fd >= 0:  # another thread was faster
            os.close(fd)
        else:
            self._fd = fd

    def _directory(self, *, create: bool) -> int:
        if self._fd < 0:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(NAME, 0o700, dir_fd=self._root)
            self._open()
        return self._fd

    def open(self, node_id: NodeId, token: str, *, create: bool = False) -> int:
        """A descriptor of a stream's file, for reading and writing."""
        directory = self._directory(create=create)
        return os.open(
            _file_name(node_id, token), _FILE | (os.O_CREAT | os.O_EXCL if create else 0), 0o600, dir_fd=directory
        )

    def stat(self, node_id: NodeId, token: str) -> os.stat_result:
        return os.stat(_file_name(node_id, token), dir_fd=self._directory(create=False), follow_symlinks=False)

    def remove(self, node_id: NodeId, tokens: Iterable[str]) -> None:
        """Remove the files of streams; those that are gone already are passed over."""
        for token in tokens:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(_file_name(node_id, token), dir_fd=self._directory(create=False))

    def sweep(self, exists: Callable[[int, int], bool]) -> None:
        """Remove what belonged to files that somebody else has removed; `exists` is asked by inode and generation."""
        if self._fd < 0:
            return
        for name in os.listdir(self._fd):
            found = _FILE_NAME.fullmatch(name)
            if found and not exists(int(found[1], 16), int(found[2], 16)):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _file_name(node_id: NodeId, token: str) -> str:
    # The number of the device may be another one after a restart.
    if not token.isalnum() or not token.isascii():
        raise os_error(errno.ENOENT)
    return f"{node_id.inode:x}-{node_id.generation:x}-{token}"
