"""A wrapper that makes each call in the way under test, and knows which handles are open."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ParamSpec, TypeVar, cast

from vfs_backends.api import DirectoryStream, FileSystem, Handle
from vfs_backends.inline import NotNow, run_inline
from vfs_backends.stack import StackedDirectoryStream, StackedFileSystem, StackedHandle

P = ParamSpec("P")
T = TypeVar("T")


class DrivenStream(StackedDirectoryStream):
    async def aclose(self) -> None:
        assert isinstance(self.file_system, DrivenFileSystem)
        await self.file_system.drive(self.below.aclose)


class DrivenHandle(StackedHandle):
    def __init__(self, file_system: StackedFileSystem, below: Handle) -> None:
        super().__init__(file_system, below)
        assert isinstance(file_system, DrivenFileSystem)
        self.driven = file_system
        file_system.handles.append(self)

    def read_at_hand(self, offset: int, buffer: memoryview) -> int:
        return self.below.read_at_hand(offset, buffer)

    async def open_directory(self) -> DirectoryStream:
        stream = await self.driven.around("open_directory", self.path, self.below.open_directory)
        made = DrivenStream(self.driven, self.path, stream)
        self.driven.handles.append(made)
        return made

    async def aclose(self) -> None:
        await self.driven.drive(self.below.aclose)


class DrivenFileSystem(StackedFileSystem):
    """With `is_inline`, each call is first made in an inline pass; if it has to wait, it is made again."""

    handle_class = DrivenHandle

    def __init__(self, below: FileSystem, *, is_inline: bool) -> None:
        super().__init__(below)
        self.is_inline = is_inline
        self.waited = 0
        self.handles: list[DrivenHandle | DrivenStream] = []

    async def drive(self, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        if self.is_inline:
            try:
                return run_inline(cast("Coroutine[Any, Any, T]", call(*args, **kwargs)))
            except NotNow:
                self.waited += 1
        return await call(*args, **kwargs)

    async def around(
        self, operation: str, path: str, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await self.drive(call, *args, **kwargs)

    async def close_all(self) -> None:
        for handle in reversed(self.handles):
            await handle.aclose()
            await handle.aclose()
