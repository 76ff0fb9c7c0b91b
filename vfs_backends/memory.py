"""A complete file system in memory: for tests, scratch shares, and as the plainest example of the contract."""

import itertools
import stat as stat_module
import time
from collections.abc import Callable
from dataclasses import dataclass

from vfs_backends.api import (
    Caller,
    Capability,
    DirectoryEntry,
    DirectoryStream,
    FileSystem,
    FileSystemStat,
    Fold,
    Handle,
    IoAccess,
    NodeId,
    Stat,
    StatChange,
)
from vfs_backends.errors import Kind, VfsError
from vfs_backends.folding import FoldedNames
from vfs_backends.memory_nodes import CHUNK, MAX_NAME, Contents, Node, Usage, check_name

__all__ = ["MemoryFileSystem", "MemoryHandle"]

_devices = itertools.count(1)


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

    async def aclose(self) -> None:
        self._names = iter([])


class MemoryHandle(Handle):
    """An open node."""

    def __init__(self, file_system: "MemoryFileSystem", node: Node, path: str, access: IoAccess | None = None) -> None:
        self._file_system = file_system
        self.node = node
        self.node_id = NodeId(file_system.device, node.inode, node.generation)
        self.mode = node.mode
        self.path = path
        self._access = access
        self._closed = False
        node.opens += 1

    def _check_io(self, access: IoAccess) -> None:
        if self._access is None or access not in self._access:
            raise VfsError(Kind.INVALID, f"{self.path}: not open for {access.name}")

    async def open_io(self, access: IoAccess) -> None:
        if self.node.is_directory and IoAccess.WRITE in access:
            raise VfsError(Kind.IS_A_DIRECTORY, self.path)
        self._access = access

    async def stat(self) -> Stat:
        return self.node.stat(self.node_id.device)

    async def read_into(self, offset: int, buffer: memoryview) -> int:
        self._check_io(IoAccess.READ)
        return self.node.contents.read_into(offset, buffer)

    async def write(self, offset: int, data: memoryview) -> None:
        self._check_io(IoAccess.WRITE)
        self.node.contents.write(offset, data)
        self.node.changed(self._file_system.clock, contents=True)

    async def flush(self) -> None:
        pass

    async def set_size(self, size: int) -> None:
        self._check_regular()
        self.node.contents.resize(size)
        self.node.changed(self._file_system.clock, contents=True)

    async def allocate(self, size: int) -> None:
        self._check_regular()
        self.node.contents.reserve(0, size)

    def _check_regular(self) -> None:
        if self.node.is_directory:
            raise VfsError(Kind.IS_A_DIRECTORY, self.path)

    async def set_stat(self, change: StatChange) -> None:
        node = self.node
        node.changed(self._file_system.clock)
        if change.mode is not None:
            node.mode = stat_module.S_IFMT(node.mode) | stat_module.S_IMODE(change.mode)
        node.uid = node.uid if change.uid is None else change.uid
        node.gid = node.gid if change.gid is None else change.gid
        node.atime_ns = node.atime_ns if change.atime_ns is None else change.atime_ns
        node.mtime_ns = node.mtime_ns if change.mtime_ns is None else change.mtime_ns
        node.birthtime_ns = node.birthtime_ns if change.birthtime_ns is None else change.birthtime_ns
        node.dos_attributes = node.dos_attributes if change.dos_attributes is None else change.dos_attributes

    async def open_directory(self) -> DirectoryStream:
        if not self.node.is_directory:
            raise VfsError(Kind.NOT_A_DIRECTORY, self.path)
        return MemoryDirectoryStream(self.node, self.node_id.device)

    def _xattr_name(self, name: str) -> str | None:
        if name in self.node.xattrs:
            return name
        fold = self._file_system.fold
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
        self.node.changed(self._file_system.clock)

    async def remove_xattr(self, name: str) -> None:
        stored = self._xattr_name(name)
        if stored is None:
            raise VfsError(Kind.NO_ATTRIBUTE, name)
        del self.node.xattrs[stored]
        self.node.changed(self._file_system.clock)

    async def get_security(self) -> bytes | None:
        return self.node.security

    async def set_security(self, blob: bytes | None) -> None:
        self.node.security = None if blob is None else bytes(blob)
        self.node.changed(self._file_system.clock)

    async def aclose(self) -> None:
        if not self._closed:
            self._closed = True
            self.node.opens -= 1
            self._file_system.forget(self.node)


@dataclass(slots=True)
class _Place:
    """A directory and a name in it."""

    parent: Node
    name: str

    @property
    def child(self) -> Node | None:
        return self.parent.children.get(self.name)


class MemoryFileSystem(FileSystem):
    """Holds up to `capacity` bytes of file contents; `clock` gives nanoseconds since 1970."""

    inline = True

    def __init__(self, *, fold: Fold, capacity: int = 1 << 30, clock: Callable[[], int] = time.time_ns) -> None:
        self.fold = fold
        self.clock = clock
        # Like an anonymous device of Linux: no two memory file systems of a process have the same.
        self.device = 0x6D656D0000 + next(_devices)
        self._usage = Usage(capacity)
        self._inodes = itertools.count(1)
        self._nodes: dict[int, Node] = {}
        self._root = self._new_node(stat_module.S_IFDIR | 0o755, 0, 0)

    @property
    def capabilities(self) -> Capability:
        return (
            Capability.DOS_ATTRIBUTES
            | Capability.XATTRS
            | Capability.SECURITY
            | Capability.LINKS
            | Capability.BY_ID
            | Capability.ALLOCATE
        )

    def _new_node(self, mode: int, uid: int, gid: int) -> Node:
        now = self.clock()
        inode = next(self._inodes)
        node = Node(inode, 1, mode, uid, gid, Contents(self._usage), now, now, now, now)
        if node.is_directory:
            node.folded = FoldedNames(self.fold)
            node.nlink = 2
        self._nodes[inode] = node
        self._usage.files += 1
        return node

    def forget(self, node: Node) -> None:
        """Give up what a node holds once it has neither name nor handle."""
        if node.nlink == 0 and node.opens == 0 and self._nodes.pop(node.inode, None) is not None:
            node.contents.clear()
            self._usage.files -= 1

    def _unlinked(self, node: Node) -> None:
        node.nlink = 0 if node.is_directory else node.nlink - 1
        node.changed(self.clock)
        self.forget(node)

    async def root(self) -> Handle:
        return MemoryHandle(self, self._root, "")

    async def lookup(self, parent: Handle, path: str, *, case_sensitive: bool = False) -> Handle:
        node = self._node_of(parent)
        names = [parent.path] if parent.path else []
        components = path.split("/") if path else []
        for name in components:
            check_name(name)
        for position, name in enumerate(components, 1):
            found = name
            if not case_sensitive and name not in node.children and node.folded is not None:
                found = node.folded.find(name) or name
            if found not in node.children:
                last = position == len(components) and node.is_directory
                raise VfsError(Kind.NOT_FOUND if last else Kind.PATH_NOT_FOUND, path)
            node = node.children[found]
            names.append(found)
        return MemoryHandle(self, node, "/".join(names))

    def _node_of(self, handle: Handle) -> Node:
        if not isinstance(handle, MemoryHandle) or handle.node_id.device != self.device:
            raise VfsError(Kind.INVALID, "a handle of another file system")
        return handle.node

    def _place(self, parent: Handle, name: str) -> _Place:
        check_name(name)
        directory = self._node_of(parent)
        if not directory.is_directory:
            raise VfsError(Kind.PATH_NOT_FOUND, f"{parent.path} is not a directory")
        if directory.nlink == 0:
            raise VfsError(Kind.PATH_NOT_FOUND, f"{parent.path} was removed")
        return _Place(directory, name)

    def _create(self, parent: Handle, name: str, mode: int, caller: Caller | None) -> Node:
        place = self._place(parent, name)
        if place.child is not None:
            raise VfsError(Kind.EXISTS, name)
        uid, gid = (0, 0) if caller is None else (caller.uid, caller.gid)
        if place.parent.mode & stat_module.S_ISGID:
            gid = place.parent.gid
        node = self._new_node(mode, uid, gid)
        place.parent.attach(name, node)
        place.parent.changed(self.clock, contents=True)
        return node

    async def create_file(
        self, parent: Handle, name: str, mode: int, access: IoAccess, caller: Caller | None = None
    ) -> Handle:
        node = self._create(parent, name, stat_module.S_IFREG | stat_module.S_IMODE(mode), caller)
        return MemoryHandle(self, node, _join(parent.path, name), access)

    async def create_directory(self, parent: Handle, name: str, mode: int, caller: Caller | None = None) -> Handle:
        node = self._create(parent, name, stat_module.S_IFDIR | stat_module.S_IMODE(mode), caller)
        return MemoryHandle(self, node, _join(parent.path, name))

    def _existing(self, parent: Handle, name: str, handle: Handle) -> _Place:
        """Where a name is; raises NOT_FOUND if it is nowhere, STALE if it does not lead to `handle`."""
        node = self._node_of(handle)
        place = self._place(parent, name)
        if place.child is None:
            raise VfsError(Kind.NOT_FOUND, name)
        if place.child is not node:
            raise VfsError(Kind.STALE, name)
        return place

    async def remove(self, parent: Handle, name: str, handle: Handle, caller: Caller | None = None) -> None:
        place = self._existing(parent, name, handle)
        if place.parent.children[name].children:
            raise VfsError(Kind.NOT_EMPTY, name)
        self._unlinked(place.parent.detach(name))
        place.parent.changed(self.clock, contents=True)

    async def rename(
        self,
        parent: Handle,
        name: str,
        new_parent: Handle,
        new_name: str,
        handle: Handle,
        *,
        replace: bool,
        caller: Caller | None = None,
    ) -> None:
        node = self._node_of(handle)
        source = self._existing(parent, name, handle)
        target = self._place(new_parent, new_name)
        if source == target:
            return
        if _is_within(target.parent, node):
            raise VfsError(Kind.INVALID, f"{name} into itself")
        self._make_room(target, node, replace=replace)
        source.parent.detach(name)
        target.parent.attach(new_name, node)
        node.changed(self.clock)
        source.parent.changed(self.clock, contents=True)
        target.parent.changed(self.clock, contents=True)

    def _make_room(self, target: _Place, newcomer: Node, *, replace: bool) -> None:
        """Remove what has the name, if it may be replaced by `newcomer`."""
        old = target.child
        if old is None:
            return
        if not replace:
            raise VfsError(Kind.EXISTS, target.name)
        if old.is_directory and not newcomer.is_directory:
            raise VfsError(Kind.IS_A_DIRECTORY, target.name)
        if newcomer.is_directory and not old.is_directory:
            raise VfsError(Kind.NOT_A_DIRECTORY, target.name)
        if old.children:
            raise VfsError(Kind.NOT_EMPTY, target.name)
        self._unlinked(target.parent.detach(target.name))

    async def link(
        self, handle: Handle, parent: Handle, name: str, *, replace: bool, caller: Caller | None = None
    ) -> None:
        node = self._node_of(handle)
        if node.is_directory:
            raise VfsError(Kind.IS_A_DIRECTORY, handle.path)
        if node.nlink == 0:
            raise VfsError(Kind.STALE, handle.path)
        target = self._place(parent, name)
        if target.child is node and replace:
            return
        self._make_room(target, node, replace=replace)
        target.parent.attach(name, node)
        node.nlink += 1
        node.changed(self.clock)
        target.parent.changed(self.clock, contents=True)

    async def open_by_id(self, inode: int) -> Handle:
        node = self._nodes.get(inode)
        if node is None or node.nlink == 0:
            raise VfsError(Kind.NOT_FOUND, f"inode {inode}")
        return MemoryHandle(self, node, node.path)

    async def statfs(self) -> FileSystemStat:
        free = self._usage.capacity - self._usage.used
        return FileSystemStat(
            block_size=CHUNK,
            total=self._usage.capacity,
            free=free,
            available=free,
            files=self._usage.files,
            files_free=2**32,
            volume_id=self.device,
            max_name=MAX_NAME,
            birthtime_ns=self._root.birthtime_ns,
            kind="memory",
        )


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def _is_within(node: Node, ancestor: Node) -> bool:
    """Whether `node` is `ancestor` or below it."""
    while node is not ancestor:
        if not node.names:
            return False
        node = node.names[0][0]
    return True
