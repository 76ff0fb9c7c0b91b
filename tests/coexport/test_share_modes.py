"""`kernel share modes = enforce`: local programs open files only as clients let them."""

import errno
import os
import shlex
import shutil
import subprocess
import time

import pytest
import trio

from tests.coexport.peers import Waiting, killed_while_a_program_waits, smb, told
from tests.fuse.peers import READ, WRITE, H, R, W, opened_and_closed, program
from tests.interop.servers import Configuration, smbgate

ENFORCED = {"kernel share modes": "enforce"}
CONFIGURATION = Configuration(shares={"share": ENFORCED, "leased": ENFORCED | {"kernel leases": "yes"}})

ALL = R | W | H
NOTHING, READS, WRITES, EVERYTHING = 0, 1, 2, 7
READING, WRITING = READ | 0x80, READ | WRITE | 0x10080


@pytest.fixture
def path(top, request):
    found = top / request.node.name[:60].replace("[", "-").replace("]", "")
    found.write_bytes(b"before")
    return found


async def refused(call, *arguments):
    with pytest.raises(OSError, match="busy"):
        await program(call, *arguments)


@pytest.mark.parametrize("share", [NOTHING, READS, WRITES, READS | WRITES, EVERYTHING])
async def test_opens_are_for_reading_and_writing(server, path, share):
    async with smb(server) as client:
        file = await client.open(path.name, access=READING, share=share)
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDONLY | os.O_NONBLOCK):
            if share & READS and share & WRITES:
                await program(opened_and_closed, path, flags)
            else:
                await refused(opened_and_closed, path, flags)
        await client.close(file)
    await program(opened_and_closed, path, os.O_RDWR)


async def test_running_is_opening(server, path):
    shutil.copyfile("/bin/true", path)
    path.chmod(0o755)

    def run():
        return subprocess.run(["sh", "-c", shlex.quote(str(path))], check=False, capture_output=True).returncode

    async with smb(server) as client:
        file = await client.open(path.name, access=READING, share=NOTHING)
        assert await program(run) != 0
        await client.close(file)
    assert await program(run) == 0


@pytest.mark.parametrize("name", ["chmod", "rename", "unlink", "setxattr", "link", "stat", "truncate", "O_PATH"])
async def test_what_is_not_asked_about(server, path, name):
    calls = {
        "chmod": lambda: path.chmod(0o600),
        "rename": lambda: path.rename(f"{path} too"),
        "unlink": path.unlink,
        "setxattr": lambda: os.setxattr(path, "user.x", b"x"),
        "link": lambda: os.link(path, f"{path} too"),
        "stat": path.stat,
        "truncate": lambda: os.truncate(path, 1),
        "O_PATH": lambda: opened_and_closed(path, os.O_PATH),
    }
    async with smb(server) as client:
        file = await client.open(path.name, access=READING, share=NOTHING)
        await program(calls[name])
        await client.close(file)


async def test_what_is_open_stays_usable(server, path):
    fd = os.open(path, os.O_RDWR)
    async with smb(server) as client:
        file = await client.open(path.name, access=READING, share=NOTHING)
        os.pwrite(fd, b"by the program", 0)
        assert await client.client.read(file, 100) == b"by the program"
        await client.close(file)
    os.close(fd)


async def test_a_new_file(server, top):
    async with smb(server) as client:
        file = await client.open("brand new", share=NOTHING)
        await refused(opened_and_closed, top / "brand new", os.O_RDONLY)
        await client.close(file)
    await program(opened_and_closed, top / "brand new", os.O_RDONLY)


async def test_clients_do_not_ask(server, path):
    """Nor does anything that the server does itself, however often it opens what is guarded."""
    async with smb(server) as client, smb(server) as other:
        file = await client.open(path.name, access=READING)
        begin = time.monotonic()
        for _ in range(50):
            second = await other.open(path.name, access=WRITING)
            await other.client.write(second, b"by a client")
            await other.close(second)
        assert time.monotonic() - begin < 20
        await client.close(file)


async def test_a_cached_handle_is_closed_for_a_program(server, path):
    async with smb(server) as client:
        file, _, granted = await client.lease_with(path.name, R | H, READING, share=NOTHING)
        assert granted == R | H
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            broken = await told(client)
            assert broken.new_lease_state == R
            assert await waiting.still()
            # It was open in the cache only.
            await client.close(file)
        assert waiting.result == b"before"


async def test_a_handle_that_is_in_use_stays(server, path):
    async with smb(server) as client:
        file, _, _ = await client.lease_with(path.name, R | H, READING, share=NOTHING)
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            await client.acknowledge(await told(client))
        assert isinstance(waiting.result, OSError)
        assert waiting.result.errno == errno.EBUSY
        await client.close(file)


@pytest.mark.parametrize("share", ["share", "leased"])
async def test_what_was_cached_is_there_before_the_program_reads(server, path, share):
    path = server.shares[share] / path.name
    path.write_bytes(b"before")
    async with smb(server, share) as client:
        file, _, granted = await client.lease_with(path.name, ALL, WRITING)
        assert granted == ALL
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            broken = await told(client)
            assert broken.new_lease_state == R | H
            await client.client.write(file, b"kept until now")
            assert await waiting.still()
            await client.acknowledge(broken)
            # The program may write, for all that is known: nothing is kept on.
            broken = await told(client)
            assert broken.new_lease_state == 0
            await client.acknowledge(broken)
        assert waiting.result == b"kept until now"
        await client.close(file)


async def test_reads_are_not_cached_beside_a_program(server, path):
    async with smb(server) as client:
        file, key, granted = await client.lease_with(path.name, R | H, READING)
        assert granted == R | H
        fd = await program(os.open, path, os.O_RDWR)
        broken = await told(client)
        assert (broken.lease_key, broken.new_lease_state) == (key, 0)
        await client.acknowledge(broken)
        await client.close(file)
        os.close(fd)


@pytest.mark.parametrize(("flags", "granted"), [(None, ALL), (os.O_RDONLY, R | H), (os.O_RDWR, 0)])
async def test_what_a_program_has_open_counts_for_leases(server, path, flags, granted):
    path = server.shares["leased"] / path.name
    path.write_bytes(b"x")
    fd = None if flags is None else os.open(path, flags)
    async with smb(server, "leased") as client:
        file, _, got = await client.lease_with(path.name, ALL, READING)
        assert got == granted
        await client.close(file)
    if fd is not None:
        os.close(fd)


async def test_with_both_writers_may_keep_reads(server, path):
    """Guarded opens need no read lease of the kernel, which does not go with a client that writes."""
    path = server.shares["leased"] / path.name
    path.write_bytes(b"x")
    async with smb(server, "leased") as client, smb(server, "leased") as other:
        second = await other.open(path.name, access=WRITING)
        file, _, granted = await client.lease_with(path.name, R | H, WRITING)
        assert granted == R | H
        await client.close(file)
        await other.close(second)


async def test_many_wait_at_once(server, path):
    async with smb(server) as client:
        file, _, granted = await client.lease_with(path.name, ALL, WRITING)
        assert granted == ALL
        async with trio.open_nursery() as nursery:
            waiting = [Waiting(nursery, path.read_bytes) for _ in range(20)]
            await client.acknowledge(await told(client))
            await client.acknowledge(await told(client))
        assert [one.result for one in waiting] == [b"before"] * 20
        await client.close(file)


async def test_nobody_hangs_when_the_server_is_killed(tmp_path):
    with smbgate(tmp_path, CONFIGURATION) as server:
        path = server.shares["share"] / "file"
        path.write_bytes(b"x")
        async with smb(server) as client:
            _, _, granted = await client.lease_with(path.name, ALL, WRITING)
            assert granted == ALL
            assert await killed_while_a_program_waits(server, client, path.read_bytes) == b"x"


async def test_nobody_hangs_when_the_server_stops(tmp_path):
    with smbgate(tmp_path, CONFIGURATION) as server:
        path = server.shares["share"] / "file"
        path.write_bytes(b"x")
        async with smb(server) as client:
            await client.lease_with(path.name, ALL, WRITING)
            async with trio.open_nursery() as nursery:
                waiting = Waiting(nursery, path.read_bytes)
                await told(client)
                await program(server.stop)
                with trio.fail_after(5):
                    await waiting.done.wait()
            assert waiting.result == b"x"
