"""A file system that cannot be changed, around one that could."""

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from vfs_backends.api import Caller, Capability, Handle, IoAccess
from vfs_backends.errors import Kind, VfsError
from vfs_backends.extent import Extent
from vfs_backends.stack import CHANGES, StackedFileSystem, StackedHandle

__all__ = ["ReadOnlyFileSystem"]

P = ParamSpec("P")
T = TypeVar("T")


class ReadOnlyHandle(StackedHandle):
    """Cannot be opened for writing either."""

    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        if IoAccess.WRITE in access:
            raise VfsError(Kind.READ_ONLY, self.path)
        await super().open_io(access, caller)

    def extent(self, offset: int, size: int) -> Extent | None:
        return self.below.extent(offset, size)

    async def open_stream(self, name: str, access: IoAccess) -> Handle:
        if IoAccess.WRITE in access:
            raise VfsError(Kind.READ_ONLY, self.path)
        return await super().open_stream(name, access)


class ReadOnlyFileSystem(StackedFileSystem):
    """Answers every change with READ_ONLY."""

    handle_class = ReadOnlyHandle

    async def around(
        self, operation: str, path: str, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if operation in CHANGES:
            raise VfsError(Kind.READ_ONLY, path)
        return await call(*args, **kwargs)

    @property
    def capabilities(self) -> Capability:
        return self.below.capabilities | Capability.READ_ONLY
