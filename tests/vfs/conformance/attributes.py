"""What files are like, and what is kept with them."""

from tests.requirements import Need, skip_unless
from tests.vfs.conformance import READ, SECOND, fails, lacks, make, needs
from vfs_backends.api import Caller, Capability, FileSystem, Handle, StatChange
from vfs_backends.errors import Kind


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


async def test_statfs(fs: FileSystem, top: Handle) -> None:
    one, two = await fs.statfs(), await fs.statfs()
    assert one.volume_id == two.volume_id != 0
    assert 0 < one.available <= one.free <= one.total
    assert one.max_name == 255
    assert one.birthtime_ns > 0
    assert one.kind
