"""What only a POSIX directory has: symbolic links, special files, foreign names, depth, limits of the machine."""

import os
import resource
import socket
import stat as stat_module
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.requirements import Need, is_met, need, needs, skip_unless
from tests.vfs.conformance import READ, WRITE, contents, fails, make, names
from tests.vfs.conftest import SLOW, MakePosix, posix
from vfs_backends.api import Capability, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import NotNow, run_inline
from vfs_backends.posix import attributes, descriptors, handles, probes, threads
from vfs_backends.posix.kinds import kind_of_device, kind_of_magic
from vfs_backends.posix.threads import Pace

pytestmark = needs(Need.LINUX)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory that no share may show."""
    made = tmp_path_factory.mktemp("outside")
    (made / "secret").write_text("secret")
    return made


async def test_start_fails(tmp_path: Path, no_leaks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    for root, kind in ((tmp_path / "missing", Kind.NOT_FOUND), (tmp_path / "file", Kind.NOT_A_DIRECTORY)):
        with fails(kind):
            await posix(root).start()
    with monkeypatch.context() as patch:
        patch.setattr(probes, "openat2", lambda *_: -38)
        with fails(Kind.NOT_SUPPORTED):
            await posix(tmp_path).start()
    with monkeypatch.context() as patch:
        patch.setattr(probes, "proc_path", lambda fd: b"/missing/%d" % fd)
        with fails(Kind.NOT_SUPPORTED):
            await posix(tmp_path).start()


async def test_symbolic_links_are_not_followed(make_posix: MakePosix, tmp_path: Path, outside: Path) -> None:
    fs = await make_posix()
    top = await fs.root()
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").touch()
    for name, target in (("out", outside), ("in", "inside"), ("up", ".."), ("self", "self"), ("root", "/")):
        (tmp_path / name).symlink_to(target)
        for path in (f"{name}/secret", f"{name}/file", f"{name.upper()}/x/y"):
            with fails(Kind.SYMLINK if path.islower() else Kind.PATH_NOT_FOUND):
                await fs.lookup(top, path, case_sensitive=True)
            with fails(Kind.SYMLINK):
                await fs.lookup(top, path)
        link = await fs.lookup(top, name)
        assert stat_module.S_ISLNK(link.mode)
        assert stat_module.S_ISLNK((await link.stat()).mode)
        with fails(Kind.NOT_SUPPORTED):
            await link.open_io(READ)
        with fails(Kind.EXISTS):
            await make(fs, top, name)
        with fails(Kind.NOT_A_DIRECTORY):
            await link.open_directory()
        await link.set_stat(StatChange(mtime_ns=5_000_000_000))
        assert (await link.stat()).mtime_ns == 5_000_000_000
        await fs.rename(top, name, top, "moved", link, replace=False)
        await fs.remove(top, "moved", link)
    assert (outside / "secret").stat().st_mtime > 5
    assert await names(top) == ["inside"]


async def test_symbolic_links_are_followed_inside(make_posix: MakePosix, tmp_path: Path, outside: Path) -> None:
    fs = await make_posix(follow_symlinks=True)
    top = await fs.root()
    (tmp_path / "one" / "two").mkdir(parents=True)
    (tmp_path / "one" / "file").write_text("data")
    (tmp_path / "one" / "two" / "Up").symlink_to("../file")
    (tmp_path / "one" / "two" / "Dir").symlink_to("../../one")
    two = await fs.lookup(top, "one/two")
    for parent, path in (
        (top, "one/two/Up"),
        (two, "Up"),
        (two, "UP"),
        (two, "Dir/file"),
        (two, "DIR/FILE"),
        (top, "ONE/TWO/DIR/TWO/DIR/FILE"),
    ):
        handle = await fs.lookup(parent, path)
        await handle.open_io(READ)
        assert await contents(handle) == b"data"
    stream = await two.open_directory()
    entries = {entry.name: entry.stat for entry in await stream.read(10)}
    assert entries["Up"] is not None
    assert entries["Up"].size == 4
    assert entries["Dir"] is not None
    assert entries["Dir"].is_directory
    # Removing the name removes the link and nothing else.
    await fs.remove(two, "Up", await fs.lookup(two, "Up"))
    assert await names(two) == ["Dir"]
    assert (tmp_path / "one" / "file").exists()


async def test_followed_links_never_lead_out(make_posix: MakePosix, tmp_path: Path, outside: Path) -> None:
    fs = await make_posix(follow_symlinks=True)
    top = await fs.root()
    (tmp_path / "below").mkdir()
    targets = {"out": str(outside), "up": "..", "upup": "../../..", "sly": f"below/../../{outside.name}", "none": "x"}
    for name, target in targets.items():
        (tmp_path / name).symlink_to(target)
        (tmp_path / "below" / name).symlink_to(f"../{target}" if not target.startswith("/") else target)
        for path in (name, f"below/{name}", f"BELOW/{name.upper()}"):
            handle = await fs.lookup(top, path)
            assert stat_module.S_ISLNK(handle.mode)
            with fails(Kind.PATH_NOT_FOUND if name == "none" else Kind.ESCAPES):
                await fs.lookup(top, f"{path}/secret")
    stream = await top.open_directory()
    for entry in await stream.read(100):
        assert entry.stat is not None
        assert stat_module.S_ISLNK(entry.stat.mode) == (entry.name != "below")


@pytest.mark.parametrize("follow_symlinks", [False, True])
async def test_no_race_leads_out(make_posix: MakePosix, tmp_path: Path, outside: Path, follow_symlinks: bool) -> None:
    fs = await make_posix(follow_symlinks=follow_symlinks)
    top = await fs.root()
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "secret").write_text("harmless")
    (tmp_path / "link").symlink_to(outside)
    forbidden = (outside / "secret").stat().st_ino
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for name in ("real", "link"):
                (tmp_path / name).rename(tmp_path / "name")
                (tmp_path / "name").rename(tmp_path / name)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for n in range(600):
            try:
                handle = await fs.lookup(top, ("name/secret", "NAME/SECRET")[n % 2])
            except VfsError as error:
                seen.add(error.kind)
                continue
            assert handle.node_id.inode != forbidden
            seen.add(Kind.EXISTS)
            await handle.aclose()
    finally:
        stop.set()
        thread.join()
    assert seen <= {Kind.EXISTS, Kind.SYMLINK, Kind.ESCAPES, Kind.PATH_NOT_FOUND, Kind.NOT_FOUND}


async def test_special_files(make_posix: MakePosix, tmp_path: Path) -> None:
    fs = await make_posix()
    top = await fs.root()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    made = ["fifo", "socket"]
    if is_met(Need.ROOT):
        os.mknod(tmp_path / "null", stat_module.S_IFCHR | 0o666, os.makedev(1, 3))
        made.append("null")
    for name in made:
        handle = await fs.lookup(top, name)
        for access in (READ, WRITE, READ | WRITE):
            with fails(Kind.NOT_SUPPORTED):
                await handle.open_io(access)
        stat = await handle.stat()
        assert stat.rdev == (os.makedev(1, 3) if name == "null" else 0)
        assert await handle.get_security() is None
        with pytest.raises(VfsError):
            await handle.set_xattr("name", b"value")
    assert await names(top) == sorted(made)


async def test_names_that_are_no_text(make_posix: MakePosix, tmp_path: Path) -> None:
    fs = await make_posix()
    top = await fs.root()
    for raw in (b"caf\xe9", b"\xed\xa0\x80", b"\xed\xa0\x80\xed\xb0\x80", b"\xff"):
        (tmp_path / os.fsdecode(raw)).write_text("data")
        (shown,) = await names(top)
        handle = await fs.lookup(top, shown)
        assert handle.path == shown
        assert (await handle.stat()).size == 4
        assert (await fs.lookup(top, shown.upper())).path == shown
        await fs.rename(top, shown, top, "x" + shown, handle, replace=False)
        assert os.listdir(os.fsencode(tmp_path)) == [b"x" + raw]
        await fs.remove(top, "x" + shown, handle)
    with fails(Kind.NAME_INVALID):
        await make(fs, top, "\udcc3\udca9")
    with fails(Kind.NAME_INVALID):
        await fs.lookup(top, "below/\udcc3\udca9")
    await make(fs, top, "\ud83d")
    assert os.listdir(os.fsencode(tmp_path)) == [b"\xed\xa0\xbd"]


async def test_paths_longer_than_the_kernel_takes(make_posix: MakePosix) -> None:
    fs = await make_posix()
    handle = top = await fs.root()
    for n in range(30):
        handle = await fs.create_directory(handle, f"{n:0200}d", 0o755)
    file = await make(fs, handle, "File", b"data")
    assert len(file.path) > 6000
    for path in (file.path, file.path.upper(), file.path[:-4] + "fILE"):
        found = await fs.lookup(top, path)
        assert (found.node_id, found.path) == (file.node_id, file.path)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, file.path + "x")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, file.path + "/x")
    with fails(Kind.NAME_TOO_LONG):
        await fs.lookup(top, "x" * 5000)


async def test_attributes_have_limits(make_posix: MakePosix, tmp_path: Path) -> None:
    fs = await make_posix()
    top = await fs.root()
    skip_unless(Capability.XATTRS in fs.capabilities, Need.XATTRS)
    handle = await make(fs, top, "file")
    await handle.set_xattr("x" * 250, b"1")
    with fails(Kind.NAME_TOO_LONG):
        await handle.set_xattr("x" * 251, b"1")
    with fails(Kind.TOO_LARGE):
        await handle.set_xattr("one", bytes(65537))
    with fails(Kind.TOO_LARGE):
        await handle.set_needed_xattrs([f"{number}" * 200 for number in range(10, 200)])
    await handle.set_needed_xattrs(["ONE", "TWO"])
    assert os.getxattr(tmp_path / "file", "user.smbgate.needed") == b"ONE\0TWO\0"
    failed = []
    for number in range(64):
        # For how many there is room depends on the file system.
        try:
            await handle.set_xattr(f"n{number}", bytes(3000))
        except VfsError as error:
            failed.append(error.kind)
    assert set(failed) <= {Kind.TOO_LARGE}
    assert "one" not in await handle.list_xattrs()


async def test_attributes_of_others(make_posix: MakePosix, tmp_path: Path) -> None:
    fs = await make_posix()
    top = await fs.root()
    skip_unless(Capability.XATTRS in fs.capabilities, Need.XATTRS)
    handle = await make(fs, top, "file")
    reserved = ["DOSATTRIB", "dosAttrib", "DosEAs", "NTACL", "DosStream.x:$DATA", "DosStreamExt.1.x", "SAMBA_PAI"]
    reserved += ["SAMBA_STREAMS", "SmbReparse", "org.netatalk.Metadata"]
    for name in reserved:
        os.setxattr(tmp_path / "file", f"user.{name}", b"garbage")
        with fails(Kind.ACCESS_DENIED):
            await handle.set_xattr(name, b"x")
        with fails(Kind.NO_ATTRIBUTE):
            await handle.get_xattr(name)
        with fails(Kind.NO_ATTRIBUTE):
            await handle.remove_xattr(name)
    os.setxattr(tmp_path / "file", "user.Visible", b"1")
    assert await handle.list_xattrs() == ["Visible"]
    # The malformed user.DOSATTRIB counts as absent, and is replaced.
    assert (await handle.stat()).dos_attributes is None
    await handle.set_stat(StatChange(dos_attributes=2))
    parsed = attributes.DosAttributes.parse(os.getxattr(tmp_path / "file", attributes.XATTR))
    assert parsed == attributes.DosAttributes(2, None)


@needs(Need.ROOT)
async def test_security_is_out_of_users_reach(make_posix: MakePosix, tmp_path: Path) -> None:
    fs = await make_posix()
    handle = await make(fs, await fs.root(), "file")
    await handle.set_security(b"blob")
    assert os.getxattr(tmp_path / "file", "security.NTACL") == b"blob"


async def test_by_id_finds_nothing_outside(make_posix: MakePosix, tmp_path: Path, outside: Path) -> None:
    (tmp_path / "root").mkdir()
    fs = await make_posix(tmp_path / "root")
    skip_unless(Capability.BY_ID in fs.capabilities, Need.BY_ID)
    (tmp_path / "root-like").mkdir()
    (tmp_path / "root-like" / "file").touch()
    for path in (outside / "secret", outside, tmp_path, tmp_path / "root-like" / "file"):
        with fails(Kind.NOT_FOUND):
            await fs.open_by_id(path.stat().st_ino)


async def test_umask_does_not_matter(make_posix: MakePosix) -> None:
    fs = await make_posix()
    top = await fs.root()
    old = os.umask(0o777)
    try:
        file = await fs.create_file(top, "file", 0o666, READ)
        directory = await fs.create_directory(top, "directory", 0o777)
    finally:
        os.umask(old)
    assert (await file.stat()).mode & 0o7777 == 0o666
    assert (await directory.stat()).mode & 0o7777 == 0o777


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k,nr_inodes=20", "tmpfs", str(mounted)]
    need(Need.ROOT)
    skip_unless(subprocess.run(command, check=False, capture_output=True).returncode == 0, Need.MOUNT)
    yield mounted
    subprocess.run(["umount", "-l", str(mounted)], check=True)


@pytest.mark.parametrize("getxattrat", [True, pytest.param(False, marks=pytest.mark.replaces)])
async def test_very_long_descriptors(
    make_posix: MakePosix, small: Path, monkeypatch: pytest.MonkeyPatch, getxattrat: bool
) -> None:
    if not getxattrat:
        monkeypatch.setattr("vfs_backends.posix.volume.has_getxattrat", lambda fd: False)
    fs = await make_posix(small)
    top = await fs.root()
    for handle in (await make(fs, top, "file"), await fs.create_directory(top, "directory", 0o700)):
        for size in (1, 256, 4096, 4097, 6000):
            blob = os.urandom(size)
            await handle.set_security(blob)
            assert await handle.get_security() == blob
            assert await (await fs.lookup(top, handle.path)).get_security() == blob


async def test_full_storage(make_posix: MakePosix, small: Path) -> None:
    fs = await make_posix(small)
    top = await fs.root()
    handle = await make(fs, top, "file")
    with fails(Kind.NO_SPACE):
        await handle.write(0, memoryview(bytes(1 << 20)))
    with fails(Kind.NO_SPACE):
        await handle.allocate(1 << 20)
    await handle.set_size(0)
    with fails(Kind.NO_SPACE):
        for n in range(30):
            await (await make(fs, top, f"{n}")).aclose()
    assert (await fs.statfs()).total == 256 << 10


async def test_read_only_storage(make_posix: MakePosix, small: Path) -> None:
    (small / "file").write_text("data")
    await trio.run_process(["mount", "-o", "remount,ro", str(small)])
    fs = await make_posix(small)
    top = await fs.root()
    assert Capability.READ_ONLY in fs.capabilities
    handle = await fs.lookup(top, "file")
    with fails(Kind.READ_ONLY):
        await handle.open_io(READ | WRITE)
    with fails(Kind.READ_ONLY):
        await make(fs, top, "new")
    with fails(Kind.READ_ONLY):
        await fs.remove(top, "file", handle)
    with fails(Kind.READ_ONLY):
        await handle.set_stat(StatChange(mode=0o600))
    await handle.open_io(READ)
    assert await contents(handle) == b"data"


async def test_mount_points_are_crossed(make_posix: MakePosix, tmp_path: Path, small: Path) -> None:
    fs = await make_posix(tmp_path)
    top = await fs.root()
    (small / "file").touch()
    handle = await fs.lookup(top, "small/file")
    other = await make(fs, top, "other")
    assert handle.node_id.device != other.node_id.device
    with fails(Kind.CROSS_DEVICE):
        await fs.rename(top, "other", await fs.lookup(top, "small"), "other", other, replace=False)


async def test_slow_storage_mounted_below(tmp_path: Path, small: Path, no_leaks: None) -> None:
    """What is mounted in the tree is treated as what it is, not as what the root is on."""
    (small / "file").write_text("data")
    slow = (await trio.Path(small).stat()).st_dev
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vfs_backends.posix.volume.kind_of_device", lambda device: SLOW if device == slow else None)
        fs = posix(tmp_path)
        await fs.start()
        top = await fs.root()
        directory = await fs.lookup(top, "small")
        assert directory.node_id.generation == 0 < top.node_id.generation
        with pytest.raises(NotNow):
            run_inline(fs.lookup(directory, "file"))
        file = await fs.lookup(top, "SMALL/FILE")
        with pytest.raises(NotNow):
            run_inline(file.stat())
        await file.open_io(READ)
        assert await contents(file) == b"data"
        stream = await top.open_directory()
        (entry,) = await stream.read(10)
        assert entry.stat is not None
        assert entry.stat.node_id == directory.node_id
        await fs.remove(directory, "file", file)
        await stream.aclose()
        for handle in (file, directory, top):
            await handle.aclose()
        await fs.aclose()


def test_kinds() -> None:
    assert kind_of_magic(0xEF53).name == "ext4"
    assert kind_of_magic(0x6969).slow
    assert kind_of_magic(0x12345).name == "0x12345"
    proc = kind_of_device(Path("/proc").stat().st_dev)
    assert proc is not None
    assert proc.name == "proc"
    assert kind_of_device(os.makedev(4000, 4000)) is None


UNPRIVILEGED = """
import ctypes, os, sys, trio
from vfs_backends.api import *
from vfs_backends.errors import *
from vfs_backends.posix import PosixFileSystem

# Only now: the sources and the libraries may be where nobody else can read them.
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
PR_SET_DUMPABLE = 4  # else its entries in /proc belong to root
assert ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0

async def main():
    fs = PosixFileSystem(sys.argv[1], fold=str.casefold)
    await fs.start()
    top = await fs.root()
    async def kind(call, *args, **kwargs):
        try:
            await call(*args, **kwargs)
        except VfsError as error:
            return error.kind.name
        return "done"
    readable = await fs.lookup(top, "readable")
    hidden = await fs.lookup(top, "hidden")
    print(await kind(readable.open_io, IoAccess.READ | IoAccess.WRITE))
    print(await kind(readable.set_xattr, "name", b"value"))
    print(await kind(readable.set_stat, StatChange(dos_attributes=1)))
    print(await kind(readable.set_stat, StatChange(mode=0o777)))
    print(await kind(hidden.open_io, IoAccess.READ))
    print(await kind(hidden.stat))
    print(await kind(fs.lookup, top, "closed/file"))
    print(await kind(fs.create_file, top, "new", 0o600, IoAccess.READ))
    print(await kind(fs.remove, top, "readable", readable))
    print(await kind(fs.lookup, top, "READABLE"))
    print(await kind(fs.lookup, top, "searchable/FILE"))
    print(await kind(fs.lookup, top, "searchable/file"))
    print(await kind((await fs.lookup(top, "searchable")).open_directory))
    own = await fs.lookup(top, "own")
    mine = await fs.create_file(own, "file", 0o600, IoAccess.READ | IoAccess.WRITE, Caller(0, 0))
    await mine.set_security(b"blob")
    print(Capability.BY_ID in fs.capabilities, (await mine.stat()).uid, os.listxattr(mine.fd))

trio.run(main)
"""


@needs(Need.ROOT)
def test_without_privileges() -> None:
    nobody = 65534
    with tempfile.TemporaryDirectory() as made:
        root = Path(made)
        root.chmod(0o755)
        for name, mode in (("readable", 0o644), ("hidden", 0o600)):
            (root / name).touch()
            (root / name).chmod(mode)
        for name, mode in (("closed", 0o700), ("searchable", 0o711), ("own", 0o755)):
            (root / name).mkdir()
            (root / name / "file" if name != "own" else root / name / "x").touch()
            (root / name).chmod(mode)
        os.chown(root / "own", nobody, nobody)
        done = subprocess.run(
            [sys.executable, "-c", UNPRIVILEGED, made],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            timeout=60,
        )
    assert done.stderr == ""
    assert done.stdout.split("\n")[:-1] == [
        *["ACCESS_DENIED"] * 5,
        "done",
        *["ACCESS_DENIED"] * 3,
        "done",
        "NOT_FOUND",
        "done",
        "ACCESS_DENIED",
        "False 65534 ['user.NTACL']",
    ]


@pytest.mark.parametrize("is_discarded", [False, True])
async def test_closed_while_in_use(
    tmp_path: Path, no_leaks: None, monkeypatch: pytest.MonkeyPatch, is_discarded: bool
) -> None:
    """A descriptor's number goes to no other file while a thread is about to use it."""
    fs = posix(tmp_path, kind=SLOW)
    await fs.start()
    top = await fs.root()
    handle = await make(fs, top, "file", b"data")
    go = threading.Event()
    read_all = descriptors.read_all

    def slowly(fd: int, offset: int, buffer: memoryview) -> int:
        go.wait()
        return read_all(fd, offset, buffer)

    monkeypatch.setattr(handles, "read_all", slowly)
    read = []

    async def reader() -> None:
        read.append(await contents(handle))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader)
        await trio.testing.wait_all_tasks_blocked()
        if is_discarded:
            handle.discard()
        else:
            await handle.aclose()
        others = [await make(fs, top, f"{n}", b"other") for n in range(3)]
        go.set()
    assert read == [b"data"]
    for closing in (*others, top):
        await closing.aclose()
    await fs.aclose()


async def test_cancelled_calls_leak_nothing(tmp_path: Path, no_leaks: None) -> None:
    fs = posix(tmp_path, kind=SLOW)
    await fs.start()
    top = await fs.root()
    (tmp_path / "outer").mkdir()
    (tmp_path / "outer" / "file").touch()
    for n in range(60):
        with trio.move_on_after(0.0001 * (n % 20)):
            await (await fs.lookup(top, ("outer/file", "OUTER/FILE")[n % 2])).aclose()
        with trio.move_on_after(0.0001 * (n % 20)):
            await (await fs.create_file(top, f"{n}", 0o600, READ)).aclose()
    await top.aclose()
    await fs.aclose()


def test_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = 100.0, 0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    monkeypatch.setattr(resource, "getrusage", lambda who: resource.struct_rusage((0,) * 14 + (waits, 0)))
    pace = Pace(never_slow=False)

    def call(seconds: float, waited: int) -> bool:
        nonlocal now, waits
        start = pace.begin()
        now += seconds
        waits += waited
        pace.took(start)
        return pace.is_slow

    assert not call(0.001, 1)
    assert not call(0.5, 1)  # one slow call may be chance
    assert not call(0.4, 0)  # the thread was kept from the processor
    assert call(0.4, 1)
    now += 0.9
    assert pace.is_slow
    now += 0.2
    assert not pace.is_slow


def test_waits_are_counted() -> None:
    before = threads._waits()
    time.sleep(0.001)
    assert threads._waits() > before


def test_pace_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    pace = Pace(never_slow=True)
    pace.took(now - 5)
    pace.took(now - 5)
    assert not pace.is_slow


async def test_slow_changes_go_to_threads(tmp_path: Path, no_leaks: None) -> None:
    fs = posix(tmp_path)
    await fs.start()
    top = await fs.root()
    handle = await make(fs, top, "file")
    fs._tree.top.threads.changes.slow_until = float("inf")
    fs._tree.top.writes.slow_until = float("inf")
    started = []
    start = trio.to_thread.run_sync

    async def counted(call, *args, **kwargs):
        started.append(call)
        return await start(call, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trio.to_thread, "run_sync", counted)
        await handle.write(0, memoryview(b"data"))
        await (await fs.create_directory(top, "directory", 0o755)).aclose()
        await handle.set_stat(StatChange(mode=0o600))
        assert await contents(handle) == b"data"
    assert len(started) == 3
    for closing in (handle, top):
        await closing.aclose()
    await fs.aclose()
