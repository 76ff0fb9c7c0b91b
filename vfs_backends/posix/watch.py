"""Notices what others change in directories: inotify(7)."""

import errno
import fcntl
import os
import struct
import termios
from typing import Final

from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.syscalls import inotify_add_watch, inotify_init, inotify_rm_watch, proc_path

__all__ = ["Change", "Watcher"]

_IN_MOVED_FROM: Final = 0x40
_IN_MOVED_TO: Final = 0x80
_IN_CREATE: Final = 0x100
_IN_DELETE: Final = 0x200
_IN_Q_OVERFLOW: Final = 0x4000
_IN_IGNORED: Final = 0x8000
_IN_ONLYDIR: Final = 0x01000000

_ADDED: Final = _IN_CREATE | _IN_MOVED_TO
_REMOVED: Final = _IN_DELETE | _IN_MOVED_FROM
_MASK: Final = _ADDED | _REMOVED | _IN_ONLYDIR

_EVENT: Final = struct.Struct("=iIII")
_NOTHING: Final = b"\0\0\0\0"


class Change:
    """What happened to a watched directory."""

    __slots__ = ("is_added", "is_lost", "name", "watch")

    def __init__(self, watch: int, name: str, *, is_added: bool = False, is_lost: bool = False) -> None:
        self.watch = watch
        """-1 with `is_lost`: anything may have happened to any directory."""
        self.name = name
        self.is_added = is_added
        self.is_lost = is_lost
        """The watch has ended, or does not tell what there is any more."""


class Watcher:
    """One queue of changes for all directories that are watched."""

    def __init__(self) -> None:
        """Raises OSError if the user has too many already."""
        fd = inotify_init(os.O_NONBLOCK | os.O_CLOEXEC)
        if fd < 0:
            raise OSError(-fd, os.strerror(-fd))
        self._fd = fd
        self._moved_in: tuple[int, bytes] | None = None
        """The watch and the name, if the last change was that something got a name by a renaming."""

    def add(self, directory: int) -> int | None:
        """Watch a directory; the watch, or None if there cannot be one."""
        watch = inotify_add_watch(self._fd, proc_path(directory), _MASK)
        return watch if watch >= 0 else None

    def remove(self, watch: int) -> None:
        inotify_rm_watch(self._fd, watch)

    def has_changes(self) -> bool:
        return fcntl.ioctl(self._fd, termios.FIONREAD, _NOTHING) != _NOTHING

    def changes(self) -> list[Change]:
        """All there have been since the last time, in order. Never waits.

        Of two names that change places the kernel tells as of two renamings, after which one would be gone. So where
        something moves from a name that something has just moved to, what is in the directory has to be looked at.
        """
        found: list[Change] = []
        while self.has_changes():
            try:
                data = os.read(self._fd, 65536)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    break
                raise
            offset = 0
            while offset < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, offset)
                offset += _EVENT.size
                name = data[offset : offset + length].rstrip(b"\0")
                offset += length
                moved, self._moved_in = self._moved_in, (watch, name) if mask & _IN_MOVED_TO else None
                if mask & _IN_MOVED_FROM and moved == (watch, name):
                    found.append(Change(watch, "", is_lost=True))
                elif mask & (_ADDED | _REMOVED):
                    found.append(Change(watch, name_from_bytes(name), is_added=bool(mask & _ADDED)))
                elif mask & (_IN_IGNORED | _IN_Q_OVERFLOW):
                    found.append(Change(watch, "", is_lost=True))
        return found

    def close(self) -> None:
        os.close(self._fd)
