"""What others do in directories, by fanotify(7); it tells who did it, so that own changes are told apart for certain.

Single directories are marked, never mounts or file systems: what happens elsewhere costs nothing. The process needs no
privilege for that (Linux 5.13; CAP_SYS_ADMIN before).
"""

import contextlib
import errno
import os
import struct

import trio

from vfs_backends.api import ChangeWatcher, Handle, OutsideChange, OutsideKind
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import fanotify
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.syscalls import name_to_handle, proc_path

__all__ = ["PosixChangeWatcher", "check_watching"]

_COMMON = (
    fanotify.FAN_CREATE
    | fanotify.FAN_DELETE
    | fanotify.FAN_MODIFY
    | fanotify.FAN_ATTRIB
    | fanotify.FAN_ONDIR
    | fanotify.FAN_EVENT_ON_CHILD
)
_WITH_RENAME = _COMMON | fanotify.FAN_RENAME
_WITHOUT_RENAME = _COMMON | fanotify.FAN_MOVED_FROM | fanotify.FAN_MOVED_TO
"""For Linux before 5.17: a renamed file is one that goes and one that comes."""
_ADDED = fanotify.FAN_CREATE | fanotify.FAN_MOVED_TO
_REMOVED = fanotify.FAN_DELETE | fanotify.FAN_MOVED_FROM
_SELF = b"."
_BUFFER = 65536


def check_watching(directory: int) -> None:
    """Raise NOT_SUPPORTED, with the reason, if changes in the directory cannot be told."""
    try:
        group = fanotify.init(fanotify.FAN_NONBLOCK | fanotify.FAN_REPORT_DFID_NAME)
    except OSError as error:
        raise VfsError(Kind.NOT_SUPPORTED, f"fanotify(7): {error.strerror}") from error
    try:
        _mark(group, directory)
    except OSError as error:
        raise VfsError(Kind.NOT_SUPPORTED, f"fanotify(7) on this file system: {error.strerror}") from error
    finally:
        os.close(group)


def _mark(group: int, directory: int) -> None:
    path = proc_path(directory)
    try:
        fanotify.add_mark(group, _WITH_RENAME, path)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        fanotify.add_mark(group, _WITHOUT_RENAME, path)


def _key(directory: int) -> bytes | None:
    handle = name_to_handle(directory)
    if handle is None:
        return None
    fsid = struct.pack("=Q", os.fstatvfs(directory).f_fsid & 0xFFFFFFFFFFFFFFFF)
    return fanotify.file_key(fsid, *handle)


class PosixChangeWatcher(ChangeWatcher):
    """A group of fanotify."""

    def __init__(self) -> None:
        """Raises `VfsError` if there cannot be one."""
        try:
            self._group = fanotify.init(fanotify.FAN_NONBLOCK | fanotify.FAN_REPORT_DFID_NAME)
        except OSError as error:
            raise vfs_error(error, "fanotify(7)") from error
        self._pid = os.getpid()
        self._watches: dict[bytes, int] = {}
        self._marked: dict[int, tuple[bytes, int]] = {}
        """By watch: the directory's key, and a descriptor of it, without which the mark could not be taken back."""
        self._last = 0

    def add(self, directory: Handle) -> int:
        if not isinstance(directory, PosixHandle):
            raise VfsError(Kind.INVALID, "a handle of another file system")
        key = _key(directory.fd)
        if key is None:
            raise VfsError(Kind.NOT_SUPPORTED, "the file system has no file handles")
        known = self._watches.get(key)
        if known is not None:
            return known
        try:
            descriptor = os.dup(directory.fd)
            try:
                _mark(self._group, descriptor)
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            raise vfs_error(error, directory.path) from error
        self._last += 1
        self._watches[key] = self._last
        self._marked[self._last] = key, descriptor
        return self._last

    def remove(self, watch: int) -> None:
        key, descriptor = self._marked.pop(watch)
        del self._watches[key]
        for mask in (_WITH_RENAME, _WITHOUT_RENAME):
            with contextlib.suppress(OSError):  # one of the two is not what it was marked with
                fanotify.remove_mark(self._group, mask, proc_path(descriptor))
        os.close(descriptor)

    async def changes(self) -> list[OutsideChange]:
        found: list[OutsideChange] = []
        while not found:
            await trio.lowlevel.wait_readable(self._group)
            try:
                data = os.read(self._group, _BUFFER)
            except BlockingIOError:
                continue
            except OSError as error:
                raise vfs_error(error, "fanotify(7)") from error
            for event in fanotify.events(data):
                found += self._told(event)
        return found

    def _told(self, event: fanotify.Event) -> list[OutsideChange]:
        if event.mask & fanotify.FAN_Q_OVERFLOW:
            return [OutsideChange(OutsideKind.OVERFLOW)]
        is_directory, is_own = bool(event.mask & fanotify.FAN_ONDIR), event.pid == self._pid
        places = {info.kind: (self._watches.get(info.directory, -1), info.name) for info in event.infos}
        found = []
        if event.mask & fanotify.FAN_RENAME:
            found += _renamed(places, is_directory, is_own)
        watch, name = places.get(fanotify.INFO_DFID_NAME, (-1, _SELF))
        if watch >= 0 and name not in (_SELF, b""):
            text = name_from_bytes(name)
            found += [OutsideChange(kind, watch, text, is_directory, is_own) for kind in _kinds(event.mask)]
        return found

    def close(self) -> None:
        for _, descriptor in self._marked.values():
            os.close(descriptor)
        self._marked.clear()
        self._watches.clear()
        os.close(self._group)


def _kinds(mask: int) -> list[OutsideKind]:
    """What an event says; the kernel makes one of several that happen to the same name before they are fetched."""
    kinds = []
    if mask & _ADDED and mask & _REMOVED:
        kinds.append(OutsideKind.ADDED_AND_REMOVED)
    elif mask & _ADDED:
        kinds.append(OutsideKind.ADDED)
    if mask & fanotify.FAN_MODIFY:
        kinds.append(OutsideKind.CONTENTS)
    if mask & fanotify.FAN_ATTRIB:
        kinds.append(OutsideKind.ATTRIBUTES)
    if mask & _REMOVED and not mask & _ADDED:
        kinds.append(OutsideKind.REMOVED)
    return kinds


def _renamed(places: dict[int, tuple[int, bytes]], is_directory: bool, is_own: bool) -> list[OutsideChange]:
    """The kernel tells the directories that are marked; one that was marked before its watch ended is none of them."""
    old_watch, old = places.get(fanotify.INFO_OLD_DFID_NAME, (-1, b""))
    new_watch, new = places.get(fanotify.INFO_NEW_DFID_NAME, (-1, b""))
    old_name, new_name = name_from_bytes(old), name_from_bytes(new)
    if old_watch >= 0 and new_watch >= 0:
        return [OutsideChange(OutsideKind.MOVED, old_watch, old_name, is_directory, is_own, new_watch, new_name)]
    if old_watch >= 0:
        return [OutsideChange(OutsideKind.REMOVED, old_watch, old_name, is_directory, is_own)]
    if new_watch >= 0:
        return [OutsideChange(OutsideKind.ADDED, new_watch, new_name, is_directory, is_own)]
    return []
