"""What every file system has to do, whatever its storage and whatever is wrapped around it (vfs_backends.api).

The modules are a suite, to be imported by a test module that provides the fixtures `fs` and `top`; here is what it is
written with.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.requirements import Need, skip_unless
from vfs_backends.api import Capability, FileSystem, Handle, IoAccess
from vfs_backends.errors import Kind, VfsError

READ, WRITE = IoAccess.READ, IoAccess.WRITE
SECOND = 1_000_000_000


def fails(kind: Kind) -> AbstractContextManager[object]:
    @contextmanager
    def check():
        with pytest.raises(VfsError) as caught:
            yield
        assert caught.value.kind is kind, caught.value

    return check()


async def make(fs: FileSystem, parent: Handle, name: str, data: bytes = b"") -> Handle:
    handle = await fs.create_file(parent, name, 0o644, READ | WRITE)
    if data:
        await handle.write(0, memoryview(data))
    return handle


async def contents(handle: Handle, size: int = 1000) -> bytes:
    buffer = bytearray(size)
    return bytes(buffer[: await handle.read_into(0, memoryview(buffer))])


async def names(handle: Handle, **options) -> list[str]:
    stream = await handle.open_directory()
    found = []
    while entries := await stream.read(3, **options):
        assert len(entries) <= 3
        found += [entry.name for entry in entries]
    await stream.aclose()
    return sorted(found)


async def lacks(fs: FileSystem, capability: Capability, operation: Callable[[], Awaitable[object]]) -> bool:
    """Whether the storage has not got a capability; then the operation, which needs it, has to say so."""
    if capability in fs.capabilities:
        return False
    with fails(Kind.NOT_SUPPORTED):
        await operation()
    return True


async def needs(fs: FileSystem, capability: Capability) -> None:
    skip_unless(capability in fs.capabilities, Need.CAPABILITY)
