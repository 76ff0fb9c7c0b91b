"""The system calls of fanotify(7), and what they tell."""

import ctypes
import os
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

from vfs_backends.posix.failures import os_error

__all__ = ["Event", "Info", "add_mark", "answer", "events", "file_key", "init", "remove_mark"]

_libc = ctypes.CDLL(None, use_errno=True)
_fanotify_init = _libc["fanotify_init"]
_fanotify_mark = _libc["fanotify_mark"]

FAN_CLOEXEC: Final = 0x01
FAN_NONBLOCK: Final = 0x02
FAN_CLASS_PRE_CONTENT: Final = 0x08
FAN_REPORT_DFID_NAME: Final = 0xC00

FAN_MODIFY: Final = 0x02
FAN_ATTRIB: Final = 0x04
FAN_MOVED_FROM: Final = 0x40
FAN_MOVED_TO: Final = 0x80
FAN_CREATE: Final = 0x100
FAN_DELETE: Final = 0x200
FAN_Q_OVERFLOW: Final = 0x4000
FAN_OPEN_PERM: Final = 0x10000
FAN_EVENT_ON_CHILD: Final = 0x08000000
FAN_RENAME: Final = 0x10000000
FAN_ONDIR: Final = 0x40000000

FAN_ALLOW: Final = 1
FAN_DENY: Final = 2

INFO_DFID_NAME: Final = 2
INFO_OLD_DFID_NAME: Final = 10
INFO_NEW_DFID_NAME: Final = 12

_MARK_ADD: Final = 0x01
_MARK_REMOVE: Final = 0x02

_METADATA: Final = struct.Struct("=IBBHQii")
_INFO: Final = struct.Struct("=BBH")
_HANDLE: Final = struct.Struct("=8sIi")
_RESPONSE: Final = struct.Struct("=iI")
_METADATA_VERSION: Final = 3


class Info(NamedTuple):
    """A directory, as file system and file handle name it, and a name in it."""

    kind: int
    directory: bytes
    name: bytes


class Event(NamedTuple):
    """Something that happened."""

    mask: int
    fd: int
    """With permission events: the file, to be closed by whoever answers; else negative."""
    pid: int
    """Of the process that did it; 0 if that is not told."""
    infos: list[Info]


def init(flags: int) -> int:
    """A new group; its events' descriptors are for reading. Raises OSError."""
    fd: int = _fanotify_init(flags | FAN_CLOEXEC, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if fd < 0:
        raise os_error(ctypes.get_errno())
    return fd


def add_mark(group: int, mask: int, path: bytes) -> None:
    """Tell the group what happens to a file or directory. Raises OSError."""
    _mark(group, _MARK_ADD, mask, path)


def remove_mark(group: int, mask: int, path: bytes) -> None:
    """Tell it no more. Raises OSError (ENOENT if it was not told)."""
    _mark(group, _MARK_REMOVE, mask, path)


def _mark(group: int, flags: int, mask: int, path: bytes) -> None:
    if _fanotify_mark(group, flags, ctypes.c_uint64(mask), -1, path) < 0:
        raise os_error(ctypes.get_errno())


def answer(group: int, fd: int, *, allow: bool, number: int = 0) -> None:
    """Let whoever waits for a permission event go on, or fail with error `number` (0: EPERM). Raises OSError."""
    response = FAN_ALLOW if allow else FAN_DENY | (number & 0xFF) << 24
    os.write(group, _RESPONSE.pack(fd, response))


def events(data: bytes) -> Iterator[Event]:
    """What was read from a group."""
    offset = 0
    while offset + _METADATA.size <= len(data):
        length, version, _, header, mask, fd, pid = _METADATA.unpack_from(data, offset)
        if version != _METADATA_VERSION or length < header:
            return
        yield Event(mask, fd, pid, list(_infos(data, offset + header, offset + length)))
        offset += length


def _infos(data: bytes, offset: int, end: int) -> Iterator[Info]:
    while offset + _INFO.size <= end:
        kind, _, length = _INFO.unpack_from(data, offset)
        if length < _INFO.size:
            return
        if length >= _INFO.size + _HANDLE.size:
            fsid, size, handle_kind = _HANDLE.unpack_from(data, offset + _INFO.size)
            start = offset + _INFO.size + _HANDLE.size
            handle = data[start : start + size]
            name = data[start + size : offset + length].rstrip(b"\0")
            yield Info(kind, file_key(fsid, handle_kind, handle), name)
        offset += length


def file_key(fsid: bytes, handle_kind: int, handle: bytes) -> bytes:
    """What names a file in events, from the id of its file system and its handle."""
    return fsid + struct.pack("=i", handle_kind) + handle
