"""`kernel leases`: what clients cache is broken by the opens of local programs, which wait for it."""

import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import time

import pytest
import trio

from tests.coexport.peers import LeasingSmb, Waiting, killed_while_a_program_waits, smb, told
from tests.fuse.peers import READ, WRITE, H, R, W, opened_and_closed, program
from tests.interop.servers import Configuration, smbgate

CONFIGURATION = Configuration(shares={"share": {"kernel leases": "yes", "kernel locks": "yes"}})

ALL = R | W | H
_NOT_EXECUTED = 126
READING, WRITING = READ | 0x80, READ | WRITE | 0x10080


@pytest.fixture
def path(top, request):
    found = top / request.node.name[:60].replace("[", "-").replace("]", "")
    found.write_bytes(b"before")
    return found


async def leased(client, path, state=ALL, access=WRITING):
    return await client.lease_with(path.name, state, access)


async def nothing_told(client: LeasingSmb) -> None:
    with trio.move_on_after(0.3):
        pytest.fail(f"was told {await client.told()}")


# --- what is granted


@pytest.mark.parametrize(
    ("flags", "access", "granted"),
    [
        (None, WRITING, ALL),
        (None, READING, ALL),
        (os.O_RDONLY, WRITING, 0),
        (os.O_RDONLY, READING, R | H),
        (os.O_WRONLY, WRITING, 0),
        (os.O_WRONLY, READING, 0),
        (os.O_RDWR, READING, 0),
        (os.O_PATH, WRITING, ALL),
    ],
)
async def test_what_a_program_leaves(server, path, flags, access, granted):
    fd = None if flags is None else os.open(path, flags)
    async with smb(server) as client:
        file, _, got = await leased(client, path, access=access)
        assert got == granted
        await client.close(file)
    if fd is not None:
        os.close(fd)


async def test_what_clients_leave_each_other(server, path):
    async with smb(server) as client, smb(server) as other:
        first, _, granted = await leased(client, path, R | H, READING)
        assert granted == R | H
        second, _, granted = await leased(other, path, R | H, READING)
        assert granted == R | H
        # Who opens it for writing takes away what reads could stand on.
        third = await other.open(path.name, access=WRITING)
        for one in (client, other):
            assert (await told(one)).new_lease_state == 0
        for one, file in ((client, first), (other, second), (other, third)):
            await one.close(file)
        assert await program(path.read_bytes) == b"before"


async def test_a_lease_grows_with_what_its_client_opens(server, path):
    async with smb(server) as client:
        file, key, granted = await leased(client, path, access=READING)
        assert granted == ALL
        more, _, granted = await client.lease_with(path.name, ALL, WRITING, key=key)
        assert granted == ALL
        await client.client.write(more, b"by the client")
        await client.close(file)
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            broken = await told(client)
            assert (broken.lease_key, broken.new_lease_state) == (key, 0)
            await client.acknowledge(broken)
        assert waiting.result == b"by the client"
        await client.close(more)


# --- what breaks it


@pytest.mark.parametrize("access", [READING, WRITING])
@pytest.mark.parametrize(
    ("name", "reads"), [("read", True), ("write", False), ("append", False), ("truncate", False), ("exec", True)]
)
async def test_opens_break_it_and_wait(server, path, access, name, reads):
    calls = {
        "read": lambda: opened_and_closed(path, os.O_RDONLY),
        "write": lambda: opened_and_closed(path, os.O_WRONLY),
        "append": lambda: opened_and_closed(path, os.O_WRONLY | os.O_APPEND),
        "truncate": lambda: os.truncate(path, 3),
        # By a shell, as this process would stand still until its child has begun.
        "exec": lambda: subprocess.run(["sh", "-c", shlex.quote(str(path))], check=False, capture_output=True),
    }
    shutil.copyfile("/bin/true", path)
    path.chmod(0o755)
    async with smb(server) as client:
        file, key, granted = await leased(client, path, access=access)
        assert granted == ALL
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, calls[name])
            broken = await told(client)
            left = R | H if reads and access == READING else 0
            assert (broken.lease_key, broken.new_lease_state) == (key, left)
            assert await waiting.still(), waiting.result
            await client.acknowledge(broken)
        if name == "exec":
            # Nobody runs what somebody may write to.
            assert isinstance(waiting.result, subprocess.CompletedProcess)
            assert waiting.result.returncode == (_NOT_EXECUTED if access == WRITING else 0), waiting.result
            assert (b"busy" in waiting.result.stderr) == (access == WRITING)
        else:
            assert waiting.result is None
        await client.close(file)


async def test_what_was_cached_is_there_before_the_program_reads(server, path):
    async with smb(server) as client:
        file, _, granted = await leased(client, path)
        assert granted == ALL
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            broken = await told(client)
            # As a client does that has not written yet what it was given.
            await client.client.write(file, b"kept until now")
            await client.acknowledge(broken)
        assert waiting.result == b"kept until now"
        await client.close(file)


async def test_what_is_left_is_broken_by_who_writes(server, path):
    async with smb(server) as client:
        file, key, _ = await leased(client, path, access=READING)
        async with trio.open_nursery() as nursery:
            Waiting(nursery, path.read_bytes)
            await client.acknowledge(await told(client))
        async with trio.open_nursery() as nursery:
            # Nobody waits for those who only read.
            waiting = Waiting(nursery, path.write_bytes, b"after")
            broken = await told(client)
            assert (broken.lease_key, broken.new_lease_state) == (key, 0)
            await waiting.done.wait()
            await client.acknowledge(broken)
        assert await client.client.read(file, 100) == b"after"
        await client.close(file)


async def test_who_does_not_wait_is_told_to(server, path):
    async with smb(server) as client:
        file, _, granted = await leased(client, path)
        assert granted == ALL
        with pytest.raises(BlockingIOError):
            await program(opened_and_closed, path, os.O_RDONLY | os.O_NONBLOCK)
        await client.acknowledge(await told(client))
        await program(opened_and_closed, path, os.O_RDONLY | os.O_NONBLOCK)
        await client.close(file)


async def test_an_oplock(server, path):
    async with smb(server) as client:
        call = client.client.create_call(client.tree, path.name, access=WRITING, disposition=1)
        call.body.requested_oplock_level = 9
        (response,) = await client.client.ask(call)
        file = client.client.opened(client.tree, response)
        assert file.response.oplock_level == 9
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            assert (await client.oplock_told()) == 0
            assert await waiting.still()
            await client.close(file)
        assert waiting.result == b"before"


@pytest.mark.parametrize("name", ["chmod", "chown", "utimes", "setxattr", "link", "stat", "readdir"])
async def test_what_does_not_break_it(server, path, name):
    calls = {
        "chmod": lambda: path.chmod(0o600),
        "chown": lambda: os.chown(path, 1, 1),
        "utimes": lambda: os.utime(path, (1, 1)),
        "setxattr": lambda: os.setxattr(path, "user.x", b"x"),
        "link": lambda: os.link(path, str(path) + " too"),
        "stat": path.stat,
        "readdir": lambda: os.listdir(path.parent),
    }
    async with smb(server) as client:
        file, _, granted = await leased(client, path)
        assert granted == ALL
        await program(calls[name])
        await nothing_told(client)
        await client.close(file)


@pytest.mark.parametrize("name", ["rename", "unlink", "replace", "replace from elsewhere"])
async def test_who_takes_the_name_breaks_the_handle(server, path, tmp_path, name):
    other = path.parent / f"{path.name} other"
    other.write_bytes(b"other")
    elsewhere = server.shares["share"].parent / "elsewhere"
    elsewhere.write_bytes(b"other")
    calls = {
        "rename": lambda: path.rename(str(path) + " gone"),
        "unlink": path.unlink,
        "replace": lambda: other.rename(path),
        "replace from elsewhere": lambda: elsewhere.rename(path),
    }
    async with smb(server) as client:
        file, key, granted = await leased(client, path)
        assert granted == ALL
        await program(calls[name])
        broken = await told(client)
        assert (broken.lease_key, broken.new_lease_state) == (key, R | W)
        await client.acknowledge(broken)
        await client.close(file)


async def test_a_directory_above_is_not_looked_at(server, path):
    above = path.with_name(f"{path.name} directory")
    above.mkdir()
    path.rename(above / "file")
    async with smb(server) as client:
        file, _, granted = await client.lease_with(f"{above.name}/file", ALL, WRITING)
        assert granted == ALL
        await program(above.rename, f"{above} moved")
        await nothing_told(client)
        await client.close(file)


async def test_who_does_not_wait_need_not_wait_long_for_those_who_read(server, path):
    async with smb(server) as client:
        file, _, granted = await leased(client, path, R | H, READING)
        assert granted == R | H
        with pytest.raises(BlockingIOError):
            await program(opened_and_closed, path, os.O_WRONLY | os.O_NONBLOCK)
        broken = await told(client)
        assert broken.new_lease_state == 0
        # The client has not answered yet, and need not.
        await trio.sleep(0.2)
        await program(opened_and_closed, path, os.O_WRONLY | os.O_NONBLOCK)
        await client.acknowledge(broken)
        await client.close(file)


async def test_an_own_rename_keeps_the_lease_and_its_name(server, path):
    async with smb(server) as client:
        file, key, granted = await leased(client, path)
        assert granted == ALL
        target = f"{path.name} moved"
        await client.rename(file, target)
        await nothing_told(client)
        await program(os.unlink, path.parent / target)
        broken = await told(client)
        assert (broken.lease_key, broken.new_lease_state) == (key, R | W)
        await client.acknowledge(broken)
        await client.close(file)


# --- clients among each other


async def test_clients_break_each_others_as_ever(server, path):
    async with smb(server) as client, smb(server) as other:
        file, key, granted = await leased(client, path)
        assert granted == ALL
        async with trio.open_nursery() as nursery:

            async def opens():
                second = await other.open(path.name, access=READING)
                assert await other.client.read(second, 100) == b"by the first"
                await other.close(second)

            nursery.start_soon(opens)
            broken = await told(client)
            assert (broken.lease_key, broken.new_lease_state) == (key, 0)
            await client.client.write(file, b"by the first")
            await client.acknowledge(broken)
        await client.close(file)
        assert await program(path.read_bytes) == b"by the first"


async def test_clients_that_read_keep_reading(server, path):
    async with smb(server) as client, smb(server) as other:
        file, key, granted = await leased(client, path, access=READING)
        assert granted == ALL
        async with trio.open_nursery() as nursery:

            async def opens():
                second, _, granted = await leased(other, path, ALL, READING)
                assert granted == R | H
                await other.close(second)

            nursery.start_soon(opens)
            broken = await told(client)
            assert (broken.lease_key, broken.new_lease_state) == (key, R | H)
            await client.acknowledge(broken)
        await client.close(file)


async def test_nothing_is_left_when_it_is_closed(server, path):
    async with smb(server) as client:
        file, _, _ = await leased(client, path)
        await client.close(file)
        begin = time.monotonic()
        await program(path.read_bytes)
        assert time.monotonic() - begin < 5
        assert holders(path) == 0


def holders(path) -> int:
    """Kernel leases on a file, by any process."""
    number = f":{path.stat().st_ino} "
    with open("/proc/locks", encoding="ascii") as locks:
        return sum(number in line and "LEASE" in line for line in locks)


async def test_locks_and_leases_together(server, path):
    async with smb(server) as client:
        file, _, granted = await leased(client, path, access=READING)
        assert granted == ALL
        (response,) = await client.client.ask(client.client.lock_call(file, (0, 10, 0x12)))
        assert response.status == 0
        await nothing_told(client)
        assert holders(path) == 1

        def tries():
            with path.open("r+b") as opened:
                try:
                    fcntl.lockf(opened, fcntl.LOCK_EX | fcntl.LOCK_NB, 1)
                except BlockingIOError:
                    return "refused"
                return "granted"

        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, tries)
            await client.acknowledge(await told(client))
        assert waiting.result == "refused"
        await client.close(file)
        assert await program(tries) == "granted"


# --- leases of others


@pytest.mark.parametrize(("kind", "access"), [(fcntl.F_WRLCK, READING), (fcntl.F_RDLCK, WRITING)])
async def test_a_client_waits_for_a_programs_lease(server, path, kind, access):
    fd = os.open(path, os.O_RDONLY)
    previous = signal.signal(signal.SIGIO, signal.SIG_IGN)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, kind)
        async with smb(server) as client, trio.open_nursery() as nursery:
            opened = trio.Event()

            async def opens():
                file = await client.open(path.name, access=access)
                opened.set()
                await client.close(file)

            nursery.start_soon(opens)
            with trio.move_on_after(0.5):
                await opened.wait()
            assert not opened.is_set()
            fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
            with trio.fail_after(20):
                await opened.wait()
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, previous)


# --- the end


async def test_leases_do_not_outlive_the_server(tmp_path):
    with smbgate(tmp_path, CONFIGURATION) as server:
        path = server.shares["share"] / "file"
        path.write_bytes(b"x")
        async with smb(server) as client:
            _, _, granted = await leased(client, path)
            assert granted == ALL
            assert holders(path) == 1
            assert await killed_while_a_program_waits(server, client, path.read_bytes) == b"x"
            assert holders(path) == 0


async def test_a_client_that_goes_away_keeps_nobody(server, path):
    async with smb(server) as client:
        _, _, granted = await leased(client, path)
        assert granted == ALL
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            await told(client)
            client.client.close()
            with trio.fail_after(10):
                await waiting.done.wait()
        assert waiting.result == b"before"


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_a_client_that_does_not_answer_loses_it_in_time(server, path):
    async with smb(server, patience=100) as client:
        file, _, granted = await leased(client, path)
        assert granted == ALL
        async with trio.open_nursery() as nursery:
            waiting = Waiting(nursery, path.read_bytes)
            await told(client)
        assert waiting.seconds < 45
        await client.close(file)


async def test_many_leases(server, top):
    """The kernel's signals of many files at once all arrive."""
    paths = [top / f"many {number}" for number in range(100)]
    for one in paths:
        one.write_bytes(b"x")
    async with smb(server) as client:
        files = {}
        for one in paths:
            file, key, granted = await leased(client, one)
            assert granted == ALL
            files[key] = file
        async with trio.open_nursery() as nursery:
            for one in paths:
                nursery.start_soon(program, one.read_bytes)
            for _ in paths:
                broken = await told(client)
                await client.acknowledge(broken)
        for file in files.values():
            await client.close(file)
