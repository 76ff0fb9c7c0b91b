"""A complete file system in memory: for tests, scratch shares, and as the plainest example of the contract."""

import itertools
import stat as stat_module
import time
from collections.abc import Callable
from dataclasses import dataclass

from vfs_backends.api import (
    Caller,
    Capability,
    FileSystem,
    FileSystemStat,
    Fold,
    Handle,
    IoAccess,
    Link,
)
from vfs_backends.errors import Kind, VfsError
from vfs_backends.folding import FoldedNames
from vfs_backends.memory_handles import MemoryHandle, Realm
from vfs_backends.memory_nodes import CHUNK, MAX_NAME, Contents, Node, Usage, check_name

__all__ = ["MemoryFileSystem", "MemoryHandle"]

_devices = itertools.count(1)


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

    def __init__(self, *, fold: Fold, capacity: int = 1 << 30, clock: Callable[[], int] = time.time_ns) -> None:
        self.inline = True
        self.fold = fold
        self.clock = clock
        # Like an anonymous device of Linux: no two memory file systems of a process have the same.
        self.device = 0x6D656D0000 + next(_devices)
        self._usage = Usage(capacity)
        self._realm = Realm(self.device, fold, clock, self._usage, self._forget)
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
            | Capability.STREAMS
            | Capability.CHANGE_TIME
            | Capability.SPECIAL_FILES
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

    def _forget(self, node: Node) -> None:
        """Give up what a node holds once it has neither name nor handle."""
        if node.nlink == 0 and node.opens == 0 and self._nodes.pop(node.inode, None) is not None:
            node.clear()
            self._usage.files -= 1

    def _unlinked(self, node: Node) -> None:
        node.nlink = 0 if node.is_directory else node.nlink - 1
        node.changed(self.clock)
        self._forget(node)

    async def root(self) -> Handle:
        return MemoryHandle(self._realm, self._root, "")

    async def lookup(
        self, parent: Handle, path: str, *, case_sensitive: bool = False, caller: Caller | None = None
    ) -> Handle:
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
        return MemoryHandle(self._realm, node, "/".join(names))

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
        return MemoryHandle(self._realm, node, _join(parent.path, name), access)

    async def create_directory(self, parent: Handle, name: str, mode: int, caller: Caller | None = None) -> Handle:
        node = self._create(parent, name, stat_module.S_IFDIR | stat_module.S_IMODE(mode), caller)
        return MemoryHandle(self._realm, node, _join(parent.path, name))

    async def create_symlink(self, parent: Handle, name: str, target: str, caller: Caller | None = None) -> Handle:
        node = self._create(parent, name, stat_module.S_IFLNK | 0o777, caller)
        node.contents.write(0, memoryview(target.encode(errors="surrogatepass")))
        return MemoryHandle(self._realm, node, _join(parent.path, name))

    async def create_node(
        self, parent: Handle, name: str, mode: int, rdev: int = 0, caller: Caller | None = None
    ) -> Handle:
        node = self._create(parent, name, mode, caller)
        node.rdev = rdev
        return MemoryHandle(self._realm, node, _join(parent.path, name))

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

    async def exchange(self, one: Link, other: Link, caller: Caller | None = None) -> None:
        nodes = self._node_of(one.handle), self._node_of(other.handle)
        places = self._existing(*one), self._existing(*other)
        if _is_within(places[1].parent, nodes[0]) or _is_within(places[0].parent, nodes[1]):
            raise VfsError(Kind.INVALID, f"{one.name} into itself")
        if places[0] == places[1]:
            return
        for place in places:
            place.parent.detach(place.name)
        for place, node in zip(places, reversed(nodes), strict=True):
            place.parent.attach(place.name, node)
            node.changed(self.clock)
            place.parent.changed(self.clock, contents=True)

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
        return MemoryHandle(self._realm, node, node.path)

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
