"""What wrappers around a file system have in common: everything is passed on to the one below.

Each call goes through `StackedFileSystem.around`, so that a wrapper that treats all operations alike overrides one
method; one that changes what an operation means overrides that operation, on a subclass of `StackedHandle` if need be.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from vfs_backends.api import (
    Caller,
    Capability,
    ChangeWatcher,
    DirectoryEntry,
    DirectoryStream,
    FileSystem,
    FileSystemStat,
    Handle,
    IoAccess,
    LeaseKind,
    Link,
    LockSegment,
    OpenGuard,
    OutsideChange,
    OutsideOpen,
    Permissions,
    Stat,
    StatChange,
    StreamEntry,
)
from vfs_backends.errors import Kind, VfsError

__all__ = ["CHANGES", "StackedDirectoryStream", "StackedFileSystem", "StackedHandle"]

P = ParamSpec("P")
T = TypeVar("T")

CHANGES = frozenset({
    "allocate",
    "create_directory",
    "create_file",
    "create_node",
    "create_stream",
    "create_symlink",
    "exchange",
    "link",
    "remove",
    "remove_stream",
    "remove_xattr",
    "rename",
    "rename_stream",
    "set_needed_xattrs",
    "set_posix_acls",
    "set_security",
    "set_size",
    "set_stat",
    "set_xattr",
    "write",
})  # fmt: skip
"""The operations that change the storage."""


class StackedDirectoryStream(DirectoryStream):
    """Passes on an enumeration."""

    def __init__(self, file_system: "StackedFileSystem", path: str, below: DirectoryStream) -> None:
        self.file_system = file_system
        self.path = path
        self.below = below

    async def read(
        self, limit: int, accept: Callable[[str], bool] | None = None, *, with_stat: bool = True
    ) -> list[DirectoryEntry]:
        around = self.file_system.around
        return await around("read_directory", self.path, self.below.read, limit, accept, with_stat=with_stat)

    async def rewind(self) -> None:
        await self.file_system.around("rewind", self.path, self.below.rewind)

    def discard(self) -> None:
        self.below.discard()

    async def aclose(self) -> None:
        await self.below.aclose()


class StackedHandle(Handle):
    """Passes on what is asked of a handle; with the identity of the one below."""

    def __init__(self, file_system: "StackedFileSystem", below: Handle) -> None:
        self.file_system = file_system
        self.below = below
        self.node_id = below.node_id
        self.mode = below.mode

    @property
    def path(self) -> str:
        return self.below.path

    @path.setter
    def path(self, path: str) -> None:
        self.below.path = path

    @property
    def stream(self) -> str:
        return self.below.stream

    async def _around(self, operation: str, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.file_system.around(operation, self.below.path, call, *args, **kwargs)

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        await self._around("open_io", self.below.open_io, access, caller)

    async def stat(self) -> Stat:
        return await self._around("stat", self.below.stat)

    async def read_into(self, offset: int, buffer: memoryview) -> int:
        return await self._around("read_into", self.below.read_into, offset, buffer)

    async def write(self, offset: int, data: memoryview) -> None:
        await self._around("write", self.below.write, offset, data)

    async def flush(self) -> None:
        await self._around("flush", self.below.flush)

    def keep_access_time(self, keep: bool) -> None:
        self.below.keep_access_time(keep)

    async def set_size(self, size: int) -> None:
        await self._around("set_size", self.below.set_size, size)

    async def allocate(self, size: int) -> None:
        await self._around("allocate", self.below.allocate, size)

    async def set_stat(self, change: StatChange) -> None:
        await self._around("set_stat", self.below.set_stat, change)

    async def open_directory(self) -> DirectoryStream:
        stream = await self._around("open_directory", self.below.open_directory)
        return StackedDirectoryStream(self.file_system, self.path, stream)

    async def list_xattrs(self) -> list[str]:
        return await self._around("list_xattrs", self.below.list_xattrs)

    async def get_xattr(self, name: str) -> bytes:
        return await self._around("get_xattr", self.below.get_xattr, name)

    async def set_xattr(self, name: str, value: bytes) -> None:
        await self._around("set_xattr", self.below.set_xattr, name, value)

    async def remove_xattr(self, name: str) -> None:
        await self._around("remove_xattr", self.below.remove_xattr, name)

    async def get_needed_xattrs(self) -> list[str]:
        return await self._around("get_needed_xattrs", self.below.get_needed_xattrs)

    async def set_needed_xattrs(self, names: Sequence[str]) -> None:
        await self._around("set_needed_xattrs", self.below.set_needed_xattrs, names)

    async def read_link(self) -> str:
        return await self._around("read_link", self.below.read_link)

    async def get_security(self) -> bytes | None:
        return await self._around("get_security", self.below.get_security)

    async def set_security(self, blob: bytes | None) -> None:
        await self._around("set_security", self.below.set_security, blob)

    async def get_posix_acls(self) -> tuple[bytes | None, bytes | None]:
        return await self._around("get_posix_acls", self.below.get_posix_acls)

    async def get_permissions(self, *, security: bool, acls: bool) -> Permissions:
        return await self._around("get_permissions", lambda: self.below.get_permissions(security=security, acls=acls))

    def permissions_mark(self) -> int | None:
        return self.below.permissions_mark()

    async def set_posix_acls(self, access: bytes | None, default: bytes | None) -> None:
        await self._around("set_posix_acls", self.below.set_posix_acls, access, default)

    @property
    def lease(self) -> LeaseKind:
        return self.below.lease

    def set_lease(self, kind: LeaseKind, broken: Callable[[LeaseKind], None]) -> bool:
        return self.below.set_lease(kind, broken)

    def set_locks(self, segments: Sequence[LockSegment]) -> bool:
        return self.below.set_locks(segments)

    def is_locked(self, wanted: LockSegment) -> bool:
        return self.below.is_locked(wanted)

    def drop_locks(self) -> None:
        self.below.drop_locks()

    async def open_stream(self, name: str, access: IoAccess) -> Handle:
        return await self.file_system.opening("open_stream", self.path, self.below.open_stream, name, access)

    async def create_stream(self, name: str, access: IoAccess) -> Handle:
        return await self.file_system.opening("create_stream", self.path, self.below.create_stream, name, access)

    async def list_streams(self) -> list[StreamEntry]:
        return await self._around("list_streams", self.below.list_streams)

    async def remove_stream(self, name: str) -> None:
        await self._around("remove_stream", self.below.remove_stream, name)

    async def rename_stream(self, name: str, new_name: str, *, replace: bool) -> None:
        await self._around("rename_stream", self.below.rename_stream, name, new_name, replace=replace)

    def discard(self) -> None:
        self.below.discard()

    async def aclose(self) -> None:
        await self.below.aclose()


class _StackedChangeWatcher(ChangeWatcher):
    """Passes on what others change."""

    def __init__(self, file_system: "StackedFileSystem", below: ChangeWatcher) -> None:
        self._file_system = file_system
        self._below = below

    def add(self, directory: Handle) -> int:
        return self._below.add(self._file_system.handle_below(directory))

    def remove(self, watch: int) -> None:
        self._below.remove(watch)

    async def changes(self) -> list[OutsideChange]:
        return await self._below.changes()

    def close(self) -> None:
        self._below.close()


class _StackedOpenGuard(OpenGuard):
    """Passes on who asks."""

    def __init__(self, file_system: "StackedFileSystem", below: OpenGuard) -> None:
        self._file_system = file_system
        self._below = below

    def add(self, handle: Handle) -> None:
        self._below.add(self._file_system.handle_below(handle))

    def remove(self, handle: Handle) -> None:
        self._below.remove(self._file_system.handle_below(handle))

    def close(self) -> None:
        self._below.close()


class StackedFileSystem(FileSystem):
    """Passes on what is asked of a file system, with handles that do the same."""

    handle_class: type[StackedHandle] = StackedHandle

    def __init__(self, below: FileSystem) -> None:
        self.below = below
        self.inline = below.inline

    async def around(
        self, operation: str, path: str, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Make one call on what is below; `operation` is the method's name, `path` what it is about.

        Closing is not among the operations: it must neither fail nor be put off. Nor is starting.
        """
        return await call(*args, **kwargs)

    async def opening(
        self, operation: str, path: str, call: Callable[P, Awaitable[Handle]], *args: P.args, **kwargs: P.kwargs
    ) -> Handle:
        """Make a call that opens something below, and wrap what it opens."""
        return self.handle_class(self, await self.around(operation, path, call, *args, **kwargs))

    def handle_below(self, handle: Handle) -> Handle:
        """The handle that one of this file system stands for. Raises INVALID for another one's."""
        if not isinstance(handle, StackedHandle) or handle.file_system is not self:
            raise VfsError(Kind.INVALID, "a handle of another file system")
        return handle.below

    @property
    def capabilities(self) -> Capability:
        return self.below.capabilities

    async def start(self) -> None:
        await self.below.start()

    async def root(self) -> Handle:
        return await self.opening("root", "", self.below.root)

    async def lookup(
        self, parent: Handle, path: str, *, case_sensitive: bool = False, caller: Caller | None = None
    ) -> Handle:
        return await self.opening(
            "lookup",
            _join(parent.path, path),
            self.below.lookup,
            self.handle_below(parent),
            path,
            case_sensitive=case_sensitive,
            caller=caller,
        )

    async def create_file(
        self, parent: Handle, name: str, mode: int, access: IoAccess, caller: Caller | None = None
    ) -> Handle:
        path = _join(parent.path, name)
        below = self.below
        return await self.opening(
            "create_file", path, below.create_file, self.handle_below(parent), name, mode, access, caller
        )

    async def create_directory(self, parent: Handle, name: str, mode: int, caller: Caller | None = None) -> Handle:
        path = _join(parent.path, name)
        below = self.below
        return await self.opening(
            "create_directory", path, below.create_directory, self.handle_below(parent), name, mode, caller
        )

    async def create_symlink(self, parent: Handle, name: str, target: str, caller: Caller | None = None) -> Handle:
        path = _join(parent.path, name)
        below = self.below
        return await self.opening(
            "create_symlink", path, below.create_symlink, self.handle_below(parent), name, target, caller
        )

    async def create_node(
        self, parent: Handle, name: str, mode: int, rdev: int = 0, caller: Caller | None = None
    ) -> Handle:
        path = _join(parent.path, name)
        below = self.below
        return await self.opening(
            "create_node", path, below.create_node, self.handle_below(parent), name, mode, rdev, caller
        )

    async def remove(self, parent: Handle, name: str, handle: Handle, caller: Caller | None = None) -> None:
        path = _join(parent.path, name)
        await self.around(
            "remove", path, self.below.remove, self.handle_below(parent), name, self.handle_below(handle), caller
        )

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
        await self.around(
            "rename",
            _join(parent.path, name),
            self.below.rename,
            self.handle_below(parent),
            name,
            self.handle_below(new_parent),
            new_name,
            self.handle_below(handle),
            replace=replace,
            caller=caller,
        )

    async def exchange(self, one: Link, other: Link, caller: Caller | None = None) -> None:
        first, second = self._link_below(one), self._link_below(other)
        await self.around("exchange", _join(one.parent.path, one.name), self.below.exchange, first, second, caller)

    def _link_below(self, link: Link) -> Link:
        return Link(self.handle_below(link.parent), link.name, self.handle_below(link.handle))

    async def link(
        self, handle: Handle, parent: Handle, name: str, *, replace: bool, caller: Caller | None = None
    ) -> None:
        await self.around(
            "link",
            _join(parent.path, name),
            self.below.link,
            self.handle_below(handle),
            self.handle_below(parent),
            name,
            replace=replace,
            caller=caller,
        )

    async def open_by_id(self, inode: int) -> Handle:
        return await self.opening("open_by_id", "", self.below.open_by_id, inode)

    def guard_opens(self, asked: Callable[[OutsideOpen], None], seconds: float) -> OpenGuard:
        return _StackedOpenGuard(self, self.below.guard_opens(asked, seconds))

    @property
    def lease_seconds(self) -> float:
        return self.below.lease_seconds

    def watch_changes(self) -> ChangeWatcher:
        return _StackedChangeWatcher(self, self.below.watch_changes())

    async def statfs(self) -> FileSystemStat:
        return await self.around("statfs", "", self.below.statfs)

    async def aclose(self) -> None:
        await self.below.aclose()


def _join(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name
