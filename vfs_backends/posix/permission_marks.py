"""Notices that the permissions of directories change, whoever changes them: inotify(7)."""

import fcntl
import itertools
import os
import struct
import termios
from collections import OrderedDict
from typing import Final

from vfs_backends.api import NodeId
from vfs_backends.posix.syscalls import inotify_add_watch, inotify_init, inotify_rm_watch, proc_path

__all__ = ["PermissionMarks"]

_IN_ATTRIB: Final = 0x4
_IN_Q_OVERFLOW: Final = 0x4000
_IN_IGNORED: Final = 0x8000
_IN_ONLYDIR: Final = 0x01000000
_EVENT: Final = struct.Struct("=iIII")
_NOTHING: Final = b"\0\0\0\0"
_ROOM: Final = 1 << 16
_LIMIT: Final = 1024
"""Directories that are watched; for another one, the first of them is not any more."""


class PermissionMarks:
    """A number for each directory, which is another one as soon as owner, mode, ACLs or security blob may be others.

    The kernel enters what happens into the queue before the call returns that does it.
    """

    def __init__(self) -> None:
        self._fd: int | None = None
        """None: not asked for yet. -1: there cannot be any."""
        self._new_mark = itertools.count(1)
        self._known: OrderedDict[NodeId, tuple[int, int]] = OrderedDict()
        """The watch and the mark of a directory."""
        self._watched: dict[int, NodeId] = {}

    def of(self, node_id: NodeId, directory: int) -> int | None:
        """The mark of a directory, of which `directory` is a descriptor; None if nobody tells."""
        fd = self._fd
        while fd is not None and fd >= 0 and fcntl.ioctl(fd, termios.FIONREAD, _NOTHING) != _NOTHING:
            self._take_note(os.read(fd, _ROOM))
        known = self._known.get(node_id)
        if known is not None:
            return known[1]
        return self._begin(node_id, directory)

    def _begin(self, node_id: NodeId, directory: int) -> int | None:
        if self._fd is None:
            self._fd = inotify_init(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            return None
        watch = inotify_add_watch(self._fd, proc_path(directory), _IN_ATTRIB | _IN_ONLYDIR)
        if watch < 0:
            return None
        mark = next(self._new_mark)
        self._known[node_id], self._watched[watch] = (watch, mark), node_id
        if len(self._known) > _LIMIT:
            _, (oldest, _) = self._known.popitem(last=False)
            del self._watched[oldest]
            inotify_rm_watch(self._fd, oldest)
        return mark

    def _take_note(self, events: bytes) -> None:
        offset = 0
        while offset < len(events):
            watch, mask, _, length = _EVENT.unpack_from(events, offset)
            offset += _EVENT.size + length
            if mask & _IN_Q_OVERFLOW:
                for node_id, (known, _) in self._known.items():
                    self._known[node_id] = known, next(self._new_mark)
            elif mask & _IN_IGNORED:
                gone = self._watched.pop(watch, None)
                if gone is not None:
                    del self._known[gone]
            elif not length and watch in self._watched:
                # With a name it would be about something in the directory.
                self._known[self._watched[watch]] = watch, next(self._new_mark)

    def close(self) -> None:
        if self._fd is not None and self._fd >= 0:
            os.close(self._fd)
        self._fd = -1
