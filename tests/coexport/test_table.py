"""The table of system calls in docs/co-export.md: each is made, and what it comes to compared."""

import errno
import fcntl
import mmap
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import trio

from tests.coexport.peers import ADDED, PATIENCE, LeasingSmb, Waiting, smb, watch
from tests.fuse.peers import READ, WRITE, H, R, W, opened_and_closed
from tests.interop.servers import Configuration
from tests.matrix.table import tables
from tests.smb.client import EXCLUSIVE, NOW

DOCUMENT = Path(__file__).parents[2] / "docs/co-export.md"
ROWS = tables(DOCUMENT.read_text(encoding="utf-8"))["System calls"]
COLUMNS = ROWS[0][1:]
CELLS = [(row[0], column, outcome) for row in ROWS[1:] for column, outcome in zip(COLUMNS, row[1:], strict=True)]
SHARES = {
    "notify": {"kernel notify": "yes"},
    "leases": {"kernel leases": "yes"},
    "share modes": {"kernel share modes": "enforce"},
    "locks": {"kernel locks": "yes"},
}
CONFIGURATION = Configuration(shares=SHARES)

READING, WRITING = READ | 0x80, READ | WRITE | 0x10080
BEFORE = ", opened before"
SETTLED = 0.3


class Target(NamedTuple):
    """The file that a call is about; with a descriptor, if it was opened before the client came."""

    path: Path
    fd: int


def change_mapped(target: Target) -> None:
    with mmap.mmap(target.fd, 1) as mapped:
        mapped[0] = 1
        mapped.flush()


def execute(target: Target) -> None:
    # By a shell, as this process would stand still until its child has begun.
    done = subprocess.run(["sh", "-c", shlex.quote(str(target.path))], check=False, capture_output=True)
    if b"busy" in done.stderr:
        raise OSError(errno.ETXTBSY if b"Text" in done.stderr else errno.EBUSY, "busy")


def replace(target: Target) -> None:
    other = target.path.with_name("another file")
    other.write_bytes(b"")
    other.rename(target.path)


def second_name(target: Target) -> Path:
    return target.path.with_name("second name")


CALLS: dict[str, Callable[[Target], object]] = {
    "open, O_RDONLY": lambda target: opened_and_closed(target.path, os.O_RDONLY),
    "open, O_WRONLY": lambda target: opened_and_closed(target.path, os.O_WRONLY),
    "open, O_RDWR and O_TRUNC": lambda target: opened_and_closed(target.path, os.O_RDWR | os.O_TRUNC),
    "open, O_PATH": lambda target: opened_and_closed(target.path, os.O_PATH),
    "execve": execute,
    "truncate": lambda target: os.truncate(target.path, 1),
    "ftruncate": lambda target: os.ftruncate(target.fd, 1),
    "write": lambda target: os.pwrite(target.fd, b"x", 0),
    "read": lambda target: os.pread(target.fd, 1, 0),
    "mmap and a change": change_mapped,
    "fallocate": lambda target: os.posix_fallocate(target.fd, 0, 1 << 20),
    "fcntl F_SETLK": lambda target: fcntl.lockf(target.fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
    "flock": lambda target: fcntl.flock(target.fd, fcntl.LOCK_EX | fcntl.LOCK_NB),
    "rename": lambda target: target.path.rename(second_name(target)),
    "rename of another file onto it": replace,
    "unlink": lambda target: target.path.unlink(),
    "link": lambda target: os.link(target.path, second_name(target)),
    "symlink to it": lambda target: second_name(target).symlink_to(target.path.name),
    "chmod": lambda target: target.path.chmod(0o700),
    "chown": lambda target: os.chown(target.path, 1, 1),
    "utimensat": lambda target: os.utime(target.path, (1, 1)),
    "setxattr": lambda target: os.setxattr(target.path, "user.other", b"x"),
    "removexattr": lambda target: os.removexattr(target.path, "user.there"),
    "stat": lambda target: target.path.stat(),
    "getxattr": lambda target: os.getxattr(target.path, "user.there"),
    "readdir of its directory": lambda target: os.listdir(target.path.parent),
}


@pytest.fixture
def place(server, request):
    """A directory of the test's own, by column, with a file in it."""

    def make(share: str) -> Path:
        path: Path = server.shares[share] / f"{abs(hash(request.node.name)):x}"
        path.mkdir()
        shutil.copyfile("/bin/true", path / "file")
        (path / "file").chmod(0o755)
        os.setxattr(path / "file", "user.there", b"x")
        return path

    return make


async def notified(client: LeasingSmb, target: Target, call: Callable[[Target], object]) -> str:
    watching = await watch(client, target.path.parent.name)
    await trio.to_thread.run_sync(call, target)
    # Whatever there is to tell of the call is told before this.
    (target.path.parent / "last").touch()
    seen = await watching.until((ADDED, "last"))
    return "told" if [name for _, name in seen if name != "last"] else "not told"


async def breaking(
    client: LeasingSmb, target: Target, call: Callable[[Target], object], state: int, expected: str
) -> str:
    """What is expected says only for how long to look."""
    path, access = f"{target.path.parent.name}/file", WRITING if state & W else READING
    file, _, granted = await client.lease_with(path, state, access)
    assert granted in (0, state)
    outcome = "nothing" if granted else "not granted"
    async with trio.open_nursery() as nursery:
        waiting = Waiting(nursery, call, target)
        with trio.move_on_after(PATIENCE if expected.startswith("breaks") else SETTLED):
            broken = await client.told()
            left = broken.new_lease_state
            assert left in (0, state & ~H)
            outcome = "breaks H" if left else "breaks it"
        if outcome != "nothing" and outcome != "not granted":
            with trio.move_on_after(SETTLED if expected.endswith("waits") else PATIENCE):
                await waiting.done.wait()
            outcome += "" if waiting.done.is_set() else ", waits"
            await client.acknowledge(broken)
    await client.close(file)
    return outcome


async def refusing(client: LeasingSmb, target: Target, call: Callable[[Target], object]) -> str:
    file = await client.open(f"{target.path.parent.name}/file", access=READING, share=0)
    outcome = await failing(call, target)
    await client.close(file)
    return outcome


async def locking(client: LeasingSmb, target: Target, call: Callable[[Target], object]) -> str:
    file = await client.open(f"{target.path.parent.name}/file", access=READING)
    (response,) = await client.client.ask(client.client.lock_call(file, (0, 1 << 40, EXCLUSIVE | NOW)))
    assert response.status == 0
    outcome = await failing(call, target)
    await client.close(file)
    return outcome


async def failing(call: Callable[[Target], object], target: Target) -> str:
    try:
        await trio.to_thread.run_sync(call, target)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "nothing"


def test_the_table_is_complete() -> None:
    assert {row[0].removesuffix(BEFORE) for row in ROWS[1:]} == set(CALLS)
    assert [column.split(" R")[0] for column in COLUMNS] == ["notify", "leases", "leases", "share modes", "locks"]


@pytest.mark.parametrize(("row", "column", "expected"), CELLS, ids=lambda text: str(text).replace(" ", "_"))
async def test_it_is_as_documented(server, place, row, column, expected):
    share = column.split(" R")[0]
    path = place(share) / "file"
    target = Target(path, os.open(path, os.O_RDWR) if row.endswith(BEFORE) else -1)
    if row == f"read{BEFORE}":
        os.close(target.fd)
        target = Target(path, os.open(path, os.O_RDONLY))
    call = CALLS[row.removesuffix(BEFORE)]
    try:
        async with smb(server, share) as client:
            if share == "notify":
                outcome = await notified(client, target, call)
            elif share == "leases":
                state = R | W | H if column.endswith("RWH") else R | H
                outcome = await breaking(client, target, call, state, expected)
            elif share == "share modes":
                outcome = await refusing(client, target, call)
            else:
                outcome = await locking(client, target, call)
        assert outcome == expected
    finally:
        if target.fd >= 0:
            os.close(target.fd)
