"""`kernel locks`: byte-range locks of SMB clients and of local programs meet."""

import fcntl
import os
import signal
import subprocess
import sys

import pytest
import trio

from gateway.nt.status import STATUS_CANCELLED, STATUS_LOCK_NOT_GRANTED, STATUS_PENDING, STATUS_RANGE_NOT_LOCKED
from tests.coexport.peers import smb
from tests.fuse.peers import READ, program, until
from tests.interop.servers import Configuration, smbgate
from tests.smb.client import EXCLUSIVE, NOW, SHARED, UNLOCK
from vfs_backends.api import LockKind, LockSegment
from vfs_backends.ofd_locks import set_locks

CONFIGURATION = Configuration(shares={"share": {"kernel locks": "yes"}})
END = (1 << 63) - 1


@pytest.fixture
def path(top, request):
    found = top / request.node.name[:60]
    found.write_bytes(bytes(1000))
    return found


class Program:
    """Locks of a local program: those of one open file description."""

    def __init__(self, path, flags=os.O_RDWR):
        self.fd = os.open(path, flags)

    def try_lock(self, kind, start, length):
        """Whether it is granted."""
        try:
            fcntl.lockf(self.fd, kind | fcntl.LOCK_NB, length, start)
        except BlockingIOError:
            return False
        return True

    def unlock(self, start=0, length=0):
        fcntl.lockf(self.fd, fcntl.LOCK_UN, length, start)

    def could(self, kind, start, length=1):
        """Whether it could lock."""
        if not self.try_lock(kind, start, length):
            return False
        self.unlock(start, length)
        return True

    def picture(self, places):
        """At each place: - if free, s if others read it, x if they have it."""
        exclusive = [self.could(fcntl.LOCK_EX, place) for place in places]
        shared = [self.could(fcntl.LOCK_SH, place) for place in places]
        return "".join("-" if ex else "s" if sh else "x" for ex, sh in zip(exclusive, shared, strict=True))


@pytest.fixture
def local(path):
    made = Program(path)
    yield made
    os.close(made.fd)


async def locked(client, file, *locks):
    (response,) = await client.client.ask(client.client.lock_call(file, *locks))
    return response.status


async def test_what_a_client_locks_a_program_cannot(server, path, local):
    async with smb(server) as client:
        file = await client.open(path.name)
        assert await locked(client, file, (10, 10, EXCLUSIVE | NOW), (30, 10, SHARED | NOW)) == 0
        assert local.picture([9, 10, 19, 20, 29, 30, 39, 40]) == "-xx--ss-"
        assert await locked(client, file, (10, 10, UNLOCK)) == 0
        assert local.picture([9, 10, 19, 20, 29, 30, 39, 40]) == "-----ss-"
        await client.close(file)
        assert local.could(fcntl.LOCK_EX, 0, 0)


async def test_locks_by_open_file_description(server, path, local):
    """Neither does it matter which kind of lock of fcntl(2) it is."""
    with path.open("r+b") as opened:
        assert set_locks(opened.fileno(), [LockSegment(LockKind.EXCLUSIVE, 10, 10)])
        async with smb(server) as client:
            file = await client.open(path.name)
            assert await locked(client, file, (15, 1, SHARED | NOW)) == STATUS_LOCK_NOT_GRANTED
            assert await locked(client, file, (20, 1, EXCLUSIVE | NOW)) == 0
            assert not set_locks(opened.fileno(), [LockSegment(LockKind.SHARED, 20, 1)])
            await client.close(file)
        assert set_locks(opened.fileno(), [LockSegment(LockKind.SHARED, 20, 1)])


async def test_what_a_program_locks_a_client_cannot(server, path, local):
    assert local.try_lock(fcntl.LOCK_EX, 10, 10)
    assert local.try_lock(fcntl.LOCK_SH, 30, 10)
    async with smb(server) as client:
        file = await client.open(path.name)
        for offset, kind, status in (
            (10, EXCLUSIVE, STATUS_LOCK_NOT_GRANTED),
            (19, SHARED, STATUS_LOCK_NOT_GRANTED),
            (20, EXCLUSIVE, 0),
            (30, EXCLUSIVE, STATUS_LOCK_NOT_GRANTED),
            (30, SHARED, 0),
        ):
            assert await locked(client, file, (offset, 1, kind | NOW)) == status, offset
        # Nothing is left of what was refused, on either side.
        assert await locked(client, file, (10, 1, UNLOCK)) == STATUS_RANGE_NOT_LOCKED
        local.unlock(10, 10)
        assert local.picture([10, 19]) == "--"
        assert await locked(client, file, (10, 1, EXCLUSIVE | NOW)) == 0


async def test_all_or_nothing(server, path, local):
    assert local.try_lock(fcntl.LOCK_EX, 50, 1)
    async with smb(server) as client:
        file = await client.open(path.name)
        assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0
        several = [(offset, 5, EXCLUSIVE | NOW) for offset in (20, 30, 48, 60)]
        assert await locked(client, file, *several) == STATUS_LOCK_NOT_GRANTED
        assert local.picture([0, 9, 20, 30, 48, 60]) == "xx----"


async def test_locks_that_lie_upon_each_other(server, path, local):
    """A client's shared locks stack, also upon its own exclusive one; the kernel's merge."""
    async with smb(server) as client, smb(server) as other:
        first, second = await client.open(path.name), await other.open(path.name)
        assert await locked(client, first, (0, 20, SHARED | NOW)) == 0
        assert await locked(client, first, (10, 20, SHARED | NOW)) == 0
        assert await locked(other, second, (15, 30, SHARED | NOW)) == 0
        places = [0, 10, 15, 20, 30, 44, 45]
        assert local.picture(places) == "ssssss-"
        assert await locked(client, first, (10, 20, UNLOCK)) == 0
        assert local.picture(places) == "ssssss-"
        assert await locked(client, first, (0, 20, UNLOCK)) == 0
        assert local.picture(places) == "--ssss-"
        await other.close(second)
        assert await locked(client, first, (0, 50, EXCLUSIVE | NOW)) == 0
        assert await locked(client, first, (10, 10, SHARED | NOW)) == 0
        assert local.picture(places) == "xxxxxxx"
        assert await locked(client, first, (0, 50, UNLOCK)) == 0
        assert local.picture(places) == "-ss----"


async def test_a_close_leaves_what_others_have(server, path, local):
    async with smb(server) as client, smb(server) as other:
        first, second = await client.open(path.name), await other.open(path.name)
        assert await locked(client, first, (0, 10, EXCLUSIVE | NOW)) == 0
        assert await locked(other, second, (10, 10, EXCLUSIVE | NOW)) == 0
        await client.close(first)
        assert local.picture([0, 9, 10, 19, 20]) == "--xx-"


async def test_empty_and_distant_ranges(server, path, local):
    async with smb(server) as client:
        file = await client.open(path.name)
        assert await locked(client, file, (10, 0, EXCLUSIVE | NOW)) == 0
        assert local.could(fcntl.LOCK_EX, 0, 0)
        assert await locked(client, file, ((1 << 63) + 10, 100, EXCLUSIVE | NOW)) == 0
        assert local.could(fcntl.LOCK_EX, 0, 0)
        assert await locked(client, file, (100, (1 << 64) - 100, EXCLUSIVE | NOW)) == STATUS_LOCK_NOT_GRANTED
        assert await locked(client, file, ((1 << 63) + 10, 100, UNLOCK)) == 0
        assert await locked(client, file, (100, (1 << 64) - 100, EXCLUSIVE | NOW)) == 0
        assert local.picture([99, 100, 1 << 40, END - 1]) == "-xxx"
        # A program's lock of everything from some place on meets it too.
        assert not local.could(fcntl.LOCK_SH, 0, 0)


async def test_a_client_waits_for_a_program(server, path, local):
    assert local.try_lock(fcntl.LOCK_EX, 0, 10)
    async with smb(server) as client:
        file = await client.open(path.name)
        (waiting,) = await client.client.send(client.client.lock_call(file, (5, 10, EXCLUSIVE)))
        assert (await client.client.next(waiting)).status == STATUS_PENDING
        local.unlock()
        assert (await client.client.final(waiting)).status == 0
        assert local.picture([4, 5, 14, 15]) == "-xx-"


async def test_waiting_can_be_cancelled(server, path, local):
    assert local.try_lock(fcntl.LOCK_EX, 0, 10)
    async with smb(server) as client:
        file = await client.open(path.name)
        (waiting,) = await client.client.send(client.client.lock_call(file, (5, 10, EXCLUSIVE)))
        interim = await client.client.next(waiting)
        assert interim.status == STATUS_PENDING
        await client.client.cancel(waiting, interim.header.async_id)
        assert (await client.client.final(waiting)).status == STATUS_CANCELLED
        local.unlock()
        assert local.could(fcntl.LOCK_EX, 0, 0)
        assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0


async def test_a_program_waits_for_a_client(server, path):
    async with smb(server) as client:
        file = await client.open(path.name)
        assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0
        code = "import fcntl, sys; f = open(sys.argv[1], 'r+'); print('x', flush=True); fcntl.lockf(f, fcntl.LOCK_EX)"
        waiting = await trio.lowlevel.open_process(
            [sys.executable, "-c", code + "; print('y')", str(path)], stdout=subprocess.PIPE
        )
        assert waiting.stdout is not None
        assert (await waiting.stdout.receive_some(2))[:1] == b"x"
        await trio.sleep(0.5)
        assert waiting.returncode is None
        assert await locked(client, file, (0, 10, UNLOCK)) == 0
        with trio.fail_after(20):
            assert await waiting.wait() == 0


async def test_an_open_that_only_reads(server, path, local):
    async with smb(server) as client:
        file = await client.open(path.name, access=READ)
        assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0
        assert local.picture([0, 9, 10]) == "xx-"


async def test_a_stream_is_another_file(server, path, local):
    async with smb(server) as client:
        file = await client.open(path.name + ":stream")
        assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0
        assert local.could(fcntl.LOCK_EX, 0, 0)


async def test_locks_do_not_outlive_the_connection(server, path, local):
    async with smb(server) as client:
        file = await client.open(path.name)
        assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0
        assert not local.could(fcntl.LOCK_EX, 0)

    async def is_free():
        return local.could(fcntl.LOCK_EX, 0)

    await until(is_free)


async def test_locks_do_not_outlive_the_server(tmp_path):
    with smbgate(tmp_path, CONFIGURATION) as server:
        path = server.shares["share"] / "file"
        path.write_bytes(bytes(100))
        local = Program(path)
        async with smb(server) as client:
            file = await client.open(path.name)
            assert await locked(client, file, (0, 10, EXCLUSIVE | NOW)) == 0
            assert not local.could(fcntl.LOCK_EX, 0)
            server.good_codes = frozenset({-signal.SIGKILL})
            await program(server.stop, signal.SIGKILL)
            assert local.could(fcntl.LOCK_EX, 0)
        os.close(local.fd)
