"""Open named streams: what all handles on one of them share, and the handles."""

import contextlib
import os
import stat as stat_module
import threading
import time
from collections.abc import Iterator

from vfs_backends.api import Caller, DirectoryStream, Handle, IoAccess, NodeId, Stat, StreamEntry
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import streams
from vfs_backends.posix.descriptors import read_all, write_all
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.handles import INLINE_READ, INLINE_WRITE, PosixHandle
from vfs_backends.posix.sidestore import SideStore
from vfs_backends.posix.streams import Place
from vfs_backends.posix.syscalls import AT_FDCWD, fallocate_keep_size, proc_path, utimensat
from vfs_backends.posix.volume import Tree

__all__ = ["PosixStreamHandle", "StreamTable"]


class Body:
    """One stream that is open: where it is kept, which a write or a renaming may change.

    Its methods may be called in any thread; each takes the path of a descriptor of the file.
    """

    def __init__(self, node_id: NodeId, side: SideStore, place: Place, fd: int) -> None:
        self.node_id = node_id
        self.place = place
        self.fd = fd
        """Of its file in the side store; -1 if it has none, or that has not come along with the attribute."""
        self.users = 0
        self.is_removed = False
        self._side = side
        self._lock = threading.Lock()

    def check(self) -> None:
        if self.is_removed:
            raise VfsError(Kind.STALE, self.place.name)

    @property
    def _is_here(self) -> bool:
        """Whether it is in its attribute."""
        return not self.place.is_aside

    def read_into(self, target: bytes, offset: int, buffer: memoryview) -> int:
        with self._lock:
            self.check()
            if self.place.is_aside and self.fd < 0:
                raise VfsError(Kind.IO, f"what was in {self.place.name} is not here")
            contents = streams.load(target, self.place.key) if self.fd < 0 else None
        if contents is None:
            return read_all(self.fd, offset, buffer)
        part = contents[offset : offset + len(buffer)]
        buffer[: len(part)] = part
        return len(part)

    def write(self, target: bytes, offset: int, data: memoryview) -> None:
        end = offset + len(data)
        with self._lock:
            self.check()
            is_done = self._is_here and end < streams.LARGEST and self._write_here(target, offset, end, data)
            if self.fd < 0 and not is_done:
                self._move_aside(target)
        if not is_done:
            write_all(self.fd, offset, data)
        self._touch(target)

    def _write_here(self, target: bytes, offset: int, end: int, data: memoryview) -> bool:
        """False if it does not fit into the attribute."""
        contents = streams.load(target, self.place.key).ljust(offset, b"\0")
        return streams.store(target, self.place.key, contents[:offset] + data + contents[end:])

    def set_size(self, target: bytes, size: int) -> None:
        with self._lock:
            self.check()
            is_done = self._is_here and size < streams.LARGEST and self._resize_here(target, size)
            if self.fd < 0 and not is_done:
                self._move_aside(target)
        if not is_done:
            os.ftruncate(self.fd, size)
        self._touch(target)

    def _resize_here(self, target: bytes, size: int) -> bool:
        contents = streams.load(target, self.place.key)[:size]
        return streams.store(target, self.place.key, contents.ljust(size, b"\0"))

    def allocate(self, target: bytes, size: int) -> None:
        with self._lock:
            self.check()
            if self.fd < 0 and size >= streams.LARGEST:  # in an attribute nothing can be reserved
                self._move_aside(target)
        result = fallocate_keep_size(self.fd, size) if self.fd >= 0 else 0
        if result < 0:
            raise os_error(-result)

    def size(self, target: bytes) -> tuple[int, int]:
        """Size and allocated bytes."""
        with self._lock:
            if self.is_removed:
                return 0, 0
            if self.fd >= 0:
                status = os.fstat(self.fd)
                return status.st_size, status.st_blocks * 512
            if self.place.is_aside:
                return 0, 0
            size = len(streams.load(target, self.place.key))
        return size, size

    def flush(self, target: bytes) -> None:
        try:
            fd = os.open(target, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except BlockingIOError:  # somebody has a kernel lease on the file
            self._side.flush_all()
        else:
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        if self.fd >= 0:
            os.fsync(self.fd)

    def rename(self, target: bytes, new_name: str) -> None:
        with self._lock:
            self.place = streams.rename(target, self.place, new_name)

    def _move_aside(self, target: bytes) -> None:
        if self.place.is_aside:
            self.fd = self._side.open(self.node_id, streams.token_at(target, self.place.key), create=True)
            return
        self.place, self.fd = streams.move_aside(target, self.place, self.node_id, self._side)

    def _touch(self, target: bytes) -> None:
        # Streams have no times of their own: a file was written to when any of them was. Whoever may write to a file
        # need not be allowed to set its times to anything but now, which is no reason to fail.
        utimensat(AT_FDCWD, target, None, time.time_ns())


class StreamTable:
    """The streams of a tree that are open."""

    def __init__(self, tree: Tree) -> None:
        self.side = SideStore(tree.root)
        self._fold = tree.fold
        self._bodies: dict[tuple[NodeId, str], Body] = {}

    def close(self) -> None:
        self.side.close()

    async def open(self, handle: PosixHandle, name: str, access: IoAccess) -> Handle:
        """See `Handle.open_stream`."""
        with self._borrowed(handle) as target:
            place, side, file = await handle.ask(self._open, handle, target, name)
        return self._handle(handle, place, side, file, access)

    def _open(self, handle: PosixHandle, target: bytes, name: str) -> tuple[Place, int, int]:
        place = streams.find(target, name, self._fold)
        if place is None:
            raise VfsError(Kind.NOT_FOUND, f"{handle.path}:{name}")
        side = self._open_aside(handle.node_id, target, place) if place.is_aside else -1
        return place, side, _open_path(target, side)

    def _open_aside(self, node_id: NodeId, target: bytes, place: Place) -> int:
        try:
            return self.side.open(node_id, streams.token_at(target, place.key))
        except FileNotFoundError:
            # The attribute has come here from another file, and what it leads to has not. It must still be possible
            # to remove or to overwrite the stream.
            return -1

    async def create(self, handle: PosixHandle, name: str, access: IoAccess) -> Handle:
        """See `Handle.create_stream`."""
        with self._borrowed(handle) as target:
            place, file = await handle.change(self._create, target, name)
        return self._handle(handle, place, -1, file, access)

    def _create(self, target: bytes, name: str) -> tuple[Place, int]:
        file = _open_path(target, -1)
        try:
            return streams.create(target, name, self._fold), file
        except BaseException:  # whatever it is: nobody else has the descriptor
            os.close(file)
            raise

    def _handle(self, handle: PosixHandle, place: Place, side: int, file: int, access: IoAccess) -> Handle:
        key = (handle.node_id, self._fold(place.name))
        body = self._bodies.get(key)
        if body is None:
            body = self._bodies[key] = Body(handle.node_id, self.side, place, side)
        elif side >= 0:
            os.close(side)
        return PosixStreamHandle(handle, file, self, body, access)

    def leave(self, body: Body) -> None:
        """A handle on the stream is closed."""
        body.users -= 1
        if body.users:
            return
        key = (body.node_id, self._fold(body.place.name))
        if self._bodies.get(key) is body:
            del self._bodies[key]
        if body.fd >= 0:
            os.close(body.fd)
            body.fd = -1

    async def list(self, handle: PosixHandle) -> list[StreamEntry]:
        """See `Handle.list_streams`."""
        with self._borrowed(handle) as target:
            return await handle.ask(streams.list_streams, target, handle.node_id, self.side)

    async def remove(self, handle: PosixHandle, name: str) -> None:
        """See `Handle.remove_stream`."""
        with self._borrowed(handle) as target:
            place = await handle.change(self._remove, handle, target, name)
        body = self._bodies.pop((handle.node_id, self._fold(place.name)), None)
        if body is not None:
            body.is_removed = True

    def _remove(self, handle: PosixHandle, target: bytes, name: str) -> Place:
        place = self._found(handle, target, name)
        streams.remove(target, place, handle.node_id, self.side)
        return place

    async def rename(self, handle: PosixHandle, name: str, new_name: str, *, replace: bool) -> None:
        """See `Handle.rename_stream`."""
        old, new = (handle.node_id, self._fold(name)), (handle.node_id, self._fold(new_name))
        body = self._bodies.get(old)
        with self._borrowed(handle) as target:
            await handle.change(self._rename, handle, target, name, new_name, replace, body)
        if new != old:
            replaced = self._bodies.pop(new, None)
            if replaced is not None:
                replaced.is_removed = True
            if body is not None:
                self._bodies[new] = self._bodies.pop(old)

    def _rename(
        self, handle: PosixHandle, target: bytes, name: str, new_name: str, replace: bool, body: Body | None
    ) -> None:
        place = self._found(handle, target, name)
        streams.key_of(new_name)
        other = streams.find(target, new_name, self._fold)
        if other is not None and other.key != place.key:
            if not replace:
                raise VfsError(Kind.EXISTS, f"{handle.path}:{new_name}")
            streams.remove(target, other, handle.node_id, self.side)
        if body is None:
            streams.rename(target, place, new_name)
        else:
            body.rename(target, new_name)

    def _found(self, handle: PosixHandle, target: bytes, name: str) -> Place:
        place = streams.find(target, name, self._fold)
        if place is None:
            raise VfsError(Kind.NOT_FOUND, f"{handle.path}:{name}")
        return place

    @contextlib.contextmanager
    def _borrowed(self, handle: PosixHandle) -> Iterator[bytes]:
        handle.pin()
        try:
            yield proc_path(handle.fd)
        finally:
            handle.unpin()


def _open_path(target: bytes, side: int) -> int:
    """A new O_PATH descriptor; if there can be none, `side` is closed."""
    try:
        return os.open(target, os.O_PATH | os.O_CLOEXEC)
    except BaseException:  # whatever it is: nobody else has the descriptor
        if side >= 0:
            os.close(side)
        raise


class PosixStreamHandle(PosixHandle):
    """A handle on a stream: its descriptor is an O_PATH one of the file."""

    def __init__(self, handle: PosixHandle, fd: int, table: StreamTable, body: Body, access: IoAccess) -> None:
        mode = stat_module.S_IFREG | stat_module.S_IMODE(handle.mode)
        super().__init__(handle.volume, fd, handle.node_id, mode, handle.path)
        self._table = table
        self._body = body
        self._stream_access = access
        self._has_left = False
        body.users += 1

    @property
    def stream(self) -> str:
        return self._body.place.name

    def _check_io(self, access: IoAccess) -> bytes:
        if access not in self._stream_access or self.fd < 0:
            raise VfsError(Kind.INVALID, f"{self.path}:{self.stream} is not open for {access.name}")
        return proc_path(self.fd)

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        self._stream_access = access

    async def stat(self) -> Stat:
        return await self.ask(self._stat)

    def _stat(self) -> Stat:
        stat = super()._stat()
        stat.mode = stat_module.S_IFREG | stat_module.S_IMODE(stat.mode)
        stat.size, stat.allocated = self._body.size(proc_path(self.fd))
        return stat

    def read_at_hand(self, offset: int, buffer: memoryview) -> int:
        return -1

    async def read_into(self, offset: int, buffer: memoryview) -> int:
        target = self._check_io(IoAccess.READ)
        if len(buffer) > INLINE_READ:
            return await self.ask_in_thread(self._body.read_into, target, offset, buffer)
        return await self.ask(self._body.read_into, target, offset, buffer)

    async def write(self, offset: int, data: memoryview) -> None:
        target = self._check_io(IoAccess.WRITE)
        if len(data) > INLINE_WRITE:
            await self.ask_in_thread(self._body.write, target, offset, data)
        else:
            await self.change(self._body.write, target, offset, data)

    async def flush(self) -> None:
        await self.ask_in_thread(self._body.flush, proc_path(self.fd))

    async def set_size(self, size: int) -> None:
        await self.change(self._body.set_size, proc_path(self.fd), size)

    async def allocate(self, size: int) -> None:
        if self.volume.kind.preallocates and size > 0:
            await self.change(self._body.allocate, proc_path(self.fd), size)

    async def open_directory(self) -> DirectoryStream:
        raise VfsError(Kind.NOT_A_DIRECTORY, f"{self.path}:{self.stream}")

    def unpin(self) -> None:
        super().unpin()
        self._leave_if_done()

    def _release(self) -> int:
        fd = super()._release()
        self._leave_if_done()
        return fd

    def _leave_if_done(self) -> None:
        """Give up the stream when the handle is closed and no thread is at work on it."""
        if self.fd < 0 and not self.is_pinned and not self._has_left:
            self._has_left = True
            self._table.leave(self._body)
