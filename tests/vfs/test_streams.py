"""Named streams, on every file system that has them."""

import pytest

from tests.vfs.conformance import READ, WRITE, contents, fails, make, names, needs
from vfs_backends.api import Capability, FileSystem, Handle, StatChange
from vfs_backends.errors import Kind

LARGE = bytes(range(256)) * 400


@pytest.fixture
async def file(fs: FileSystem, top: Handle) -> Handle:
    await needs(fs, Capability.STREAMS)
    return await make(fs, top, "file", b"default")


async def listed(handle: Handle) -> list[tuple[str, int]]:
    return sorted((name, size) for name, size, _ in await handle.list_streams())


async def stream_of(file: Handle, name: str, data: bytes) -> Handle:
    handle = await file.create_stream(name, READ | WRITE)
    if data:
        await handle.write(0, memoryview(data))
    return handle


async def test_create_write_read(file: Handle) -> None:
    stream = await file.create_stream("Notes", READ | WRITE)
    assert (stream.stream, stream.node_id, stream.path, stream.is_directory) == ("Notes", file.node_id, "file", False)
    assert await listed(file) == [("Notes", 0)]
    await stream.write(0, memoryview(b"hello"))
    await stream.write(8, memoryview(b"world"))
    await stream.flush()
    assert await contents(stream) == b"hello\0\0\0world"
    assert await contents(stream, 3) == b"hel"
    assert await stream.read_into(13, memoryview(bytearray(1))) == 0
    buffer = bytearray(20)
    count = stream.read_at_hand(0, memoryview(buffer))
    assert count == -1 or buffer[:count] == b"hello\0\0\0world"
    assert await contents(file) == b"default"
    assert (await file.stat()).size == 7
    stat = await stream.stat()
    assert (stat.size, stat.node_id, stat.is_directory) == (13, file.node_id, False)
    assert stat.allocated >= 13
    assert await listed(file) == [("Notes", 13)]


async def test_names_compare_like_those_of_files(fs: FileSystem, top: Handle, file: Handle) -> None:
    await stream_of(file, "Stream ?*<Ä", b"1")
    with fails(Kind.EXISTS):
        await file.create_stream("STREAM ?*<ä", READ)
    again = await file.open_stream("stream ?*<ä", READ)
    assert again.stream == "Stream ?*<Ä"
    assert await contents(again) == b"1"
    for name in ("", "a/b", "a:b", "a\0b"):
        with fails(Kind.NAME_INVALID):
            await file.create_stream(name, READ)
    with fails(Kind.NAME_TOO_LONG):
        await file.create_stream("n" * 300, READ)
    for name in ("nothing", "", "Stream"):
        with fails(Kind.NOT_FOUND):
            await file.open_stream(name, READ)
    assert await names(top) == ["file"]


async def test_survives_its_handles(fs: FileSystem, top: Handle, file: Handle) -> None:
    stream = await stream_of(file, "one", b"data")
    other = await fs.lookup(top, "file")
    opened = await other.open_stream("one", READ)
    await other.aclose()
    await stream.aclose()
    await file.aclose()
    assert await contents(opened) == b"data"


async def test_handles_see_each_other(file: Handle) -> None:
    one = await stream_of(file, "one", b"12345")
    two = await file.open_stream("ONE", READ | WRITE)
    await two.write(1, memoryview(b"xx"))
    await two.set_size(4)
    assert await contents(one) == b"1xx4"
    await one.set_size(6)
    assert await contents(two) == b"1xx4\0\0"


async def test_only_as_opened(file: Handle) -> None:
    reading = await file.create_stream("one", READ)
    with fails(Kind.INVALID):
        await reading.write(0, memoryview(b"no"))
    writing = await file.open_stream("one", WRITE)
    await writing.write(0, memoryview(b"yes"))
    with fails(Kind.INVALID):
        await contents(writing)
    with fails(Kind.NOT_A_DIRECTORY):
        await writing.open_directory()


async def test_large(fs: FileSystem, top: Handle, file: Handle) -> None:
    """More than one extended attribute may hold."""
    one = await stream_of(file, "one", b"start")
    two = await file.open_stream("one", READ)
    await one.write(5, memoryview(LARGE))
    assert await contents(two, 200_000) == b"start" + LARGE
    await one.flush()
    assert await listed(file) == [("one", 5 + len(LARGE))]
    assert (await one.stat()).size == 5 + len(LARGE)
    await one.set_size(1 << 20)
    assert (await two.stat()).size == 1 << 20
    await one.set_size(3)
    assert await contents(two) == b"sta"
    await stream_of(file, "two", LARGE)
    assert await contents(await file.open_stream("TWO", READ), 200_000) == LARGE
    assert await names(top) == ["file"]
    for handle in (one, two):
        await handle.aclose()
    await file.remove_stream("one")
    assert await listed(file) == [("two", len(LARGE))]
    await fs.remove(top, "file", file)
    assert await names(top) == []


async def test_remove(file: Handle) -> None:
    stream = await stream_of(file, "One", b"1")
    await stream_of(file, "two", b"22")
    await file.remove_stream("ONE")
    assert await listed(file) == [("two", 2)]
    with fails(Kind.NOT_FOUND):
        await file.remove_stream("one")
    with fails(Kind.STALE):
        await contents(stream)
    with fails(Kind.STALE):
        await stream.write(0, memoryview(b"back"))
    with fails(Kind.STALE):
        await stream.set_size(0)
    await stream_of(file, "one", b"")
    assert await listed(file) == [("one", 0), ("two", 2)]
    with fails(Kind.STALE):
        await contents(stream)


@pytest.mark.parametrize("data", [b"data", LARGE])
async def test_rename(file: Handle, data: bytes) -> None:
    stream = await stream_of(file, "Old", data)
    await file.rename_stream("old", "New", replace=False)
    assert stream.stream == "New"
    assert await contents(stream, 200_000) == data
    assert await listed(file) == [("New", len(data))]
    await stream.rename_stream("NEW", "new", replace=False)
    assert await listed(file) == [("new", len(data))]
    other = await stream_of(file, "other", b"other")
    with fails(Kind.EXISTS):
        await file.rename_stream("new", "OTHER", replace=False)
    await file.rename_stream("new", "OTHER", replace=True)
    assert await listed(file) == [("OTHER", len(data))]
    assert await contents(stream, 200_000) == data
    with fails(Kind.STALE):
        await contents(other)
    with fails(Kind.NOT_FOUND):
        await file.rename_stream("new", "newer", replace=True)


async def test_the_rest_is_the_files(file: Handle) -> None:
    stream = await stream_of(file, "one", b"1")
    await stream.set_stat(StatChange(mtime_ns=5_000_000_000, mode=0o640))
    stat = await file.stat()
    assert (stat.mtime_ns, stat.mode & 0o777) == (5_000_000_000, 0o640)
    await stream.write(0, memoryview(b"2"))
    assert (await file.stat()).mtime_ns > 5_000_000_000
    await stream.set_xattr("name", b"value")
    assert await file.list_xattrs() == ["name"]
    assert await listed(stream) == [("one", 1)]


async def test_of_a_directory(fs: FileSystem, top: Handle) -> None:
    await needs(fs, Capability.STREAMS)
    directory = await fs.create_directory(top, "dir", 0o755)
    stream = await stream_of(directory, "one", b"1")
    assert not stream.is_directory
    assert not (await stream.stat()).is_directory
    assert await contents(stream) == b"1"
    await fs.remove(top, "dir", stream)
    assert await names(top) == []


async def test_removed_file(fs: FileSystem, top: Handle, file: Handle) -> None:
    stream = await stream_of(file, "one", b"1")
    await fs.remove(top, "file", stream)
    assert await contents(stream) == b"1"
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "file")
    await make(fs, top, "file")
    assert await listed(await fs.lookup(top, "file")) == []


async def test_by_id_and_link(fs: FileSystem, top: Handle, file: Handle) -> None:
    await needs(fs, Capability.LINKS)
    await stream_of(file, "one", LARGE)
    await fs.link(file, top, "link", replace=False)
    await fs.remove(top, "file", file)
    linked = await fs.lookup(top, "link")
    assert await contents(await linked.open_stream("one", READ), 200_000) == LARGE


async def test_replaced_by_renaming(fs: FileSystem, top: Handle, file: Handle) -> None:
    await stream_of(file, "one", LARGE)
    other = await make(fs, top, "other")
    await stream_of(other, "two", LARGE)
    await fs.rename(top, "other", top, "file", other, replace=True)
    assert await listed(await fs.lookup(top, "file")) == [("two", len(LARGE))]


async def test_change_time(fs: FileSystem, top: Handle) -> None:
    await needs(fs, Capability.CHANGE_TIME)
    handle = await make(fs, top, "file")
    for wanted in (10_000_000_000 * 10**9, 0, -63_158_400 * 10**9, 1_234_567_800):
        await handle.set_stat(StatChange(ctime_ns=wanted, mtime_ns=5))
        assert (await handle.stat()).ctime_ns == wanted
        assert (await (await fs.lookup(top, "file")).stat()).ctime_ns == wanted
    stream = await top.open_directory()
    (entry,) = await stream.read(1)
    assert entry.stat is not None
    assert entry.stat.ctime_ns == wanted
