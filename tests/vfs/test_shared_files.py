"""Files that can have kernel leases: one descriptor for all who open them here, and what the kernel tells of others."""

import os
import resource
import subprocess
import sys

import pytest
import trio

from gateway.nt.upcase import upcase
from tests.requirements import Need, needs
from vfs_backends.api import Caller, Capability, Handle, IoAccess, LeaseKind
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import PosixFileSystem

pytestmark = needs(Need.ROOT, Need.LINUX)
READ, WRITE = IoAccess.READ, IoAccess.WRITE
OWNER, OTHER = Caller(1001, 1001), Caller(1002, 1002)
OPEN = "import os, sys; os.close(os.open(sys.argv[1], int(sys.argv[2])))"


class Files:
    """A file system with a file in it, and what was told of its leases."""

    def __init__(self, path) -> None:
        self.path = path / "file"
        self.path.write_bytes(b"0123456789")
        self.fs = PosixFileSystem(path, fold=upcase, leases=True)
        self.told, self.told_of = trio.open_memory_channel[LeaseKind](100)
        self.handles: list[Handle] = []
        self.root: Handle

    def broken(self, left: LeaseKind) -> None:
        self.told.send_nowait(left)

    async def opened(self, access, caller=None):
        handle = await self.fs.lookup(self.root, "file")
        self.handles.append(handle)
        await handle.open_io(access, caller)
        return handle

    def open_elsewhere(self, flags=os.O_RDONLY):
        return subprocess.Popen([sys.executable, "-c", OPEN, str(self.path), str(flags)])

    async def next_told(self):
        with trio.fail_after(20):
            return await self.told_of.receive()


@pytest.fixture
async def files(tmp_path):
    made = Files(tmp_path)
    await made.fs.start()
    assert Capability.KERNEL_LEASES in made.fs.capabilities
    made.root = await made.fs.root()
    yield made
    for handle in made.handles:
        await handle.aclose()
    await made.root.aclose()
    await made.fs.aclose()


def descriptions(path):
    """How many open file descriptions this process has of a file: duplicates share their position."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.stat(f"/proc/self/fd/{name}"), path.stat()):
                found.append(int(name))
        except OSError:
            continue
    for number, fd in enumerate(found):
        os.lseek(fd, number + 1, os.SEEK_SET)
    return len({os.lseek(fd, 0, os.SEEK_CUR) for fd in found})


async def content(handle):
    buffer = bytearray(100)
    return bytes(buffer[: await handle.read_into(0, memoryview(buffer))])


async def test_all_share_a_description_however_they_came(files):
    reader = await files.opened(READ)
    assert descriptions(files.path) == 1
    writer = await files.opened(WRITE)
    both = await files.opened(READ | WRITE)
    assert descriptions(files.path) == 1
    await writer.write(0, memoryview(b"changed"))
    assert await content(reader) == b"changed789"
    await writer.aclose()
    assert await content(both) == b"changed789"
    await reader.open_io(READ)  # once more
    assert await content(reader) == b"changed789"


@pytest.mark.parametrize("first", [READ, READ | WRITE])
async def test_rights_count_as_if_it_was_opened(files, first):
    """What others have open does not open it for who may not."""
    os.chown(files.path, OWNER.uid, OWNER.gid)
    files.path.chmod(0o640)
    await files.opened(first, OWNER)
    for access in (READ, WRITE, READ | WRITE):
        with pytest.raises(VfsError) as refused:
            await files.opened(access, OTHER)
        assert refused.value.kind is Kind.ACCESS_DENIED
    files.path.chmod(0o444)
    assert await content(await files.opened(READ, OTHER)) == b"0123456789"
    with pytest.raises(VfsError):
        await files.opened(WRITE, OTHER)
    with pytest.raises(VfsError):
        await files.opened(WRITE, OWNER)
    await files.opened(WRITE, Caller(1002, 1002, overrules=True))


async def test_a_lease_goes_on_when_more_is_needed(files):
    reader = await files.opened(READ)
    assert reader.set_lease(LeaseKind.WRITE, files.broken)
    writer = await files.opened(READ | WRITE)
    assert reader.lease is writer.lease is LeaseKind.WRITE
    with files.open_elsewhere() as process:
        assert await files.next_told() is LeaseKind.READ
        assert process.poll() is None
        assert not writer.set_lease(LeaseKind.READ, files.broken)  # it is open for writing
        assert writer.set_lease(LeaseKind.NONE, files.broken)
        assert process.wait(20) == 0


async def test_reads_end_with_who_writes(files):
    reader = await files.opened(READ)
    assert reader.set_lease(LeaseKind.READ, files.broken)
    await files.opened(WRITE)
    assert await files.next_told() is LeaseKind.NONE
    assert reader.lease is LeaseKind.NONE


async def test_reads_stand_when_nobody_writes_any_more(files):
    reader = await files.opened(READ)
    writer = await files.opened(READ | WRITE)
    assert not reader.set_lease(LeaseKind.READ, files.broken)
    await writer.aclose()
    assert reader.set_lease(LeaseKind.READ, files.broken)
    assert await content(reader) == b"0123456789"
    assert descriptions(files.path) == 1


async def test_a_write_lease_becomes_one_for_reads(files):
    reader = await files.opened(READ)
    assert reader.set_lease(LeaseKind.WRITE, files.broken)
    with files.open_elsewhere() as process:
        assert await files.next_told() is LeaseKind.READ
        assert not reader.set_lease(LeaseKind.WRITE, files.broken)  # somebody waits
        assert reader.set_lease(LeaseKind.READ, files.broken)
        assert process.wait(20) == 0
    with files.open_elsewhere(os.O_WRONLY) as process:
        assert await files.next_told() is LeaseKind.NONE
        assert reader.set_lease(LeaseKind.NONE, files.broken)
        assert process.wait(20) == 0


async def test_who_opens_while_somebody_waits_waits_too(files):
    reader = await files.opened(READ)
    assert reader.set_lease(LeaseKind.WRITE, files.broken)
    with files.open_elsewhere() as process:
        await files.next_told()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(files.opened, WRITE)
            await trio.sleep(0.3)
            assert process.poll() is None
            assert nursery.child_tasks
            reader.set_lease(LeaseKind.NONE, files.broken)
        assert process.wait(20) == 0


async def test_the_kernel_runs_out_of_signals(files):
    """Then it tells that something has happened, and not where."""
    reader = await files.opened(READ)
    assert reader.set_lease(LeaseKind.WRITE, files.broken)
    limit = resource.getrlimit(resource.RLIMIT_SIGPENDING)
    resource.setrlimit(resource.RLIMIT_SIGPENDING, (0, limit[1]))
    try:
        with files.open_elsewhere() as process:
            assert await files.next_told() is LeaseKind.READ
            reader.set_lease(LeaseKind.NONE, files.broken)
            assert process.wait(20) == 0
    finally:
        resource.setrlimit(resource.RLIMIT_SIGPENDING, limit)


async def test_a_new_file_is_shared_too(files):
    handle = await files.fs.create_file(files.root, "new", 0o600, READ | WRITE)
    files.handles.append(handle)
    files.path = files.path.with_name("new")
    assert handle.set_lease(LeaseKind.WRITE, files.broken)
    second = await files.fs.lookup(files.root, "new")
    files.handles.append(second)
    await second.open_io(READ)
    assert descriptions(files.path) == 1
    assert second.lease is LeaseKind.WRITE


async def test_nothing_is_left_open(files):
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        one, other = await files.opened(READ), await files.opened(READ | WRITE)
        assert one.set_lease(LeaseKind.WRITE, files.broken)
        await one.aclose()
        other.discard()
        assert other.lease is LeaseKind.NONE
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # that signals are read from
    assert descriptions(files.path) == 0
