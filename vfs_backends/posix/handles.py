"""An open file or directory of the local machine: one descriptor, O_PATH until `open_io`."""

import errno
import os
import stat as stat_module
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from vfs_backends.api import (
    Caller,
    DirectoryStream,
    Handle,
    IoAccess,
    Stat,
    StatChange,
    StreamEntry,
)
from vfs_backends.errors import Kind, VfsError
from vfs_backends.extent import Extent
from vfs_backends.inline import committed, may_suspend
from vfs_backends.posix import special
from vfs_backends.posix.annotated_handles import AnnotatedHandle
from vfs_backends.posix.attributes import XATTR, DosAttributes
from vfs_backends.posix.changed import set_changed
from vfs_backends.posix.descriptors import (
    IO_FLAGS,
    allocate,
    flush,
    keep_access_time,
    read_all,
    reopen,
    write_all,
)
from vfs_backends.posix.directory import PosixDirectoryStream, open_scan
from vfs_backends.posix.extents import PosixExtent, can_send, is_cached
from vfs_backends.posix.failures import os_error, vfs_error
from vfs_backends.posix.lease_wait import once_given_up
from vfs_backends.posix.names import name_from_bytes
from vfs_backends.posix.stats import fields_of, stat_of
from vfs_backends.posix.syscalls import AT_FDCWD, proc_path, statx, utimensat

if TYPE_CHECKING:
    from vfs_backends.posix.stream_handles import StreamTable

__all__ = ["INLINE_READ", "INLINE_WRITE", "PosixHandle"]

T = TypeVar("T")

_NOWAIT: Final = os.RWF_NOWAIT
INLINE_READ: Final = 2 << 20
INLINE_WRITE: Final = 1 << 20
"""More bytes than these are copied in a thread: it takes longer than to get there."""
INLINE_SHRINK: Final = 64 << 20
"""Giving back more bytes than these may keep a file system busy for long."""


class PosixHandle(AnnotatedHandle):
    """What opens, reads, writes and changes it, and its named streams."""

    def allow(self, access: IoAccess, caller: Caller) -> None:
        """Take note of how `caller` may open it, as the kernel has said in this very inline pass: to open it next,
        nobody need act as them once more."""
        self._allowed = access
        self._allowed_to = caller

    def _acting(self, access: IoAccess, caller: Caller | None) -> Caller | None:
        """With whose rights to open it; None if with those that the process has."""
        to, self._allowed_to = self._allowed_to, None
        if caller is None or not self.volume.tree.acts_as_callers:
            return None
        if to is None or access is not self._allowed or may_suspend():
            return caller
        return None if to.uid == caller.uid and to.gid == caller.gid and to.groups == caller.groups else caller

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        if self.is_directory:
            if IoAccess.WRITE in access:
                raise VfsError(Kind.IS_A_DIRECTORY, self.path)
        elif not stat_module.S_ISREG(self.mode):
            # Opening a FIFO or a device does things, and reading one may never end.
            raise VfsError(Kind.NOT_SUPPORTED, f"{self.path} is neither a file nor a directory")
        threads, tree = self.volume.threads, self.volume.tree
        old, flags, acting = self.fd, IO_FLAGS[access], self._acting(access, caller)
        try:
            if threads.always:
                fd = await self.in_thread(reopen, old, flags, tree.proc, acting)
            else:
                fd = reopen(old, flags, tree.proc, acting)
        except BlockingIOError as error:
            opening = once_given_up(error, lambda: reopen(old, flags, tree.proc, acting), self.path)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        else:
            self._exchange(fd, access)
            return
        self._exchange(await opening, access)

    def _exchange(self, fd: int, access: IoAccess) -> None:
        """Go on with another descriptor."""
        old, self.fd = self.fd, fd
        self._access = access
        self._retire(old)

    async def stat(self) -> Stat:
        self._listed = None
        volume = self.volume
        if volume.threads.always:
            return await self.ask(self._stat)
        try:
            return volume.stat(self.fd, node_id=self.node_id, is_io=self._access is not None)
        except OSError as error:
            raise vfs_error(error, self.path) from error

    async def stat_found(self, *, attributes: bool = True) -> Stat:
        stat = self.stat_at_hand(attributes=attributes)
        if stat is not None:
            return stat
        return await self.stat() if attributes else stat_of(self.node_id, await self.ask(fields_of, self.fd), None)

    def stat_at_hand(self, *, attributes: bool = True) -> Stat | None:
        if self.volume.threads.always:
            return None
        fields, self._told, self._listed = self._told, None, None
        is_new, self._is_new = self._is_new, False
        try:
            if fields is None:
                if attributes and not is_new:
                    return self._stat()
                fields = fields_of(self.fd)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        if is_new or not attributes:
            return stat_of(self.node_id, fields, self._attributes if is_new else None)
        is_io = self._access is not None
        stat, self._listed = self.volume.stat_and_list(fields, self.fd, node_id=self.node_id, is_io=is_io)
        return stat

    def _stat(self) -> Stat:
        return self.volume.stat(self.fd, node_id=self.node_id, is_io=self._access is not None)

    def read_at_hand(self, offset: int, buffer: memoryview) -> int:
        size = len(buffer)
        if size > INLINE_READ or not self.volume.reads_nowait:
            return -1
        try:
            done = os.preadv(self.fd, [buffer], offset, _NOWAIT)
            while done < size:
                got = os.preadv(self.fd, [buffer[done:]], offset + done, _NOWAIT)
                if got == 0:
                    break
                done += got
        except BlockingIOError:
            return -1
        except (OSError, OverflowError) as error:
            self._check_nowait(error)
            return -1
        return done

    async def read_into(self, offset: int, buffer: memoryview) -> int:
        done = self.read_at_hand(offset, buffer)
        return done if done >= 0 else await self._read_elsewhere(offset, buffer)

    def extent(self, offset: int, size: int) -> Extent | None:
        volume = self.volume
        if self._access is None or not volume.reads_nowait or volume.sends is False:
            return None
        if not is_cached(self.fd, offset, size):
            return None
        if volume.sends is None:
            volume.sends = can_send(self.fd, offset)
        return PosixExtent(self, offset, size) if volume.sends else None

    def _check_nowait(self, error: OSError | OverflowError) -> None:
        if isinstance(error, OverflowError):
            raise VfsError(Kind.TOO_LARGE, self.path) from error
        if error.errno != errno.EOPNOTSUPP:
            raise vfs_error(error, self.path) from error
        self.volume.reads_nowait = False

    async def _read_elsewhere(self, offset: int, buffer: memoryview) -> int:
        """Read what is not in memory, or cannot be told to be."""
        volume = self.volume
        pace = volume.reads
        try:
            if (
                volume.reads_nowait
                or volume.threads.always
                or pace.is_slow
                or (len(buffer) > INLINE_READ and not committed())
            ):
                return await self.in_thread(read_all, self.fd, offset, buffer)
            start = pace.begin()
            done = read_all(self.fd, offset, buffer)
            pace.took(start)
            return done
        except OSError as error:
            raise vfs_error(error, self.path) from error
        except OverflowError as error:
            raise VfsError(Kind.TOO_LARGE, self.path) from error

    async def write(self, offset: int, data: memoryview) -> None:
        volume = self.volume
        pace = volume.writes
        try:
            if len(data) > INLINE_WRITE or pace.is_slow or volume.threads.always:
                await self.in_thread(write_all, self.fd, offset, data)
                return
            start = pace.begin()
            write_all(self.fd, offset, data)
            pace.took(start)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        except OverflowError as error:
            raise VfsError(Kind.TOO_LARGE, self.path) from error

    async def flush(self) -> None:
        try:
            await self.in_thread(flush, self.fd, None if self._access is not None else self.volume.tree.proc)
        except OSError as error:
            raise vfs_error(error, self.path) from error

    async def set_size(self, size: int) -> None:
        call: Callable[..., None] = os.truncate
        target = self._target
        if self._access is not None and IoAccess.WRITE not in self._access:
            target = proc_path(self.fd)
        if not self.volume.threads.always and not committed():
            fields = statx(self.fd)
            if not isinstance(fields, int) and fields[6] - size > INLINE_SHRINK:
                try:
                    return await self.in_thread(call, target, size)
                except OSError as error:
                    raise vfs_error(error, self.path) from error
        await self.change(call, target, size)

    def keep_access_time(self, keep: bool) -> None:
        if self._access is not None:
            keep_access_time(self.fd, keep=keep)

    async def allocate(self, size: int) -> None:
        if not self.volume.kind.preallocates:
            raise VfsError(Kind.NOT_SUPPORTED, "preallocation")
        if self.is_directory:
            raise VfsError(Kind.IS_A_DIRECTORY, self.path)
        if size > 0:
            writable = self._access is not None and IoAccess.WRITE in self._access
            await self.change(allocate, self.fd, size, None if writable else self.volume.tree.proc)

    async def set_stat(self, change: StatChange) -> None:
        await self.change(self._set_stat, change)

    def _set_stat(self, change: StatChange) -> None:
        # In this order: a change of owner resets mode bits, and an attribute must be writable under the new owner.
        target = self._target
        if change.uid is not None or change.gid is not None:
            os.chown(target, -1 if change.uid is None else change.uid, -1 if change.gid is None else change.gid)
        if change.mode is not None:
            os.chmod(target, stat_module.S_IMODE(change.mode))
        if change.atime_ns is not None or change.mtime_ns is not None:
            result = utimensat(AT_FDCWD, proc_path(self.fd), change.atime_ns, change.mtime_ns)
            if result < 0:
                raise os_error(-result)
        # Last, because whatever is changed after it ends a time of change that was set.
        if change.dos_attributes is not None or change.birthtime_ns is not None or change.ctime_ns is not None:
            self._set_dos_attributes(target, change)

    def _set_dos_attributes(self, target: int | bytes, change: StatChange) -> None:
        if not self.volume.tree.has_xattrs:
            raise VfsError(Kind.NOT_SUPPORTED, "DOS attributes")
        if self._is_new:
            stored = self._attributes
        else:
            value = self._read_xattr(XATTR)
            stored = None if value is None else DosAttributes.parse(value)
        attributes, birthtime = (None, None) if stored is None else (stored.attributes, stored.birthtime_ns)
        new = DosAttributes(
            attributes if change.dos_attributes is None else change.dos_attributes,
            birthtime if change.birthtime_ns is None else change.birthtime_ns,
        )
        if change.ctime_ns is not None:
            self._is_new, self._attributes = False, None
            set_changed(self.fd, target, new, change.ctime_ns)
        elif new != stored:
            os.setxattr(target, XATTR, new.to_bytes())
            if self._is_new:
                self._attributes = new

    async def open_directory(self) -> DirectoryStream:
        if not self.is_directory:
            raise VfsError(Kind.NOT_A_DIRECTORY, self.path)
        iterator = await self.ask(open_scan, self.fd)
        return PosixDirectoryStream(self, self.volume, iterator)

    def _check_streams(self) -> "StreamTable":
        table = self.volume.tree.streams
        if table is None:
            raise VfsError(Kind.NOT_SUPPORTED, "named streams")
        return table

    async def open_stream(self, name: str, access: IoAccess) -> Handle:
        return await self._check_streams().open(self, name, access)

    async def create_stream(self, name: str, access: IoAccess) -> Handle:
        return await self._check_streams().create(self, name, access)

    async def list_streams(self) -> list[StreamEntry]:
        return await self._check_streams().list(self)

    async def remove_stream(self, name: str) -> None:
        await self._check_streams().remove(self, name)

    async def rename_stream(self, name: str, new_name: str, *, replace: bool) -> None:
        await self._check_streams().rename(self, name, new_name, replace=replace)

    async def read_link(self) -> str:
        if not stat_module.S_ISLNK(self.mode):
            raise VfsError(Kind.INVALID, f"{self.path} is no symbolic link")
        return name_from_bytes(await self.ask(special.read_link, self.fd))
