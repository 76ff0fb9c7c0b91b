"""What every file system has to do, whatever its storage and whatever is wrapped around it (vfs_backends.api).

A suite to be imported by a test module that provides the fixtures `fs` and `top`.
"""

import stat as stat_module
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, contextmanager

import pytest
import trio

from tests.requirements import Need, skip_unless
from vfs_backends.api import Caller, Capability, FileSystem, Handle, IoAccess, Link, NodeId, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import point_of_no_return, run_inline

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


async def test_root(fs: FileSystem, top: Handle) -> None:
    assert top.path == ""
    assert top.is_directory
    assert (await top.stat()).node_id == top.node_id
    again = await fs.lookup(top, "")
    assert again.node_id == top.node_id
    assert await names(top) == []


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


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o777, 0o4755, 0o000])
async def test_mode_is_exact(fs: FileSystem, top: Handle, mode: int) -> None:
    handle = await fs.create_file(top, "file", mode, READ | WRITE)
    assert (await handle.stat()).mode == stat_module.S_IFREG | mode
    directory = await fs.create_directory(top, "directory", mode & 0o777)
    assert (await directory.stat()).mode == stat_module.S_IFDIR | mode & 0o777


async def test_create_existing(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "name", b"kept")
    with fails(Kind.EXISTS):
        await make(fs, top, "name")
    with fails(Kind.EXISTS):
        await fs.create_directory(top, "name", 0o755)
    assert await contents(handle) == b"kept"
    await make(fs, top, "NAME")
    assert await names(top) == ["NAME", "name"]


async def test_create_where_nothing_can_be(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file")
    with fails(Kind.PATH_NOT_FOUND):
        await make(fs, handle, "below")
    directory = await fs.create_directory(top, "directory", 0o755)
    await fs.remove(top, "directory", directory)
    with fails(Kind.PATH_NOT_FOUND):
        await make(fs, directory, "below")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.create_directory(directory, "below", 0o755)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(directory, "below")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b"])
async def test_impossible_names(fs: FileSystem, top: Handle, name: str) -> None:
    handle = await make(fs, top, "file")
    with fails(Kind.NAME_INVALID):
        await make(fs, top, name)
    with fails(Kind.NAME_INVALID):
        await fs.create_directory(top, name, 0o755)
    with fails(Kind.NAME_INVALID):
        await fs.rename(top, "file", top, name, handle, replace=False)
    with fails(Kind.NAME_INVALID):
        await fs.remove(top, name, handle)
    assert await names(top) == ["file"]


@pytest.mark.parametrize("path", [".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a/..", "a/./b", "a\0"])
async def test_impossible_paths(fs: FileSystem, top: Handle, path: str) -> None:
    await fs.create_directory(top, "a", 0o755)
    await make(fs, top, "b")
    with fails(Kind.NAME_INVALID):
        await fs.lookup(top, path)


@pytest.mark.parametrize(
    "name", ["...", "a ", " a", ".a", "a.", "a:b", "é", "\U0001f600", "a\nb", "x\ud800", "\udfffx"]
)
async def test_possible_names(fs: FileSystem, top: Handle, name: str) -> None:
    await make(fs, top, name)
    handle = await fs.lookup(top, name)
    assert handle.path == name
    assert await names(top) == [name]
    await fs.remove(top, name, handle)
    assert await names(top) == []


async def test_long_names(fs: FileSystem, top: Handle) -> None:
    await make(fs, top, "x" * 255)
    await make(fs, top, "é" * 127)
    for name in ("x" * 256, "é" * 128):
        with fails(Kind.NAME_TOO_LONG):
            await make(fs, top, name)
        with fails(Kind.NAME_TOO_LONG):
            await fs.lookup(top, name)


async def test_lookup(fs: FileSystem, top: Handle) -> None:
    outer = await fs.create_directory(top, "outer", 0o755)
    inner = await fs.create_directory(outer, "inner", 0o755)
    file = await make(fs, inner, "file")
    assert (inner.path, file.path) == ("outer/inner", "outer/inner/file")
    for parent, path in ((top, "outer/inner/file"), (outer, "inner/file"), (inner, "file")):
        found = await fs.lookup(parent, path)
        assert found.node_id == file.node_id
        assert found.path == "outer/inner/file"
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "missing")
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "outer/inner/missing")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "outer/missing/file")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "outer/inner/file/below")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(file, "below")


async def test_lookup_by_folded_name(fs: FileSystem, top: Handle) -> None:
    outer = await fs.create_directory(top, "Outer", 0o755)
    inner = await fs.create_directory(outer, "Straße", 0o755)
    file = await make(fs, inner, "File")
    for path in ("OUTER/STRASSE/FILE", "outer/Straße/file", "Outer/strasse/File"):
        found = await fs.lookup(top, path)
        assert found.node_id == file.node_id
        assert found.path == "Outer/Straße/File"
        with fails(Kind.PATH_NOT_FOUND):
            await fs.lookup(top, path, case_sensitive=True)
    assert (await fs.lookup(outer, "STRASSE/FILE")).path == "Outer/Straße/File"
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "Outer/Straße/FILE", case_sensitive=True)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "OUTER/STRASSE/missing")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "OUTER/missing/file")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "OUTER/STRASSE/FILE/below")


async def test_names_that_fold_alike(fs: FileSystem, top: Handle) -> None:
    made = {name: await make(fs, top, name) for name in ("name", "NAME", "Name")}
    for name, handle in made.items():
        assert (await fs.lookup(top, name)).node_id == handle.node_id
    for _ in range(3):
        assert (await fs.lookup(top, "nAmE")).path == "NAME"
    await fs.remove(top, "NAME", made["NAME"])
    assert (await fs.lookup(top, "nAmE")).path == "Name"
    assert (await fs.lookup(top, "NAME")).path == "Name"
    await fs.rename(top, "Name", top, "other", made["Name"], replace=False)
    assert (await fs.lookup(top, "nAmE")).path == "name"
    await make(fs, top, "NAME")
    assert (await fs.lookup(top, "nAmE")).path == "NAME"


async def test_folded_lookup_after_own_changes(fs: FileSystem, top: Handle) -> None:
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "FIRST")
    first = await make(fs, top, "first")
    assert (await fs.lookup(top, "FIRST")).path == "first"
    await fs.create_directory(top, "below", 0o755)
    below = await fs.lookup(top, "BELOW")
    await fs.rename(top, "first", below, "second", first, replace=False)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "FIRST")
    assert (await fs.lookup(top, "Below/SECOND")).path == "below/second"
    await fs.remove(below, "second", first)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "Below/SECOND")
    if Capability.LINKS in fs.capabilities:
        third = await make(fs, below, "third")
        await fs.link(third, below, "fourth", replace=False)
        assert (await fs.lookup(below, "FOURTH")).node_id == third.node_id


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


async def test_stat_of_what_was_just_found(fs: FileSystem, top: Handle) -> None:
    for made in (await make(fs, top, "file", b"1234"), await fs.create_directory(top, "directory", 0o750)):
        await made.aclose()
    for path in ("file", "FILE", "directory", ""):
        handle = await fs.lookup(top, path)
        found, stat = await handle.stat_found(), await handle.stat()
        assert (found.node_id, found.mode, found.nlink, found.size, found.mtime_ns, found.ctime_ns) == (
            (stat.node_id, stat.mode, stat.nlink, stat.size, stat.mtime_ns, stat.ctime_ns)
        )
        assert (found.birthtime_ns, found.dos_attributes, found.version) == (
            (stat.birthtime_ns, stat.dos_attributes, stat.version)
        )
        await handle.aclose()
    handle = await fs.lookup(top, "file")
    await handle.stat_found()
    await handle.set_size(2)
    assert (await handle.stat_found()).size == 2, "the second time it is asked anew"
    await handle.aclose()


async def test_set_stat(fs: FileSystem, top: Handle) -> None:
    for handle in (await make(fs, top, "file"), await fs.create_directory(top, "directory", 0o755)):
        before = await handle.stat()
        await handle.set_stat(StatChange(mode=0o640, mtime_ns=5 * SECOND + 123))
        stat = await handle.stat()
        assert stat.mode & 0o7777 == 0o640
        assert stat.mtime_ns == 5 * SECOND + 123
        assert stat.atime_ns == before.atime_ns
        await handle.set_stat(StatChange(atime_ns=7 * SECOND))
        stat = await handle.stat()
        assert (stat.atime_ns, stat.mtime_ns) == (7 * SECOND, 5 * SECOND + 123)
        assert stat.ctime_ns >= before.ctime_ns
        await handle.set_stat(StatChange())


async def test_reading_that_keeps_the_time_of_the_last_access(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file")
    await handle.write(0, memoryview(b"data"))
    handle.keep_access_time(True)
    await handle.set_stat(StatChange(atime_ns=7 * SECOND))
    assert await handle.read_into(0, memoryview(bytearray(4))) == 4
    assert (await handle.stat()).atime_ns == 7 * SECOND
    handle.keep_access_time(False)


async def test_times_before_1970(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file")
    await handle.set_stat(StatChange(mtime_ns=-SECOND // 2))
    assert (await handle.stat()).mtime_ns == -SECOND // 2


async def test_dos_attributes_and_creation_time(fs: FileSystem, top: Handle) -> None:
    await needs(fs, Capability.DOS_ATTRIBUTES)
    for handle in (await make(fs, top, "file"), await fs.create_directory(top, "directory", 0o755)):
        fresh = await handle.stat()
        assert fresh.dos_attributes is None
        assert 0 < fresh.birthtime_ns <= fresh.ctime_ns
        await handle.set_stat(StatChange(dos_attributes=0x22))
        stat = await handle.stat()
        assert (stat.dos_attributes, stat.birthtime_ns) == (0x22, fresh.birthtime_ns)
        await handle.set_stat(StatChange(birthtime_ns=11 * SECOND + 500))
        again = await fs.lookup(top, handle.path)
        stat = await again.stat()
        assert (stat.dos_attributes, stat.birthtime_ns) == (0x22, 11 * SECOND + 500)
        await again.set_stat(StatChange(dos_attributes=0, birthtime_ns=-SECOND, mtime_ns=SECOND))
        stat = await handle.stat()
        assert (stat.dos_attributes, stat.birthtime_ns, stat.mtime_ns) == (0, -SECOND, SECOND)
        assert stat.node_id == fresh.node_id
    stream = await top.open_directory()
    entries = await stream.read(10)
    assert {entry.stat.dos_attributes for entry in entries if entry.stat} == {0}
    assert {entry.stat.birthtime_ns for entry in entries if entry.stat} == {-SECOND}


async def test_owner_is_the_caller(fs: FileSystem, top: Handle) -> None:
    whoever = await make(fs, top, "whoever")
    skip_unless((await whoever.stat()).uid == 0, Need.ROOT)
    caller = Caller(1234, 5678, overrules=True)
    file = await fs.create_file(top, "file", 0o4640, READ, caller)
    directory = await fs.create_directory(top, "directory", 0o750, caller)
    for handle, mode in ((file, 0o4640), (directory, 0o750)):
        stat = await handle.stat()
        assert (stat.uid, stat.gid, stat.mode & 0o7777) == (1234, 5678, mode)
    await directory.set_stat(StatChange(mode=0o2770, gid=99))
    inherited = await (await fs.create_file(directory, "file", 0o600, READ, caller)).stat()
    assert (inherited.uid, inherited.gid) == (1234, 99)
    await file.set_stat(StatChange(uid=1))
    stat = await file.stat()
    assert (stat.uid, stat.gid) == (1, 5678)


async def test_xattrs(fs: FileSystem, top: Handle) -> None:
    if await lacks(fs, Capability.XATTRS, top.list_xattrs):
        return
    for handle in (
        await make(fs, top, "file"),
        await fs.lookup(top, "file"),
        await fs.create_directory(top, "directory", 0o755),
    ):
        assert await handle.list_xattrs() == []
        await handle.set_xattr("One", b"1")
        await handle.set_xattr("zwei ü", b"")
        assert sorted(await handle.list_xattrs()) == ["One", "zwei ü"]
        assert await handle.get_xattr("One") == b"1"
        assert await handle.get_xattr("ONE") == b"1"
        assert await handle.get_xattr("ZWEI Ü") == b""
        await handle.set_xattr("oNe", b"2")
        assert sorted(await handle.list_xattrs()) == ["One", "zwei ü"]
        assert await handle.get_xattr("one") == b"2"
        await handle.remove_xattr("ONE")
        await handle.remove_xattr("zwei ü")
        with fails(Kind.NO_ATTRIBUTE):
            await handle.get_xattr("one")
        with fails(Kind.NO_ATTRIBUTE):
            await handle.remove_xattr("one")
        with fails(Kind.NAME_INVALID):
            await handle.set_xattr("", b"1")


async def test_needed_xattrs(fs: FileSystem, top: Handle) -> None:
    if await lacks(fs, Capability.XATTRS, top.get_needed_xattrs):
        return
    for handle in (await make(fs, top, "file"), await fs.create_directory(top, "directory", 0o755)):
        assert await handle.get_needed_xattrs() == []
        await handle.set_needed_xattrs(["ONE", "ZWEI Ü"])
        assert sorted(await (await fs.lookup(top, handle.path)).get_needed_xattrs()) == ["ONE", "ZWEI Ü"]
        assert await handle.list_xattrs() == []
        await handle.set_needed_xattrs(["ONE"])
        assert await handle.get_needed_xattrs() == ["ONE"]
        for _ in range(2):
            await handle.set_needed_xattrs([])
            assert await handle.get_needed_xattrs() == []


async def test_security(fs: FileSystem, top: Handle) -> None:
    if await lacks(fs, Capability.SECURITY, top.get_security):
        return
    for handle in (await make(fs, top, "file"), await fs.create_directory(top, "directory", 0o755)):
        assert await handle.get_security() is None
        await handle.set_security(b"blob")
        assert await (await fs.lookup(top, handle.path)).get_security() == b"blob"
        assert await handle.list_xattrs() == []
        for found in (handle, await fs.lookup(top, handle.path)):
            assert await found.get_permissions(security=True, acls=False) == (b"blob", None, None)
            assert await found.get_permissions(security=False, acls=False) == (None, None, None)
        await handle.set_security(None)
        await handle.set_security(None)
        assert await handle.get_permissions(security=True, acls=False) == (None, None, None)
        assert await handle.get_security() is None


async def test_remove(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file", b"data")
    directory = await fs.create_directory(top, "directory", 0o755)
    below = await make(fs, directory, "below")
    with fails(Kind.NOT_EMPTY):
        await fs.remove(top, "directory", directory)
    await fs.remove(directory, "below", below)
    await fs.remove(top, "directory", directory)
    await fs.remove(top, "file", file)
    assert await names(top) == []
    # What is open can still be used.
    assert await contents(file) == b"data"
    assert (await file.stat()).nlink == 0
    with fails(Kind.NOT_FOUND):
        await fs.remove(top, "file", file)


async def test_remove_of_another_file(fs: FileSystem, top: Handle) -> None:
    old = await make(fs, top, "file")
    await fs.remove(top, "file", old)
    new = await make(fs, top, "file")
    with fails(Kind.STALE):
        await fs.remove(top, "file", old)
    with fails(Kind.STALE):
        await fs.rename(top, "file", top, "other", old, replace=False)
    assert old.node_id != new.node_id
    assert await names(top) == ["file"]


async def test_rename(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file", b"data")
    directory = await fs.create_directory(top, "directory", 0o755)
    await fs.rename(top, "file", directory, "moved", file, replace=False)
    assert await names(top) == ["directory"]
    found = await fs.lookup(top, "directory/moved")
    assert found.node_id == file.node_id
    assert file.path == "file"
    file.path = "directory/moved"
    assert file.path == "directory/moved"
    with fails(Kind.NOT_FOUND):
        await fs.rename(top, "file", top, "x", file, replace=False)
    with fails(Kind.INVALID):
        await fs.rename(top, "directory", directory, "itself", directory, replace=False)


async def test_rename_over_existing(fs: FileSystem, top: Handle) -> None:
    one, two = await make(fs, top, "one", b"1"), await make(fs, top, "two", b"2")
    full, empty = [await fs.create_directory(top, name, 0o755) for name in ("full", "empty")]
    await make(fs, full, "file")
    with fails(Kind.EXISTS):
        await fs.rename(top, "one", top, "two", one, replace=False)
    with fails(Kind.IS_A_DIRECTORY):
        await fs.rename(top, "one", top, "empty", one, replace=True)
    with fails(Kind.NOT_A_DIRECTORY):
        await fs.rename(top, "empty", top, "one", empty, replace=True)
    with fails(Kind.NOT_EMPTY):
        await fs.rename(top, "empty", top, "full", empty, replace=True)
    await fs.rename(top, "full", top, "empty", full, replace=True)
    await fs.rename(top, "one", top, "two", one, replace=True)
    assert await names(top) == ["empty", "two"]
    assert (await two.stat()).nlink == 0
    assert await contents(two) == b"2"
    found = await fs.lookup(top, "two")
    assert found.node_id == one.node_id


async def test_exchange(fs: FileSystem, top: Handle) -> None:
    one, two = await make(fs, top, "one", b"1"), await make(fs, top, "two", b"2")
    directory, below = await fs.create_directory(top, "directory", 0o755), await fs.create_directory(top, "b", 0o755)
    await make(fs, directory, "inside", b"3")
    assert (await fs.lookup(top, "DIRECTORY/INSIDE")).path == "directory/inside"  # what there is has been looked at
    await fs.exchange(Link(top, "one", one), Link(top, "two", two))
    assert (await fs.lookup(top, "ONE")).node_id == two.node_id
    assert (await fs.lookup(top, "TWO")).node_id == one.node_id
    inside = await fs.lookup(directory, "inside")
    await fs.exchange(Link(directory, "inside", inside), Link(top, "b", below))
    assert (await fs.lookup(top, "DIRECTORY/INSIDE")).node_id == below.node_id
    assert (await fs.lookup(top, "B")).node_id == inside.node_id
    assert await names(top) == ["b", "directory", "one", "two"]
    with fails(Kind.STALE):
        await fs.exchange(Link(top, "one", one), Link(top, "two", two))
    with fails(Kind.NOT_FOUND):
        await fs.exchange(Link(top, "one", two), Link(top, "none", one))
    with fails(Kind.INVALID):
        await fs.exchange(Link(top, "directory", directory), Link(directory, "inside", below))
    await fs.exchange(Link(top, "one", two), Link(top, "one", two))
    assert await contents(one) == b"1"
    assert await names(top) == ["b", "directory", "one", "two"]


@pytest.mark.parametrize("replace", [False, True])
async def test_rename_by_case_only(fs: FileSystem, top: Handle, replace: bool) -> None:
    file = await make(fs, top, "name")
    await fs.rename(top, "name", top, "NAME", file, replace=replace)
    assert await names(top) == ["NAME"]
    assert (await fs.lookup(top, "name")).path == "NAME"
    await fs.rename(top, "NAME", top, "NAME", file, replace=replace)
    assert await names(top) == ["NAME"]


async def test_links(fs: FileSystem, top: Handle) -> None:
    await needs(fs, Capability.LINKS)
    one, two = await make(fs, top, "one", b"1"), await make(fs, top, "two", b"2")
    directory = await fs.create_directory(top, "directory", 0o755)
    path_handle = await fs.lookup(top, "one")
    await fs.link(path_handle, directory, "link", replace=False)
    assert (await one.stat()).nlink == 2
    assert (await fs.lookup(top, "directory/link")).node_id == one.node_id
    with fails(Kind.EXISTS):
        await fs.link(one, top, "two", replace=False)
    with fails(Kind.IS_A_DIRECTORY):
        await fs.link(directory, top, "three", replace=False)
    await fs.link(one, top, "two", replace=True)
    assert ((await one.stat()).nlink, (await two.stat()).nlink) == (3, 0)
    await fs.link(one, top, "two", replace=True)
    # Of two names of one file, a rename has to leave one.
    await fs.rename(top, "one", top, "two", one, replace=True)
    assert await names(top) == ["directory", "two"]
    assert (await one.stat()).nlink == 2


async def test_open_by_id(fs: FileSystem, top: Handle) -> None:
    if await lacks(fs, Capability.BY_ID, lambda: fs.open_by_id(top.node_id.inode)):
        return
    directory = await fs.create_directory(top, "directory", 0o755)
    file = await make(fs, directory, "file")
    for handle in (file, directory, top):
        found = await fs.open_by_id(handle.node_id.inode)
        assert (found.node_id, found.path) == (handle.node_id, handle.path)
    await fs.remove(directory, "file", file)
    for inode in (file.node_id.inode, 0, 1 << 40):
        with fails(Kind.NOT_FOUND):
            await fs.open_by_id(inode)


async def test_absent_capabilities(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file")
    if Capability.BY_ID not in fs.capabilities:
        with fails(Kind.NOT_SUPPORTED):
            await fs.open_by_id(file.node_id.inode)
    if Capability.ALLOCATE not in fs.capabilities:
        with fails(Kind.NOT_SUPPORTED):
            await file.allocate(1)
    if Capability.XATTRS not in fs.capabilities:
        with fails(Kind.NOT_SUPPORTED):
            await file.list_xattrs()
    if Capability.SECURITY not in fs.capabilities:
        with fails(Kind.NOT_SUPPORTED):
            await file.get_security()


async def test_enumeration(fs: FileSystem, top: Handle) -> None:
    made = {f"file{n}" for n in range(10)}
    for name in made:
        await make(fs, top, name, name.encode())
    below = await fs.create_directory(top, "below", 0o755)
    assert await names(top) == sorted([*made, "below"])
    assert await names(top, with_stat=False) == sorted([*made, "below"])
    assert await names(top, accept=lambda name: name.endswith("7")) == ["file7"]
    assert await names(top, accept=lambda name: False) == []
    stream = await top.open_directory()
    for entry in await stream.read(100):
        assert entry.stat is not None
        handle = await fs.lookup(top, entry.name)
        stat = await handle.stat()
        assert (entry.stat.node_id, entry.stat.mode, entry.stat.size) == (stat.node_id, stat.mode, stat.size)
    assert (await below.stat()).node_id == below.node_id
    await stream.rewind()
    assert {entry.stat for entry in await stream.read(100, with_stat=False)} == {None}
    assert await stream.read(0) == []


async def test_enumerations_are_independent(fs: FileSystem, top: Handle) -> None:
    for n in range(6):
        await make(fs, top, f"file{n}")
    one, two = await top.open_directory(), await top.open_directory()
    assert len(await one.read(4)) == 4
    found = [entry.name for entry in await two.read(100)]
    while more := await two.read(100):
        found += [entry.name for entry in more]
    assert len(found) == 6
    await two.rewind()
    assert len(await two.read(100)) == 6
    assert len(await one.read(100)) == 2


async def test_enumeration_sees_changes_after_rewind(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file")
    stream = await top.open_directory()
    assert [entry.name for entry in await stream.read(10)] == ["file"]
    await fs.remove(top, "file", file)
    await make(fs, top, "new")
    await stream.rewind()
    assert [entry.name for entry in await stream.read(10)] == ["new"]
    assert await stream.read(10) == []


async def test_large_enumeration(fs: FileSystem, top: Handle) -> None:
    made = {f"{n}" for n in range(700)}
    for name in made:
        await (await make(fs, top, name)).aclose()
    stream = await top.open_directory()
    found: list[str] = []
    while entries := await stream.read(10_000):
        found += [entry.name for entry in entries]
    assert len(found) == 700
    assert set(found) == made
    await stream.rewind()
    assert [entry.name for entry in await stream.read(1, lambda name: name == "345")] == ["345"]


async def test_statfs(fs: FileSystem, top: Handle) -> None:
    one, two = await fs.statfs(), await fs.statfs()
    assert one.volume_id == two.volume_id != 0
    assert 0 < one.available <= one.free <= one.total
    assert one.max_name == 255
    assert one.birthtime_ns > 0
    assert one.kind


async def test_node_ids_differ(fs: FileSystem, top: Handle) -> None:
    seen: set[NodeId] = {top.node_id}
    for n in range(5):
        handle = await make(fs, top, "name")
        assert handle.node_id not in seen
        assert handle.node_id.device == top.node_id.device
        seen.add(handle.node_id)
        await fs.remove(top, "name", handle)
        assert n >= 0


async def test_handles_outlive_renames(fs: FileSystem, top: Handle) -> None:
    outer = await fs.create_directory(top, "outer", 0o755)
    file = await make(fs, outer, "file", b"data")
    await fs.rename(top, "outer", top, "moved", outer, replace=False)
    assert await contents(file) == b"data"
    assert (await fs.lookup(outer, "file")).node_id == file.node_id
    await make(fs, outer, "another")
    assert await names(outer) == ["another", "file"]


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
