"""A share in memory whose operations run as a server runs them, with faults, hooks, and an eye for what is left."""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

import trio

from acl.idmap import IdMap, machine_sid
from acl.mask import FILE_ALL_ACCESS
from acl.token import Token, user_token
from gateway.nt.constants import FILE_OPEN_IF
from gateway.nt.status import StatusError
from gateway.nt.upcase import upcase
from gateway.share.access import Descriptors
from gateway.share.errors import status_of
from gateway.share.intent import OpenIntent
from gateway.share.memory_table import MemoryTable
from gateway.share.opens import Open
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.times import WriteTimes
from vfs_backends.api import IoAccess, StatChange
from vfs_backends.errors import VfsError
from vfs_backends.faults import FaultyFileSystem
from vfs_backends.inline import effect_scope, run_inline
from vfs_backends.memory import MemoryFileSystem

T = TypeVar("T")

IDMAP = IdMap(machine_sid(bytes(12)))
ALICE = user_token(IDMAP.user_sid(1000), [IDMAP.group_sid(1000)], uid=1000, gid=1000)
BOB = user_token(IDMAP.user_sid(1001), [IDMAP.group_sid(1000)], uid=1001, gid=1000)
SHARE_ALL = 7

Operation = Callable[[], Coroutine[Any, Any, T]]
Hook = Callable[[], Awaitable[None]]


class Hooked(FaultyFileSystem):
    """Does something else between two operations: `hooks` holds it, by operation, and how many come before it."""

    def __init__(self, below: MemoryFileSystem) -> None:
        super().__init__(below)
        self.hooks: dict[str, tuple[int, Hook]] = {}

    async def around(self, operation, path, call, *args, **kwargs):
        if operation in self.hooks:
            left, hook = self.hooks[operation]
            if left:
                self.hooks[operation] = (left - 1, hook)
            else:
                del self.hooks[operation]
                await hook()
        return await super().around(operation, path, call, *args, **kwargs)


class Store:
    """A share that belongs to Alice. With `inline`, operations run as a first pass does, else as a task."""

    def __init__(
        self,
        *,
        inline: bool,
        table: MemoryTable | None = None,
        settings: ShareSettings | None = None,
        write_times: WriteTimes | None = None,
    ) -> None:
        self.inline = inline
        self.memory = MemoryFileSystem(fold=upcase, capacity=16 << 20)
        self.fs = Hooked(self.memory)
        self.table = MemoryTable() if table is None else table
        settings = settings or ShareSettings()
        self.share = Share("test", self.fs, self.table, Descriptors(IDMAP), settings, write_times=write_times)

    async def start(self) -> None:
        await self.share.start()
        await self.share.root.set_stat(StatChange(uid=1000, gid=1000))

    # --- operations

    async def run(self, operation: Operation[T]) -> T:
        """Run it to its end."""
        if self.inline:
            return run_inline(operation())
        return await self.in_task(operation)

    async def in_task(self, operation: Operation[T], deadline: float = float("inf")) -> T:
        """Run it in a task; at the deadline it is cancelled, if it still can be. `trio.TooSlowError` then."""
        result: T
        with trio.CancelScope(deadline=deadline) as scope, trio.CancelScope() as effects:
            effect_scope.set(effects)
            result = await operation()
        effect_scope.set(None)
        if scope.cancelled_caught:
            raise trio.TooSlowError
        return result

    def open(self, path: str = "file", *, token: Token = ALICE, **how) -> Operation[Open]:
        """Opening as an operation."""
        return lambda: self.share.open(intent(path, **how), token)

    async def opened(self, path: str = "file", **how) -> Open:
        return await self.run(self.open(path, **how))

    async def close(self, *opens: Open) -> None:
        for one in opens:
            await self.run(partial(self.share.close, one))

    async def write(self, one: Open, data: bytes, offset: int = 0) -> None:
        await self.run(lambda: self.share.write(one, offset, memoryview(data)))

    async def read(self, one: Open, size: int = 100, offset: int = 0) -> bytes:
        buffer = bytearray(size)
        count = await self.run(lambda: self.share.read_into(one, offset, memoryview(buffer)))
        return bytes(buffer[:count])

    # --- behind its back

    async def make(self, path: str, data: bytes = b"", *, directory: bool = False) -> None:
        """Create a file in the storage itself, as a local program does."""
        above, _, name = path.rpartition("/")
        parent = await self.memory.lookup(await self.memory.root(), above)
        if directory:
            handle = await self.memory.create_directory(parent, name, 0o755)
        else:
            handle = await self.memory.create_file(parent, name, 0o744, IoAccess.READ | IoAccess.WRITE)
            await handle.write(0, memoryview(data))
        await handle.set_stat(StatChange(uid=1000, gid=1000))
        await handle.aclose()
        await parent.aclose()
        self._close_roots()

    async def remove(self, path: str) -> None:
        """Remove a file from the storage itself."""
        above, _, name = path.rpartition("/")
        parent = await self.memory.lookup(await self.memory.root(), above)
        handle = await self.memory.lookup(parent, name)
        await self.memory.remove(parent, name, handle)
        await handle.aclose()
        await parent.aclose()
        self._close_roots()

    def _close_roots(self) -> None:
        # The handles that `make` and `remove` look up from are nobody else's.
        self.memory._root.opens = 1

    def tree(self) -> dict[str, bytes | None]:
        """What is there: the contents of files, None for directories."""
        found: dict[str, bytes | None] = {}

        def walk(node, path):
            for name, child in node.children.items():
                where = f"{path}/{name}" if path else name
                if child.is_directory:
                    found[where] = None
                    walk(child, where)
                else:
                    buffer = bytearray(child.contents.size)
                    child.contents.read_into(0, memoryview(buffer))
                    found[where] = bytes(buffer)

        walk(self.memory._root, "")
        return found

    def left(self) -> list[str]:
        """What should not be there when nothing is open."""
        left = [f"open of {one.path!r}" for one in self.share.opens.values()]
        left += [f"record {self.table.peek_nowait(key)}" for key in self.table.keys()]  # noqa: SIM118 - no dict
        left += [f"lock waiter {one}" for one in self.share.lock_waiters._waiting]
        for node in self.memory._nodes.values():
            if node.opens > (node is self.memory._root):
                left.append(f"{node.opens} handles on {node.path!r}")
        return left


@asynccontextmanager
async def running(**options) -> AsyncIterator[Store]:
    """A store with these options; what is open in the end is closed, and nothing must be left then."""
    made = Store(**options)
    await made.start()
    yield made
    made.fs.faults.clear()
    for one in list(made.share.opens.values()):
        await made.close(one)
    assert made.left() == []
    assert made.share.breaks.idle
    await made.share.aclose()


async def status(store: Store, path: str = "file", **how) -> int:
    """What an open comes to; if it succeeds it is closed."""
    try:
        one = await store.opened(path, **how)
    except StatusError as error:
        return error.status
    except VfsError as error:
        return status_of(error)
    await store.close(one)
    return 0


def intent(
    path: str = "file",
    *,
    disposition: int = FILE_OPEN_IF,
    access: int = FILE_ALL_ACCESS,
    share: int = SHARE_ALL,
    options: int = 0,
    attributes: int = 0,
    **more,
) -> OpenIntent:
    return OpenIntent(path, access, share, disposition, options, attributes, **more)
