"""What is sent from where the storage keeps it: only what is all there, and in memory; and it outlives its handle."""

import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.requirements import Need, needs, skip_unless
from tests.vfs.conformance import READ, WRITE
from tests.vfs.conftest import posix
from vfs_backends.api import Handle
from vfs_backends.extent import Extent
from vfs_backends.posix import extents

pytestmark = needs(Need.LINUX)

SIZE = 1 << 20
CONTENT = os.urandom(SIZE + 777)


@pytest.fixture
async def file(tmp_path: Path, no_leaks: None) -> AsyncIterator[Handle]:
    (tmp_path / "file").write_bytes(CONTENT)
    fs = posix(tmp_path)
    await fs.start()
    top = await fs.root()
    handle = await fs.lookup(top, "file")
    assert handle.extent(0, 1) is None  # it is not open for reading
    await handle.open_io(READ | WRITE)
    extent = handle.extent(0, len(CONTENT))
    if extent is not None:
        extent.release()
        yield handle
    handle.discard()
    top.discard()
    await fs.aclose()
    skip_unless(extent is not None, Need.CACHESTAT)


def sent(extent: Extent) -> bytes:
    """What a peer gets of it."""
    found = b""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        while extent.left:
            count = os.sendfile(ours.fileno(), extent.fd, extent.offset, min(extent.left, 60_000))
            assert count
            extent.sent(count)
            while count:
                piece = theirs.recv(count)
                found += piece
                count -= len(piece)
    return found


def lent(handle: Handle, offset: int, size: int) -> Extent:
    extent = handle.extent(offset, size)
    assert extent is not None
    return extent


@pytest.mark.parametrize(("offset", "size"), [(0, SIZE), (1, 4096), (4095, 2), (SIZE, 777), (SIZE + 776, 1)])
async def test_parts(file: Handle, offset: int, size: int) -> None:
    extent = lent(file, offset, size)
    assert (extent.offset, extent.left) == (offset, size)
    assert sent(extent) == CONTENT[offset : offset + size]
    extent.release()


@pytest.mark.parametrize(("offset", "size"), [(0, SIZE + 778), (SIZE + 777, 1), (1 << 62, 4096), (1 << 63, 1)])
async def test_beyond_the_end(file: Handle, offset: int, size: int) -> None:
    assert file.extent(offset, size) is None


async def test_what_is_not_in_memory(file: Handle, tmp_path: Path) -> None:
    """A hole, and what the page cache has dropped; which comes back."""
    await file.set_size(2 * SIZE)
    assert file.extent(SIZE, 4 * 4096) is None
    extent = lent(file, 0, SIZE)
    assert extent.is_at_hand()
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)
    assert not extent.is_at_hand()
    assert file.extent(0, SIZE) is None
    await extent.fetch()
    assert extent.is_at_hand()
    extent.release()


async def test_a_file_that_becomes_shorter(file: Handle) -> None:
    extent = lent(file, 0, SIZE)
    await file.set_size(1000)
    assert not extent.is_at_hand()
    await extent.fetch()
    assert not extent.is_at_hand()
    extent.release()


async def test_it_outlives_its_handle(file: Handle) -> None:
    first, second = lent(file, 0, SIZE), lent(file, 4096, 100)
    file.discard()
    assert sent(first) == CONTENT[:SIZE]
    first.release()
    assert sent(second) == CONTENT[4096:4196]
    fd = second.fd
    second.release()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@pytest.mark.replaces
async def test_file_systems_that_cannot(tmp_path: Path, file: Handle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether sendfile(2) takes their files is tried once; and where nothing tells what is cached, it is copied."""
    monkeypatch.setattr(extents, "cached_pages", lambda *_: -38)
    assert file.extent(0, SIZE) is None
    monkeypatch.undo()
    tried: list[int] = []

    def refuse(out: int, fd: int, offset: int, count: int) -> int:
        tried.append(count)
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(os, "sendfile", refuse)
    fs = posix(tmp_path)
    await fs.start()
    top = await fs.root()
    other = await fs.lookup(top, "file")
    await other.open_io(READ)
    assert other.extent(0, SIZE) is None
    assert other.extent(0, SIZE) is None
    assert tried == [1]
    other.discard()
    top.discard()
    await fs.aclose()


async def test_streams_are_kept_elsewhere(file: Handle) -> None:
    stream = await file.create_stream("stream", READ | WRITE)
    await stream.write(0, memoryview(bytes(8192)))
    assert stream.extent(0, 8192) is None
    stream.discard()
