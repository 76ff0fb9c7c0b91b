"""What wrappers add: refusal of changes, and faults."""

import time
from pathlib import Path

import pytest
import trio

from tests.requirements import Need, skip_unless
from tests.vfs.conformance import READ, WRITE, contents, fails, make, names
from tests.vfs.conftest import posix
from vfs_backends.api import Capability, StatChange
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault, FaultyFileSystem
from vfs_backends.inline import NotNow, point_of_no_return, run_inline
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.readonly import ReadOnlyFileSystem
from vfs_backends.stack import StackedFileSystem


def memory() -> MemoryFileSystem:
    return MemoryFileSystem(fold=str.casefold)


async def test_who_lets_files_be_sent_from_where_they_are(tmp_path: Path) -> None:
    """A wrapper that may do something about reading must not be passed by."""
    (tmp_path / "file").write_bytes(bytes(8192))
    below = posix(tmp_path)
    await below.start()
    found = {}
    for fs in (below, ReadOnlyFileSystem(below), StackedFileSystem(below), FaultyFileSystem(below)):
        top = await fs.root()
        file = await fs.lookup(top, "file")
        await file.open_io(READ)
        extent = file.extent(0, 8192)
        found[type(fs)] = extent is not None
        if extent is not None:
            extent.release()
        file.discard()
        top.discard()
    skip_unless(found[type(below)], Need.CACHESTAT)
    assert [kind for kind, there in found.items() if there] == [type(below), ReadOnlyFileSystem]
    await below.aclose()


async def test_read_only() -> None:
    below = memory()
    root = await below.root()
    inner = await below.create_directory(root, "directory", 0o755)
    await (await below.create_file(inner, "file", 0o644, READ | WRITE)).write(0, memoryview(b"data"))
    fs = ReadOnlyFileSystem(below)
    await fs.start()
    assert fs.inline
    assert Capability.READ_ONLY in fs.capabilities
    top = await fs.root()
    directory = await fs.lookup(top, "DIRECTORY")
    file = await fs.lookup(directory, "FILE")
    assert file.path == "directory/file"
    with fails(Kind.READ_ONLY):
        await file.open_io(READ | WRITE)
    await file.open_io(READ)
    assert await contents(file) == b"data"
    await file.flush()
    assert await file.list_xattrs() == []
    assert await file.get_security() is None
    assert await names(directory) == ["file"]
    assert (await fs.open_by_id(file.node_id.inode)).path == "directory/file"
    before = await file.stat()
    changes = [
        lambda: file.write(0, memoryview(b"x")),
        lambda: file.set_size(0),
        lambda: file.allocate(1),
        lambda: file.set_stat(StatChange(mode=0)),
        lambda: file.set_xattr("name", b""),
        lambda: file.remove_xattr("name"),
        lambda: file.set_needed_xattrs([]),
        lambda: file.set_security(b""),
        lambda: fs.create_file(directory, "new", 0o644, READ),
        lambda: fs.create_directory(directory, "new", 0o755),
        lambda: fs.remove(directory, "file", file),
        lambda: fs.rename(directory, "file", top, "new", file, replace=False),
        lambda: fs.link(file, top, "new", replace=False),
    ]
    for change in changes:
        with fails(Kind.READ_ONLY):
            await change()
    assert (await file.stat()).ctime_ns == before.ctime_ns
    assert await names(directory) == ["file"]
    await file.aclose()
    await fs.aclose()


async def test_handles_of_others() -> None:
    one, two = StackedFileSystem(memory()), StackedFileSystem(memory())
    top = await one.root()
    with fails(Kind.INVALID):
        await two.lookup(top, "x")
    with fails(Kind.INVALID):
        await memory().lookup(await memory().root(), "x")


async def test_posix_refuses_handles_of_others(tmp_path: Path) -> None:
    fs = posix(tmp_path)
    await fs.start()
    with fails(Kind.INVALID):
        await fs.lookup(await memory().root(), "x")
    await fs.aclose()


async def test_errors() -> None:
    fs = FaultyFileSystem(memory(), [Fault("write", error=Kind.NO_SPACE, skip=1, times=2)])
    top = await fs.root()
    handle = await make(fs, top, "file", b"data")
    for _ in range(2):
        with fails(Kind.NO_SPACE):
            await handle.write(0, memoryview(b"x"))
    await handle.write(0, memoryview(b"D"))
    assert await contents(handle) == b"Data"
    assert fs.calls["write"] == 4


async def test_late_errors() -> None:
    fs = FaultyFileSystem(memory(), [Fault("create_file", error=Kind.IO, is_late=True, path=lambda p: p == "a")])
    top = await fs.root()
    with fails(Kind.IO):
        await make(fs, top, "a")
    await make(fs, top, "b")
    assert await names(top) == ["a", "b"]


async def test_every_operation() -> None:
    fs = FaultyFileSystem(memory(), [Fault("*", error=Kind.IO, skip=2)])
    top = await fs.root()
    handle = await make(fs, top, "file")
    with fails(Kind.IO):
        await handle.stat()
    with fails(Kind.IO):
        await top.open_directory()
    with fails(Kind.IO):
        await fs.statfs()
    await handle.aclose()


async def test_delays(autojump_clock: trio.testing.MockClock) -> None:
    fs = FaultyFileSystem(memory(), [Fault("stat", delay=5, times=1)])
    top = await fs.root()
    start = trio.current_time()
    await top.stat()
    assert trio.current_time() - start == 5
    await top.stat()
    assert trio.current_time() - start == 5


async def test_delays_in_an_inline_pass() -> None:
    fs = FaultyFileSystem(memory(), [Fault("stat", delay=0.01, blocking=0.01, times=1)])
    top = await fs.root()
    with pytest.raises(NotNow):
        run_inline(top.stat())

    async def committed() -> None:
        point_of_no_return()
        await top.stat()

    start = time.perf_counter()
    run_inline(committed())
    assert time.perf_counter() - start >= 0.02
    run_inline(top.stat())
    assert fs.calls["stat"] == 2


async def test_cancelled_delay() -> None:
    fs = FaultyFileSystem(memory(), [Fault("create_file", delay=60)])
    top = await fs.root()
    with trio.move_on_after(0.01) as scope:
        await make(fs, top, "file")
    assert scope.cancelled_caught
    assert await names(top) == []


async def test_memory_is_bounded() -> None:
    fs = MemoryFileSystem(fold=str.casefold, capacity=1 << 20)
    top = await fs.root()
    handle = await make(fs, top, "file")
    with fails(Kind.NO_SPACE):
        await handle.write(0, memoryview(bytes(2 << 20)))
    with fails(Kind.NO_SPACE):
        await handle.allocate(1 << 50)
    await handle.write(1 << 40, memoryview(b"sparse"))
    await handle.write(0, memoryview(bytes(512 << 10)))
    with fails(Kind.NO_SPACE):
        await (await make(fs, top, "other")).write(0, memoryview(bytes(512 << 10)))
    used = (await fs.statfs()).free
    await fs.remove(top, "file", handle)
    assert (await fs.statfs()).free == used
    await handle.aclose()
    assert (await fs.statfs()).free == 1 << 20


async def test_memory_clock() -> None:
    now = [1000]
    fs = MemoryFileSystem(fold=str.casefold, clock=lambda: now[0])
    top = await fs.root()
    handle = await make(fs, top, "file")
    now[0] = 2000
    await handle.write(0, memoryview(b"x"))
    stat = await handle.stat()
    assert (stat.birthtime_ns, stat.mtime_ns, stat.ctime_ns) == (1000, 2000, 2000)
    now[0] = 3000
    await fs.rename(top, "file", top, "moved", handle, replace=False)
    stat = await handle.stat()
    assert (stat.mtime_ns, stat.ctime_ns, (await top.stat()).mtime_ns) == (2000, 3000, 3000)
