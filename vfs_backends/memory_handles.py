"""Handles of the in-memory file system: on files, on directories, and on named streams."""

import stat as stat_module
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vfs_backends.api import (
    Caller,
    DirectoryEntry,
    DirectoryStream,
    Fold,
    Handle,
    IoAccess,
    NodeId,
    Stat,
    StatChange,
    StreamEntry,
)
from vfs_backends.errors import Kind, VfsError
from vfs_backends.memory_nodes import CHUNK, Contents, Node, Stream, Usage, check_stream_name

__all__ = ["MemoryDirectoryStream", "MemoryHandle", "MemoryStreamHandle", "Realm"]


@dataclass(frozen=True, slots=True, eq=False)
class Realm:
    """What handles need of their file system."""

    device: int
    fold: Fold
    clock: Callable[[], int]
    """Nanoseconds since 1970."""
    usage: Usage
    forget: Callable[[Node], None]
    """Gives up what a node holds once it has neither name nor handle."""


class MemoryDirectoryStream(DirectoryStream):
    """The names as they were when the enumeration began; what is gone since is left out."""

    def __init__(self, node: Node, device: int) -> None:
        self._node = node
        self._device = device
        self._names = iter(list(node.children))

    async def read(
        self, limit: int, accept: Callable[[str], bool] | None = None, *, with_stat: bool = True
    ) -> list[DirectoryEntry]:
        found: list[DirectoryEntry] = []
        if limit <= 0:
            return found
        for name in self._names:
            child = self._node.children.get(name)
            if child is None or (accept is not None and not accept(name)):
                continue
            found.append(DirectoryEntry(name, child.stat(self._device) if with_stat else None))
            if len(found) == limit:
                break
        return found

    async def rewind(self) -> None:
        self._names = iter(list(self._node.children))

    def discard(self) -> None:
        self._names = iter([])


class MemoryHandle(Handle):
    """An open node."""

    def __init__(self, realm: Realm, node: Node, path: str, access: IoAccess | None = None) -> None:
        self._realm = realm
        self.node = node
        self.contents = node.contents
        self.node_id = NodeId(realm.device, node.inode, node.generation)
        self.mode = node.mode
        self.path = path
        self._access = access
        self._closed = False
        node.opens += 1

    def _check_io(self, access: IoAccess) -> None:
        if self._access is None or access not in self._access:
            raise VfsError(Kind.INVALID, f"{self.path}: not open for {access.name}")

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        if not self.is_directory and not stat_module.S_ISREG(self.mode):
            raise VfsError(Kind.NOT_SUPPORTED, f"{self.path} is neither a file nor a directory")
        if self.node.is_directory and IoAccess.WRITE in access:
            raise VfsError(Kind.IS_A_DIRECTORY, self.path)
        self._access = access

    async def stat(self) -> Stat:
        return self.node.stat(self.node_id.device)

    def read_at_hand(self, offset: int, buffer: memoryview) -> int:
        self._check_io(IoAccess.READ)
        return self.contents.read_into(offset, buffer)

    async def read_into(self, offset: int, buffer: memoryview) -> int:
        return self.read_at_hand(offset, buffer)

    async def write(self, offset: int, data: memoryview) -> None:
        self._check_io(IoAccess.WRITE)
        self.contents.write(offset, data)
        self.node.changed(self._realm.clock, contents=True)

    async def flush(self) -> None:
        pass

    async def set_size(self, size: int) -> None:
        self._check_regular()
        self.contents.resize(size)
        self.node.changed(self._realm.clock, contents=True)

    async def allocate(self, size: int) -> None:
        self._check_regular()
        self.contents.reserve(0, size)

    def _check_regular(self) -> None:
        if self.node.is_directory:
            raise VfsError(Kind.IS_A_DIRECTORY, self.path)

    async def set_stat(self, change: StatChange) -> None:
        node = self.node
        node.changed(self._realm.clock)
        if change.mode is not None:
            node.mode = stat_module.S_IFMT(node.mode) | stat_module.S_IMODE(change.mode)
        node.uid = node.uid if change.uid is None else change.uid
        node.gid = node.gid if change.gid is None else change.gid
        node.atime_ns = node.atime_ns if change.atime_ns is None else change.atime_ns
        node.mtime_ns = node.mtime_ns if change.mtime_ns is None else change.mtime_ns
        node.birthtime_ns = node.birthtime_ns if change.birthtime_ns is None else change.birthtime_ns
        node.dos_attributes = node.dos_attributes if change.dos_attributes is None else change.dos_attributes
        node.ctime_ns = node.ctime_ns if change.ctime_ns is None else change.ctime_ns

    async def open_directory(self) -> DirectoryStream:
        if not self.node.is_directory:
            raise VfsError(Kind.NOT_A_DIRECTORY, self.path)
        return MemoryDirectoryStream(self.node, self.node_id.device)

    def _xattr_name(self, name: str) -> str | None:
        if name in self.node.xattrs:
            return name
        fold = self._realm.fold
        wanted = fold(name)
        return next((stored for stored in self.node.xattrs if fold(stored) == wanted), None)

    async def list_xattrs(self) -> list[str]:
        return list(self.node.xattrs)

    async def get_xattr(self, name: str) -> bytes:
        stored = self._xattr_name(name)
        if stored is None:
            raise VfsError(Kind.NO_ATTRIBUTE, name)
        return self.node.xattrs[stored]

    async def set_xattr(self, name: str, value: bytes) -> None:
        if not name or "\0" in name:
            raise VfsError(Kind.NAME_INVALID, repr(name))
        if len(value) > CHUNK:
            raise VfsError(Kind.TOO_LARGE, f"{name}: {len(value)} bytes")
        self.node.xattrs[self._xattr_name(name) or name] = bytes(value)
        self.node.changed(self._realm.clock)

    async def remove_xattr(self, name: str) -> None:
        stored = self._xattr_name(name)
        if stored is None:
            raise VfsError(Kind.NO_ATTRIBUTE, name)
        del self.node.xattrs[stored]
        self.node.changed(self._realm.clock)

    async def get_needed_xattrs(self) -> list[str]:
        return list(self.node.needed_xattrs)

    async def set_needed_xattrs(self, names: Sequence[str]) -> None:
        self.node.needed_xattrs = tuple(names)
        self.node.changed(self._realm.clock)

    async def read_link(self) -> str:
        if not stat_module.S_ISLNK(self.mode):
            raise VfsError(Kind.INVALID, f"{self.path} is no symbolic link")
        target = bytearray(self.contents.size)
        self.contents.read_into(0, memoryview(target))
        return target.decode(errors="surrogatepass")

    async def get_security(self) -> bytes | None:
        return self.node.security

    async def set_security(self, blob: bytes | None) -> None:
        self.node.security = None if blob is None else bytes(blob)
        self.node.changed(self._realm.clock)

    def _find_stream(self, name: str) -> Stream:
        found = self.node.streams.get(self._realm.fold(name))
        if found is None:
            raise VfsError(Kind.NOT_FOUND, f"{self.path}:{name}")
        return found

    async def open_stream(self, name: str, access: IoAccess) -> Handle:
        return MemoryStreamHandle(self._realm, self.node, self.path, access, self._find_stream(name))

    async def create_stream(self, name: str, access: IoAccess) -> Handle:
        check_stream_name(name)
        key = self._realm.fold(name)
        if key in self.node.streams:
            raise VfsError(Kind.EXISTS, f"{self.path}:{name}")
        made = self.node.streams[key] = Stream(name, Contents(self._realm.usage))
        self.node.changed(self._realm.clock)
        return MemoryStreamHandle(self._realm, self.node, self.path, access, made)

    async def list_streams(self) -> list[StreamEntry]:
        return [StreamEntry(one.name, one.contents.size, one.contents.allocated) for one in self.node.streams.values()]

    async def remove_stream(self, name: str) -> None:
        self._find_stream(name).remove()
        del self.node.streams[self._realm.fold(name)]
        self.node.changed(self._realm.clock)

    async def rename_stream(self, name: str, new_name: str, *, replace: bool) -> None:
        check_stream_name(new_name)
        stream = self._find_stream(name)
        key = self._realm.fold(new_name)
        other = self.node.streams.get(key)
        if other is not None and other is not stream:
            if not replace:
                raise VfsError(Kind.EXISTS, f"{self.path}:{new_name}")
            other.remove()
        del self.node.streams[self._realm.fold(name)]
        self.node.streams[key] = stream
        stream.name = new_name
        self.node.changed(self._realm.clock)

    def discard(self) -> None:
        if not self._closed:
            self._closed = True
            self.node.opens -= 1
            self._realm.forget(self.node)


class MemoryStreamHandle(MemoryHandle):
    """An open stream of a node."""

    def __init__(self, realm: Realm, node: Node, path: str, access: IoAccess, stream: Stream) -> None:
        super().__init__(realm, node, path, access)
        self._stream = stream
        self.contents = stream.contents
        self.mode = stat_module.S_IFREG | stat_module.S_IMODE(node.mode)

    @property
    def stream(self) -> str:
        return self._stream.name

    def _check_there(self) -> None:
        if self._stream.is_removed:
            raise VfsError(Kind.STALE, f"{self.path}:{self.stream}")

    def _check_io(self, access: IoAccess) -> None:
        super()._check_io(access)
        self._check_there()

    def _check_regular(self) -> None:
        self._check_there()

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        self._access = access

    async def stat(self) -> Stat:
        stat = await super().stat()
        stat.mode = self.mode
        stat.size, stat.allocated = self.contents.size, self.contents.allocated
        return stat

    async def open_directory(self) -> DirectoryStream:
        raise VfsError(Kind.NOT_A_DIRECTORY, f"{self.path}:{self.stream}")
