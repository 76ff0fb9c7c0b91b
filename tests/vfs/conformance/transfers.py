"""What files hold."""

import os
import stat as stat_module

import pytest
import trio

from tests.vfs.conformance import READ, WRITE, contents, fails, lacks, make, names
from vfs_backends.api import Capability, FileSystem, Handle, StatChange
from vfs_backends.errors import Kind
from vfs_backends.inline import point_of_no_return, run_inline


async def test_create_write_read(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file", b"hello")
    assert handle.path == "file"
    assert stat_module.S_ISREG(handle.mode)
    assert await contents(handle) == b"hello"
    await handle.write(10, memoryview(b"world"))
    await handle.flush()
    assert await contents(handle) == b"hello\0\0\0\0\0world"
    assert await contents(handle, 3) == b"hel"
    assert await handle.read_into(15, memoryview(bytearray(1))) == 0
    assert await handle.read_into(1 << 40, memoryview(bytearray(1))) == 0
    assert await handle.read_into(0, memoryview(bytearray())) == 0
    stat = await handle.stat()
    assert (stat.size, stat.nlink, stat.mode & 0o7777, stat.is_directory) == (15, 1, 0o644, False)


async def test_large_transfers(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file")
    data = bytes(range(256)) * 12_288  # 3 MiB: more than anything does inline
    await handle.write(5, memoryview(data))
    buffer = bytearray(len(data) + 100)
    assert await handle.read_into(5, memoryview(buffer)) == len(data)
    assert buffer[: len(data)] == data


async def test_what_is_at_hand_is_what_would_be_read(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file", b"hello")
    for offset, size in ((0, 5), (1, 9), (5, 1), (0, 0), (1 << 40, 3)):
        buffer = bytearray(size)
        data = b"hello"[offset : offset + size]
        count = handle.read_at_hand(offset, memoryview(buffer))
        assert count == -1 or (count == len(data) and buffer[:count] == data)


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o777, 0o4755, 0o000])
async def test_mode_is_exact(fs: FileSystem, top: Handle, mode: int) -> None:
    handle = await fs.create_file(top, "file", mode, READ | WRITE)
    assert (await handle.stat()).mode == stat_module.S_IFREG | mode
    directory = await fs.create_directory(top, "directory", mode & 0o777)
    assert (await directory.stat()).mode == stat_module.S_IFDIR | mode & 0o777


async def test_path_handle_becomes_io_handle(fs: FileSystem, top: Handle) -> None:
    await make(fs, top, "file", b"data")
    handle = await fs.lookup(top, "file")
    with fails(Kind.INVALID):
        await handle.read_into(0, memoryview(bytearray(1)))
    with fails(Kind.INVALID):
        await handle.write(0, memoryview(b"x"))
    await handle.open_io(READ)
    assert await contents(handle) == b"data"
    with fails(Kind.INVALID):
        await handle.write(0, memoryview(b"x"))
    await handle.open_io(READ | WRITE)
    await handle.write(0, memoryview(b"D"))
    assert await contents(handle) == b"Data"
    assert (await handle.stat()).size == 4
    await handle.open_io(WRITE)
    await handle.write(1, memoryview(b"A"))


async def test_directories_are_not_written(fs: FileSystem, top: Handle) -> None:
    directory = await fs.create_directory(top, "directory", 0o755)
    with fails(Kind.IS_A_DIRECTORY):
        await directory.open_io(READ | WRITE)
    with fails(Kind.IS_A_DIRECTORY):
        await directory.set_size(0)
    await directory.open_io(READ)
    assert await names(directory) == []
    await directory.flush()
    file = await make(fs, top, "file")
    with fails(Kind.NOT_A_DIRECTORY):
        await file.open_directory()


async def test_set_size(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file", b"0123456789")
    await handle.set_size(4)
    assert await contents(handle) == b"0123"
    await handle.set_size(8)
    assert await contents(handle) == b"0123\0\0\0\0"
    path_handle = await fs.lookup(top, "file")
    await path_handle.set_size(2)
    assert await contents(handle) == b"01"
    await handle.set_size(1 << 40)
    assert (await handle.stat()).size == 1 << 40
    await handle.set_size(0)
    assert await contents(handle) == b""
    with fails(Kind.TOO_LARGE):
        await handle.set_size(1 << 63)


async def test_beyond_the_largest_offset(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file")
    with fails(Kind.TOO_LARGE):
        await handle.write(1 << 63, memoryview(b"x"))


async def test_allocate(fs: FileSystem, top: Handle) -> None:
    if await lacks(fs, Capability.ALLOCATE, lambda: top.allocate(1)):
        return
    handle = await make(fs, top, "file", b"data")
    await handle.allocate(1 << 20)
    stat = await handle.stat()
    assert stat.size == 4
    assert stat.allocated >= 1 << 20
    await (await fs.lookup(top, "file")).allocate(1)


async def test_after_closing(fs: FileSystem, top: Handle) -> None:
    await make(fs, top, "file")
    handle = await fs.lookup(top, "file")
    await handle.aclose()
    await handle.aclose()


async def test_committed_pass_never_waits(fs: FileSystem, top: Handle) -> None:
    """Beyond its point of no return an inline pass goes on to its end, whatever the storage."""
    below = getattr(fs, "below", fs)

    async def everything() -> bytes:
        point_of_no_return()
        root = await below.root()
        directory = await below.create_directory(root, "directory", 0o755)
        handle = await below.create_file(directory, "file", 0o600, READ | WRITE)
        await handle.write(0, memoryview(b"x" * 500_000))
        await handle.flush()
        await handle.set_size(3)
        await handle.set_stat(StatChange(mode=0o640))
        data = await contents(handle)
        for n in range(50):
            await (await below.create_file(directory, f"{n}", 0o600, READ)).aclose()
        await (await below.lookup(root, "DIRECTORY/FILE")).aclose()
        stream = await directory.open_directory()
        while await stream.read(20):
            pass
        await stream.aclose()
        await below.rename(directory, "file", root, "file", handle, replace=False)
        await below.remove(root, "file", handle)
        for closing in (handle, directory, root):
            await closing.aclose()
        return data

    assert run_inline(everything()) == b"xxx"
    await trio.lowlevel.checkpoint()


async def _discard_some(fs: FileSystem, top: Handle) -> None:
    """Open what there is in every way, and discard it."""
    found, file = await fs.lookup(top, "file"), await fs.lookup(top, "file")
    await file.open_io(READ)
    directory = await fs.lookup(top, "directory")
    listing = await directory.open_directory()
    assert await listing.read(1) == []
    opened = [found, file, directory]
    if Capability.STREAMS in fs.capabilities:
        opened.append(await found.open_stream("stream", READ))
    listing.discard()
    listing.discard()
    await listing.aclose()
    for handle in opened:
        handle.discard()
        handle.discard()
        await handle.aclose()


async def test_discarded(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file", b"data")
    if Capability.STREAMS in fs.capabilities:
        await file.create_stream("stream", READ)
    await fs.create_directory(top, "directory", 0o755)
    await _discard_some(fs, top)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        await _discard_some(fs, top)
    with trio.fail_after(10):
        while len(os.listdir("/proc/self/fd")) > before:  # noqa: ASYNC110 - a thread is closing one
            await trio.sleep(0.01)
    assert await contents(file) == b"data"
