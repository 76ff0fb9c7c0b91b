"""A file system with faults, for tests: calls fail or take long, as a table of rules says."""

import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import ParamSpec, TypeVar

import trio

from vfs_backends.api import DirectoryStream, FileSystem, Handle
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import NotNow, committed, may_wait
from vfs_backends.stack import StackedFileSystem

__all__ = ["Fault", "FaultyFileSystem"]

P = ParamSpec("P")
T = TypeVar("T")


def _any_path(path: str) -> bool:
    return True


@dataclass(slots=True)
class Fault:
    """What happens to some calls: first the delays, then either the error or the call."""

    operation: str
    """The method's name, `read_directory` for `DirectoryStream.read`, or `*` for all but closing."""
    error: Kind | None = None
    delay: float = 0.0
    """Seconds to sleep; can be cancelled."""
    blocking: float = 0.0
    """Seconds to block a thread; cannot be cancelled."""
    skip: int = 0
    """So many calls pass before the first one this happens to."""
    times: int | None = None
    """How many calls it happens to; None for all."""
    is_late: bool = False
    """The error comes after the call was made."""
    path: Callable[[str], bool] = _any_path
    """Which paths it happens to."""
    calls: int = field(default=0, init=False)
    """How many calls it could have happened to so far."""

    def strikes(self, operation: str, path: str) -> bool:
        """Whether it happens to a call now under way."""
        return (
            self.operation in {"*", operation}
            and self.path(path)
            and self.calls >= self.skip
            and (self.times is None or self.calls < self.skip + self.times)
        )

    def count(self, operation: str, path: str, calls: int) -> None:
        if self.operation in {"*", operation} and self.path(path):
            self.calls += calls


class FaultyFileSystem(StackedFileSystem):
    """Follows `faults`, which may be changed at any time. `calls` counts the calls of each operation that got here."""

    def __init__(self, below: FileSystem, faults: Iterable[Fault] = ()) -> None:
        super().__init__(below)
        self.faults = list(faults)
        self.calls: dict[str, int] = {}

    async def around(
        self, operation: str, path: str, call: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        striking = [fault for fault in self.faults if fault.strikes(operation, path)]
        # Before anything is counted: what is not done now is done again.
        if any(fault.delay or fault.blocking for fault in striking) and not committed():
            may_wait()
        self._count(operation, path, 1)
        for fault in striking:
            await _wait(fault)
        for fault in striking:
            if fault.error is not None and not fault.is_late:
                raise VfsError(fault.error, path)
        try:
            result = await call(*args, **kwargs)
        except NotNow:
            self._count(operation, path, -1)
            raise
        late = next((fault.error for fault in striking if fault.error is not None), None)
        if late is not None:
            if isinstance(result, Handle | DirectoryStream):
                result.discard()
            raise VfsError(late, path)
        return result

    def _count(self, operation: str, path: str, calls: int) -> None:
        self.calls[operation] = self.calls.get(operation, 0) + calls
        for fault in self.faults:
            fault.count(operation, path, calls)


async def _wait(fault: Fault) -> None:
    if committed():  # nothing else may run meanwhile
        time.sleep(fault.delay + fault.blocking)  # noqa: ASYNC251 - see above
        return
    if fault.delay:
        await trio.sleep(fault.delay)
    if fault.blocking:
        await trio.to_thread.run_sync(time.sleep, fault.blocking)
