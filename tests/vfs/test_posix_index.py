"""Look-ups that disregard case in POSIX directories: own and outside changes, cost, bounds."""

import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.requirements import MAX_QUEUED_EVENTS, Need, needs
from tests.vfs.conformance import READ, fails, make
from tests.vfs.conftest import SLOW, posix
from vfs_backends.api import FileSystem, Handle
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import NotNow, point_of_no_return, run_inline
from vfs_backends.posix import PosixFileSystem, directory, index
from vfs_backends.posix.syscalls import AT_FDCWD, RENAME_EXCHANGE, renameat2


@pytest.fixture(params=["inotify", "times", "slow"])
async def fs(request, tmp_path: Path, no_leaks: None) -> AsyncIterator[PosixFileSystem]:
    options: dict[str, dict[str, Any]] = {"inotify": {}, "times": {"inotify": False}, "slow": {"kind": SLOW}}
    made = posix(tmp_path, **options[request.param])
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def top(fs: FileSystem) -> AsyncIterator[Handle]:
    handle = await fs.root()
    yield handle
    await handle.aclose()


async def settle(fs: PosixFileSystem) -> None:
    """Wait for the tick of the clock by which times of directories are told."""
    if fs._index._watcher is None:
        await trio.sleep(0.02)


async def found(fs: FileSystem, parent: Handle, path: str) -> str | None:
    try:
        handle = await fs.lookup(parent, path)
    except VfsError as error:
        assert error.kind in {Kind.NOT_FOUND, Kind.PATH_NOT_FOUND}  # noqa: PT017 - it need not be raised
        return None
    await handle.aclose()
    return handle.path


@pytest.fixture
def scans() -> Iterator[list[int]]:
    """Which directories are read to build an index."""
    begun: list[int] = []
    open_scan = directory.open_scan

    def counted(fd: int):
        begun.append(fd)
        return open_scan(fd)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "open_scan", counted)
        yield begun


async def test_names_that_change_places(fs: PosixFileSystem, top: Handle, tmp_path: Path) -> None:
    """inotify(7) tells of that as of two renamings, of which the second one takes a name away."""
    (tmp_path / "directory").mkdir()
    for name in ("one", "two", "directory/three"):
        (tmp_path / name).touch()
    await settle(fs)
    assert await found(fs, top, "ONE") == "one"
    assert await found(fs, top, "DIRECTORY/THREE") == "directory/three"
    for other in ("two", "directory/three"):
        names = bytes(tmp_path / "one"), bytes(tmp_path / other)
        assert renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE) == 0
    await settle(fs)
    for name in ("one", "two", "directory", "directory/three"):
        assert await found(fs, top, name.upper()) == name
    (tmp_path / "two").rename(tmp_path / "there")
    (tmp_path / "there").rename(tmp_path / "two")
    await settle(fs)
    assert await found(fs, top, "THERE") is None
    assert await found(fs, top, "TWO") == "two"


async def test_outside_changes(fs: PosixFileSystem, top: Handle, tmp_path: Path) -> None:
    await settle(fs)
    assert await found(fs, top, "FILE") is None
    (tmp_path / "file").touch()
    await settle(fs)
    assert await found(fs, top, "FILE") == "file"
    (tmp_path / "file").rename(tmp_path / "other")
    await settle(fs)
    assert await found(fs, top, "FILE") is None
    await settle(fs)
    assert await found(fs, top, "OTHER") == "other"
    (tmp_path / "other").unlink()
    await settle(fs)
    assert await found(fs, top, "OTHER") is None
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "file").touch()
    await settle(fs)
    assert await found(fs, top, "BELOW/FILE") == "below/file"
    (tmp_path / "below").rename(tmp_path / "moved")
    await settle(fs)
    assert await found(fs, top, "BELOW/FILE") is None
    await settle(fs)
    assert await found(fs, top, "MOVED/FILE") == "moved/file"
    (tmp_path / "moved" / "file").unlink()
    (tmp_path / "moved").rmdir()
    (tmp_path / "moved").mkdir()
    await settle(fs)
    assert await found(fs, top, "MOVED/FILE") is None
    (tmp_path / "moved" / "file").touch()
    await settle(fs)
    assert await found(fs, top, "MOVED/FILE") == "moved/file"


async def test_names_of_bytes(fs: PosixFileSystem, top: Handle, tmp_path: Path) -> None:
    assert await found(fs, top, "X") is None
    (tmp_path / os.fsdecode(b"caf\xe9")).touch()
    await settle(fs)
    assert await found(fs, top, "CAF\udce9") == "caf\udce9"
    (tmp_path / os.fsdecode(b"caf\xe9")).unlink()
    await settle(fs)
    assert await found(fs, top, "CAF\udce9") is None


@pytest.mark.replaces
async def test_creating_is_as_cheap_in_a_large_directory(in_memory: Path, no_leaks: None, scans: list[int]) -> None:
    fs = posix(in_memory)
    await fs.start()
    top = await fs.root()
    costs = []
    for start in range(0, 20_000, 1_000):
        before = time.process_time()
        for n in range(start, start + 1_000):
            name = f"File{n}"
            with pytest.raises(VfsError):
                await fs.lookup(top, name)
            await (await fs.create_file(top, name, 0o600, READ)).aclose()
        costs.append(time.process_time() - before)
        await trio.lowlevel.checkpoint()
    assert len(scans) == 1
    assert min(costs[-5:]) < 3 * min(costs[:5]) + 0.01
    assert await found(fs, top, "FILE12345") == "File12345"
    await top.aclose()
    await fs.aclose()


@needs(Need.SHORT_QUEUE)
async def test_too_many_changes_at_once(in_memory: Path, no_leaks: None) -> None:
    queue = int(await trio.Path(MAX_QUEUED_EVENTS).read_text())
    fs = posix(in_memory)
    await fs.start()
    top = await fs.root()
    assert await found(fs, top, "X") is None
    for n in range(queue // 2 + 100):
        (in_memory / f"{n}").touch()
        (in_memory / f"{n}").unlink()
    (in_memory / "late").touch()
    assert await found(fs, top, "LATE") == "late"
    await top.aclose()
    await fs.aclose()


@pytest.mark.replaces
async def test_budget(tmp_path: Path, no_leaks: None, scans: list[int]) -> None:
    fs = posix(tmp_path, index_names=25)
    await fs.start()
    top = await fs.root()
    for d in range(5):
        (tmp_path / f"d{d}").mkdir()
        for n in range(10):
            (tmp_path / f"d{d}" / f"f{n}").touch()
    for d in range(5):
        assert await found(fs, top, f"d{d}/F7") == f"d{d}/f7"
    assert fs._index._total <= 25
    assert len(fs._index._directories) == len(fs._index._watched) == 2
    before = len(scans)
    assert await found(fs, top, "d4/F8") == "d4/f8"
    assert await found(fs, top, "d3/F8") == "d3/f8"
    assert len(scans) == before
    assert await found(fs, top, "d0/F8") == "d0/f8"
    assert len(scans) == before + 1
    await top.aclose()
    await fs.aclose()


@pytest.mark.replaces
async def test_no_more_watches(tmp_path: Path, no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be watched is compared by its times."""
    fs = posix(tmp_path)
    await fs.start()
    top = await fs.root()
    monkeypatch.setattr("vfs_backends.posix.watch.inotify_add_watch", lambda *_: -28)
    assert await found(fs, top, "FILE") is None
    await settle(fs)
    (tmp_path / "file").touch()
    assert await found(fs, top, "FILE") == "file"
    await top.aclose()
    await fs.aclose()


@pytest.mark.replaces
async def test_large_directory_is_read_in_slices(in_memory: Path, no_leaks: None, scans: list[int]) -> None:
    for n in range(3 * index.SLICE):
        (in_memory / f"file{n}").touch()
    fs = posix(in_memory)
    await fs.start()
    top = await fs.root()
    with pytest.raises(NotNow):
        run_inline(fs.lookup(top, "FILE17"))
    assert len(scans) <= 1
    before = len(scans)
    results: list[str | None] = []

    async def look(name: str) -> None:
        results.append(await found(fs, top, name))

    async def change() -> None:
        """Between two slices."""
        while not fs._index._building:
            await trio.lowlevel.checkpoint()
        (in_memory / "file5").unlink()
        (in_memory / "new").touch()
        await (await make(fs, top, "own")).aclose()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(change)
        nursery.start_soon(look, "FILE17")
        nursery.start_soon(look, "FILE18")
    assert sorted(filter(None, results)) == ["file17", "file18"]
    assert len(scans) == before + 1
    assert await found(fs, top, "FILE5") is None
    assert await found(fs, top, "NEW") == "new"
    assert await found(fs, top, "OWN") == "own"
    assert len(scans) == before + 1
    await top.aclose()
    await fs.aclose()


async def test_committed_pass_builds_on_its_own(in_memory: Path, no_leaks: None) -> None:
    for n in range(2 * index.SLICE):
        (in_memory / f"file{n}").touch()
    fs = posix(in_memory)
    await fs.start()
    top = await fs.root()

    async def committed_look() -> str | None:
        point_of_no_return()
        return await found(fs, top, "FILE18")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(found, fs, top, "FILE17")
        while not fs._index._building:
            await trio.lowlevel.checkpoint()
        assert run_inline(committed_look()) == "file18"
    await top.aclose()
    await fs.aclose()


async def test_cancelled_build(in_memory: Path, no_leaks: None) -> None:
    for n in range(2 * index.SLICE):
        (in_memory / f"file{n}").touch()
    fs = posix(in_memory)
    await fs.start()
    top = await fs.root()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(found, fs, top, "FILE17")
        while not fs._index._building:
            await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    assert not fs._index._building
    assert not fs._index._watched
    assert await found(fs, top, "FILE17") == "file17"
    await top.aclose()
    await fs.aclose()


async def test_missed_change_is_found_in_time(tmp_path: Path, no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without inotify somebody else's change may hide behind our own; but not for long."""
    fs = posix(tmp_path, inotify=False)
    await fs.start()
    top = await fs.root()
    assert await found(fs, top, "X") is None
    await (await make(fs, top, "own")).aclose()
    (tmp_path / "hidden").touch()
    assert await found(fs, top, "OWN") == "own"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert await found(fs, top, "HIDDEN") == "hidden"
    await top.aclose()
    await fs.aclose()


@pytest.mark.replaces
async def test_exact_names_need_no_permission_to_read(fs: PosixFileSystem, top: Handle, tmp_path: Path) -> None:
    def refuse(fd: int):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "open_scan", refuse)
        assert await found(fs, top, "FILE") is None
        assert await found(fs, top, "file") == "file"
    with fails(Kind.EXISTS):
        await make(fs, top, "file")
    assert await found(fs, top, "FILE") == "file"
