"""SMB clients and local programs on the same files."""

import errno
import fcntl
import mmap
import os
import signal
import time
from functools import partial

import pytest
import trio

from gateway.nt.constants import FILE_DELETE_ON_CLOSE, FILE_OPEN
from gateway.nt.status import (
    STATUS_DELETE_PENDING,
    STATUS_LOCK_NOT_GRANTED,
    STATUS_PENDING,
    STATUS_SHARING_VIOLATION,
)
from tests.fuse.peers import (
    DELETE,
    READ,
    READ_ATTRIBUTES,
    WRITE,
    H,
    R,
    W,
    opened_and_closed,
    program,
    reader_of,
    smb,
    until,
)
from tests.interop.servers import Configuration
from tests.smb.client import EXCLUSIVE, NOW, SHARED, UNLOCK

CONFIGURATION = Configuration(parameters={"fuse sharing timeout": "1"}, shares={"share": {}})


@pytest.fixture
def top(mount):
    return mount.path / "share"


async def refused(number, call, *arguments):
    with pytest.raises(OSError, match=r".") as raised:
        await program(call, *arguments)
    assert errno.errorcode[raised.value.errno or 0] == errno.errorcode[number]


async def test_what_one_writes_the_other_reads(mount, top):
    async with smb(mount) as client:
        file = await client.open("both")
        path = top / "both"
        for number in range(20):
            await client.client.write(file, b"by smb %03d" % number)
            assert await program(path.read_bytes) == b"by smb %03d" % number
            await program(path.write_bytes, b"by prg %03d" % number)
            assert await client.client.read(file, 100) == b"by prg %03d" % number
        await client.close(file)


async def test_what_is_mapped_is_seen_to_change(mount, top):
    path = top / "mapped"
    path.write_bytes(bytes(4096))
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, prot=mmap.PROT_READ) as mapped:
        assert mapped[0] == 0
        async with smb(mount) as client:
            file = await client.open("mapped")
            await client.client.write(file, b"\1")
            await until(lambda: program(mapped.__getitem__, 0))


async def test_names(mount, top):
    async with smb(mount) as client:
        await client.close(await client.open("by smb"))
        assert "by smb" in await program(os.listdir, top)
        await program(os.rename, top / "by smb", top / "by fuse")
        assert await client.status("by smb", disposition=FILE_OPEN)
        file = await client.open("BY FUSE", disposition=FILE_OPEN, options=FILE_DELETE_ON_CLOSE)
        await client.close(file)
        await refused(errno.ENOENT, os.stat, top / "by fuse")


async def test_an_open_that_shares_nothing_is_waited_for(mount, top):
    path = top / "denied"
    path.write_text("x")
    async with smb(mount) as client:
        file = await client.open("denied", share=0)
        begin = time.monotonic()
        await refused(errno.EBUSY, opened_and_closed, path, os.O_RDONLY)
        assert 0.9 < time.monotonic() - begin < 5
        assert (await program(os.stat, path)).st_size == 1
        await refused(errno.EBUSY, os.unlink, path)
        await refused(errno.EBUSY, os.rename, path, top / "x")
        await refused(errno.EBUSY, os.truncate, path, 0)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(program, opened_and_closed, path, os.O_RDONLY)
            await trio.sleep(0.3)
            await client.close(file)


@pytest.mark.parametrize(
    ("share", "flags", "is_refused"),
    [
        (1, os.O_RDONLY, False),
        (1, os.O_WRONLY, True),
        (2, os.O_RDONLY, True),
        (2, os.O_WRONLY, False),
        (3, os.O_RDWR, False),
    ],
)
async def test_deny_modes(mount, top, share, flags, is_refused):
    path = top / "modes"
    path.write_text("x")
    async with smb(mount) as client:
        file = await client.open("modes", share=share, access=READ_ATTRIBUTES | READ)
        if is_refused:
            await refused(errno.EBUSY, opened_and_closed, path, flags)
        else:
            await program(opened_and_closed, path, flags)
        await client.close(file)


async def test_programs_are_respected_by_clients(mount, top):
    path = top / "in use"
    descriptor = await program(os.open, path, os.O_CREAT | os.O_RDWR)
    async with smb(mount) as client:
        assert await client.status("in use", share=1) == STATUS_SHARING_VIOLATION
        assert await client.status("in use", share=3) == 0
        await program(os.close, descriptor)

        async def free():
            return not await client.status("in use", share=1)

        # The kernel tells of a close(2) when it is done.
        await until(free)


@pytest.mark.parametrize(
    ("held", "call", "left"),
    [
        (R | H | W, lambda path: opened_and_closed(path, os.O_RDONLY), R | H),
        (R | W, lambda path: opened_and_closed(path, os.O_RDONLY), R),
        (R | H | W, lambda path: path.read_bytes(), R | H),
        (R | H | W, lambda path: path.unlink(), R),
        (R | H, lambda path: path.rename(path.with_name("elsewhere")), R),
    ],
    ids=["open RWH", "open RW", "read RWH", "unlink RWH", "rename RH"],
)
async def test_programs_wait_for_breaks(mount, top, held, call, left):
    path = top / "leased"
    path.write_text("contents")
    async with smb(mount) as client:
        _, key, granted = await client.lease("leased", held, access=READ | WRITE | DELETE)
        assert granted == held
        done = []

        async def act():
            await program(call, path)
            done.append(trio.current_time())

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(act)
                told = await client.told()
                assert told.lease_key == key
                assert told.current_lease_state == held
                await trio.sleep(0.2)
                assert not done
                before = trio.current_time()
                await client.acknowledge(told)
                while not done:
                    if told.new_lease_state & ~left:
                        told = await client.told()
                        await client.acknowledge(told)
                    await trio.sleep(0.01)
        assert done[0] >= before


async def test_cached_writes_are_read(mount, top):
    """What a client has kept back, it writes when a program opens the file."""
    path = top / "kept back"
    path.write_text("old")
    async with smb(mount) as client:
        file, _, granted = await client.lease("kept back", R | W, access=READ | WRITE)
        assert granted == R | W
        found = []

        async def read():
            found.append(await program(path.read_bytes))

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                told = await client.told()
                await client.client.write(file, b"new")
                await client.acknowledge(told)
        assert found == [b"new"]


@pytest.mark.parametrize("change", ["write", "truncate", "append"])
async def test_changes_break_read_leases(mount, top, change):
    path = top / "read"
    path.write_text("contents")
    async with smb(mount) as client:
        _, _, granted = await client.lease("read", R, access=READ)
        assert granted == R
        descriptor = await program(os.open, path, os.O_RDWR | (os.O_APPEND if change == "append" else 0))
        if change == "truncate":
            await program(os.ftruncate, descriptor, 0)
        else:
            await program(os.write, descriptor, b"x")
        with trio.fail_after(5):
            told = await client.told()
        assert told.new_lease_state == 0
        await program(os.close, descriptor)


async def test_a_program_that_waits_can_be_interrupted(mount, top):
    path = top / "waited for"
    path.write_text("x")
    async with smb(mount) as client:
        await client.lease("waited for", R | W, access=READ | WRITE)
        process = reader_of(path)
        with trio.fail_after(10):
            await client.told()
            await trio.sleep(0.5)
            assert process.poll() is None
            begin = time.monotonic()
            process.send_signal(signal.SIGKILL)
            await program(process.wait)
        assert time.monotonic() - begin < 3
        assert process.communicate()[1] == b""


async def test_what_a_client_deletes_is_gone_for_programs(mount, top):
    path = top / "doomed"
    path.write_text("x")
    async with smb(mount) as client:
        file = await client.open("doomed", options=FILE_DELETE_ON_CLOSE)
        other = await client.open("doomed", access=READ)
        await client.close(file)
        # It goes with the last open.
        await refused(errno.ENOENT, opened_and_closed, path, os.O_RDONLY)
        await client.close(other)
        await refused(errno.ENOENT, os.stat, path)


async def test_what_a_program_deletes_stays_open_for_clients(mount, top):
    path = top / "unlinked"
    path.write_text("contents")
    async with smb(mount) as client:
        file = await client.open("unlinked", access=READ | DELETE)
        await program(path.unlink)
        assert await client.client.read(file, 100) == b"contents"
        await program(path.write_text, "another")
        assert await client.client.read(file, 100) == b"contents"
        await client.close(file)
        assert await program(path.read_text) == "another"


async def test_a_client_deletes_what_a_program_has_open(mount, top):
    path = top / "open here"
    path.write_text("contents")
    descriptor = await program(os.open, path, os.O_RDONLY)
    async with smb(mount) as client:
        await client.close(await client.open("open here", options=FILE_DELETE_ON_CLOSE))
        assert await client.status("open here") == STATUS_DELETE_PENDING
        assert await program(os.read, descriptor, 100) == b"contents"
        await program(os.close, descriptor)

        async def gone():
            return not await program(path.exists)

        await until(gone)


async def test_a_file_that_a_client_renames(mount, top):
    path = top / "before"
    path.write_text("contents")
    descriptor = await program(os.open, path, os.O_RDWR)
    async with smb(mount) as client:
        file = await client.open("before")
        data = bytes([1]) + bytes(7 + 8) + (10).to_bytes(4, "little") + "after".encode("utf-16-le")
        (response,) = await client.client.ask(client.client.set_info_call(file, 10, data))
        assert response.status == 0
        await program(os.write, descriptor, b"C")
        assert await program((top / "after").read_bytes) == b"Contents"
        await refused(errno.ENOENT, os.stat, path)
        await program(os.fchmod, descriptor, 0o600)
        assert (await program(os.stat, top / "after")).st_mode & 0o777 == 0o600
    await program(os.close, descriptor)


async def test_byte_range_locks_of_clients_hold_for_programs(mount, top):
    path = top / "locked"
    path.write_bytes(b"0123456789")
    async with smb(mount) as client:
        file = await client.open("locked")
        (response,) = await client.client.ask(client.client.lock_call(file, (0, 5, 2 | 16)))
        assert response.status == 0

        def write(offset):
            descriptor = os.open(path, os.O_WRONLY)
            try:
                os.pwrite(descriptor, b"x", offset)
            finally:
                os.close(descriptor)

        await refused(errno.EAGAIN, write, 2)
        await program(write, 7)
        await client.close(file)
        await program(write, 2)
        assert await program(path.read_bytes) == b"01x3456x89"


def lock(descriptor, offset, length, kind=fcntl.LOCK_EX):
    """Lock as a program does, or fail at once."""
    fcntl.lockf(descriptor, kind | fcntl.LOCK_NB, length, offset)


async def test_locks_of_clients_stand_in_the_way_of_programs(mount, top):
    path = top / "locked by a client"
    path.write_bytes(bytes(100))
    descriptor = await program(os.open, path, os.O_RDWR)
    async with smb(mount) as client:
        file = await client.open("locked by a client")
        ask, call = client.client.ask, client.client.lock_call
        (response,) = await ask(call(file, (0, 10, EXCLUSIVE | NOW), (20, 10, SHARED | NOW)))
        assert response.status == 0
        await refused(errno.EAGAIN, lock, descriptor, 5, 1)
        await refused(errno.EAGAIN, lock, descriptor, 5, 1, fcntl.LOCK_SH)
        await refused(errno.EAGAIN, lock, descriptor, 29, 5)
        await program(lock, descriptor, 29, 5, fcntl.LOCK_SH)
        await program(lock, descriptor, 10, 10)
        # One of two locks on a range goes.
        (response,) = await ask(call(file, (20, 5, SHARED | NOW)))
        assert response.status == 0
        (response,) = await ask(call(file, (20, 10, UNLOCK)))
        assert response.status == 0
        await refused(errno.EAGAIN, lock, descriptor, 24, 1)
        await program(lock, descriptor, 25, 1)
        await client.close(file)

        async def free():
            try:
                await program(lock, descriptor, 0, 100)
            except BlockingIOError:
                return False
            return True

        await until(free)
    await program(os.close, descriptor)


async def test_locks_of_programs_stand_in_the_way_of_clients(mount, top):
    path = top / "locked by a program"
    path.write_bytes(bytes(100))
    descriptor = await program(os.open, path, os.O_RDWR)
    await program(lock, descriptor, 0, 10)
    async with smb(mount) as client:
        file = await client.open("locked by a program")
        ask, call = client.client.ask, client.client.lock_call
        (response,) = await ask(call(file, (50, 10, EXCLUSIVE | NOW), (5, 1, SHARED | NOW)))
        assert response.status == STATUS_LOCK_NOT_GRANTED
        # Nothing is left of it.
        await program(lock, descriptor, 50, 10)
        (response,) = await ask(call(file, (10, 10, EXCLUSIVE | NOW)))
        assert response.status == 0
        (waiting,) = await client.client.send(call(file, (5, 3, EXCLUSIVE)))
        assert (await client.client.next(waiting)).status == STATUS_PENDING
        await trio.sleep(0.2)
        await program(fcntl.lockf, descriptor, fcntl.LOCK_UN, 10, 0)
        with trio.fail_after(5):
            assert (await client.client.final(waiting)).status == 0
        await refused(errno.EAGAIN, lock, descriptor, 5, 1)
    await program(os.close, descriptor)


async def test_a_client_that_shares_nothing_can_lock(mount, top):
    (top / "alone").write_bytes(bytes(100))
    async with smb(mount) as client:
        file, _, granted = await client.lease("alone", R | H | W, access=READ | WRITE, share=0)
        (response,) = await client.client.ask(client.client.lock_call(file, (0, 10, EXCLUSIVE | NOW)))
        assert (response.status, granted) == (0, R | H | W)
        await client.close(file)


async def test_clients_are_told_of_changes_by_programs(mount, top):
    (top / "watched").mkdir()
    async with smb(mount) as client:
        directory = await client.open("watched", options=1, disposition=FILE_OPEN)
        (message,) = await client.client.send(client.client.notify_call(directory))
        await trio.sleep(0.2)
        await program((top / "watched/new").touch)
        with trio.fail_after(5):
            response = await client.client.final(message)
        assert "new".encode("utf-16-le") in bytes(response.message)


async def test_clients_are_told_of_attributes_that_programs_set(mount, top):
    (top / "described").mkdir()
    file = top / "described/file"
    file.touch()
    async with smb(mount) as client:
        directory = await client.open("described", options=1, disposition=FILE_OPEN)
        for change in (partial(os.setxattr, file, "user.comment", b""), partial(os.removexattr, file, "user.comment")):
            (message,) = await client.client.send(client.client.notify_call(directory))
            await trio.sleep(0.2)
            await program(change)
            with trio.fail_after(5):
                response = await client.client.final(message)
            assert "file".encode("utf-16-le") in bytes(response.message)
            assert ("user.comment" in await program(os.listxattr, file)) is (change.func is os.setxattr)


async def test_many_waiting_programs_do_not_stop_the_mount(mount, top):
    path = top / "popular"
    path.write_text("x")
    async with smb(mount) as client:
        with trio.fail_after(60):
            await client.lease("popular", R | W, access=READ | WRITE)
            limiter = trio.CapacityLimiter(200)
            async with trio.open_nursery() as nursery:
                for _ in range(150):
                    nursery.start_soon(
                        lambda: trio.to_thread.run_sync(opened_and_closed, path, os.O_RDONLY, limiter=limiter)
                    )
                told = await client.told()
                await trio.sleep(0.5)
                begin = time.monotonic()
                await program((top / "other").write_text, "still going")
                assert await program((top / "other").read_text) == "still going"
                assert time.monotonic() - begin < 5
                await client.acknowledge(told)
