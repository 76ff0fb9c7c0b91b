"""Changes of names in POSIX directories where the kernel or somebody else gets in the way."""

import errno
import os
import stat as stat_module
from pathlib import Path

import pytest

from tests.requirements import Need, skip_unless
from tests.vfs.conformance import READ, WRITE, contents, fails, make, names
from tests.vfs.conftest import MakePosix
from vfs_backends.api import Capability, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import changes, made, syscalls
from vfs_backends.posix.failures import kind_of, vfs_error


async def test_half_made_files_are_taken_back(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = await make_posix()
    top = await fs.root()

    def refuse(*args: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refuse)
    old = os.umask(0o777)
    try:
        with fails(Kind.ACCESS_DENIED):
            await fs.create_file(top, "file", 0o666, READ)
        with fails(Kind.ACCESS_DENIED):
            await fs.create_directory(top, "directory", 0o777)
    finally:
        os.umask(old)
    assert await names(top) == []


@pytest.mark.replaces
async def test_directory_replaced_while_it_is_made(
    make_posix: MakePosix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's older directory gets the mode and owner meant for a new one."""
    fs = await make_posix()
    top = await fs.root()
    (tmp_path / "old").mkdir(mode=0o700)
    monkeypatch.setattr(changes, "_CLOCK_SLACK_NS", -(10**18))

    def swapped(directory: int, name: bytes, how: syscalls.How) -> int:
        return syscalls.openat2(directory, b"old", how)

    monkeypatch.setattr(made, "openat2", swapped)
    with fails(Kind.STALE):
        await fs.create_directory(top, "new", 0o777)
    assert stat_module.S_IMODE((tmp_path / "old").stat().st_mode) == 0o700
    monkeypatch.setattr(made, "openat2", lambda *_: -errno.ELOOP)
    with fails(Kind.SYMLINK):
        await fs.create_directory(top, "link", 0o777)


@pytest.mark.replaces
async def test_rename_without_the_flag(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems do not know RENAME_NOREPLACE."""
    fs = await make_posix()
    top = await fs.root()
    renameat2 = syscalls.renameat2
    monkeypatch.setattr(changes, "renameat2", lambda *args: -errno.EINVAL if args[4] else renameat2(*args))
    one = await make(fs, top, "one")
    await make(fs, top, "two")
    with fails(Kind.EXISTS):
        await fs.rename(top, "one", top, "two", one, replace=False)
    await fs.rename(top, "one", top, "three", one, replace=False)
    assert await names(top) == ["three", "two"]
    directory = await fs.create_directory(top, "directory", 0o755)
    with fails(Kind.INVALID):
        await fs.rename(top, "directory", directory, "itself", directory, replace=False)


@pytest.mark.replaces
async def test_rename_by_case_where_the_storage_disregards_it(
    make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There the new name exists already: it is the old one."""
    fs = await make_posix()
    top = await fs.root()
    file = await make(fs, top, "name")
    await fs.link(file, top, "NAME", replace=False)
    with fails(Kind.EXISTS):
        await fs.rename(top, "name", top, "NAME", file, replace=False)
    monkeypatch.setattr(changes, "_is_listed", lambda directory, name: False)
    await fs.rename(top, "name", top, "NAME", file, replace=False)
    await fs.rename(top, "name", top, "NAME", file, replace=True)


async def test_link_that_fails_leaves_nothing(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = await make_posix()
    top = await fs.root()
    one = await make(fs, top, "one")
    await fs.create_directory(top, "directory", 0o755)
    with fails(Kind.IS_A_DIRECTORY):
        await fs.link(one, top, "directory", replace=True)
    assert await names(top) == ["directory", "one"]
    removed = await make(fs, top, "removed")
    await fs.remove(top, "removed", removed)
    with pytest.raises(VfsError):
        await fs.link(removed, top, "again", replace=False)


@pytest.mark.replaces
async def test_kernel_without_getxattrat(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vfs_backends.posix.volume.has_getxattrat", lambda fd: False)
    fs = await make_posix()
    skip_unless(Capability.DOS_ATTRIBUTES in fs.capabilities, Need.XATTRS)
    top = await fs.root()
    file = await make(fs, top, "file")
    await file.set_stat(StatChange(dos_attributes=3))
    assert (await file.stat()).dos_attributes == 3
    assert (await (await fs.lookup(top, "file")).stat()).dos_attributes == 3
    stream = await top.open_directory()
    (entry,) = await stream.read(10)
    assert entry.stat is not None
    assert entry.stat.dos_attributes == 3


async def test_storage_without_nowait_reads(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file", b"data" * 2000)
    preadv = os.preadv
    answers = [errno.EAGAIN, errno.EOPNOTSUPP]

    def refuse(fd: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags:
            number = answers.pop(0)
            raise OSError(number, os.strerror(number))
        return preadv(fd, buffers, offset)

    monkeypatch.setattr(os, "preadv", refuse)
    if fs.is_inline:  # the first is tried again in a task
        answers.insert(0, errno.EAGAIN)
    for _ in range(3):
        assert await contents(file, 10_000) == b"data" * 2000
    assert answers == []


async def test_partly_cached_reads(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in memory comes first, and the rest is waited for."""
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file", bytes(range(250)) * 40)
    preadv = os.preadv

    def partly(fd: int, buffers: list[memoryview], offset: int, flags: int = 0) -> int:
        if flags and offset >= 4096:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return preadv(fd, [buffers[0][: 4096 - offset]] if flags else buffers, offset)

    monkeypatch.setattr(os, "preadv", partly)
    assert await contents(file, 20_000) == bytes(range(250)) * 40
    assert await contents(file, 100) == bytes(range(100))
    assert [file.read_at_hand(0, memoryview(bytearray(size))) for size in (100, 20_000)] == [100, -1]


async def test_short_writes_are_continued(make_posix: MakePosix, monkeypatch: pytest.MonkeyPatch) -> None:
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file")
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: pwrite(fd, data[:7], offset))
    await file.write(3, memoryview(bytes(range(50))))
    assert await contents(file) == bytes(3) + bytes(range(50))


async def test_large_shrinking_goes_to_a_thread(make_posix: MakePosix) -> None:
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file")
    await file.set_size(1 << 30)
    waited = fs.waited
    await file.set_size(1 << 29)
    assert fs.waited == waited + fs.is_inline
    assert (await file.stat()).size == 1 << 29


async def test_io_handle_for_reading_can_be_truncated(make_posix: MakePosix) -> None:
    fs = await make_posix()
    top = await fs.root()
    await make(fs, top, "file", b"data")
    file = await fs.lookup(top, "file")
    await file.open_io(READ)
    await file.set_size(2)
    await file.open_io(WRITE)
    await file.set_size(1)
    assert (await file.stat()).size == 1


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, Kind.NOT_FOUND),
        (errno.EDQUOT, Kind.QUOTA),
        (errno.EMFILE, Kind.TOO_MANY_OPEN_FILES),
        (errno.EMLINK, Kind.TOO_MANY_LINKS),
        (errno.ESTALE, Kind.STALE),
        (errno.ETXTBSY, Kind.BUSY),
        (errno.EIO, Kind.IO),
        (12345, Kind.IO),
    ],
)
def test_error_numbers(number: int, kind: Kind) -> None:
    assert kind_of(number) is kind
    assert vfs_error(OSError(number, "reason"), "name").kind is kind
    assert vfs_error(OSError("no number")).kind is Kind.IO


async def test_too_many_open_files(make_posix: MakePosix) -> None:
    import resource

    fs = await make_posix()
    top = await fs.root()
    await make(fs, top, "file")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = max(int(fd) for fd in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 5, hard))
    try:
        with fails(Kind.TOO_MANY_OPEN_FILES):
            for _ in range(used + 10):
                await fs.lookup(top, "file")
        with fails(Kind.TOO_MANY_OPEN_FILES):
            for n in range(used + 10):
                await make(fs, top, f"{n}")
        with fails(Kind.TOO_MANY_OPEN_FILES):
            await fs.create_directory(top, "directory", 0o755)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "directory" not in await names(top)
