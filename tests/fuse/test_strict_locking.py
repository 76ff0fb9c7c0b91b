"""Locks of programs that clients heed: `strict locking`."""

import fcntl
import os
from pathlib import Path

import pytest

from gateway.nt.status import STATUS_FILE_LOCK_CONFLICT
from tests.fuse.mounts import Mount
from tests.fuse.peers import program, smb
from tests.interop.servers import Configuration
from tests.smb.client import Client, File, Refused

CONFIGURATION = Configuration(shares={"share": {"kernel locks": "yes", "strict locking": "yes"}})
CONTENTS = bytes(100)


@pytest.fixture(params=["mount", "directory"])
def place(request: pytest.FixtureRequest, mount: Mount) -> Path:
    """Where programs use the files."""
    return mount.path / "share" if request.param == "mount" else mount.server.shares["share"]


@pytest.fixture
def path(place: Path, request: pytest.FixtureRequest) -> Path:
    path = place / str(request.node.name)
    path.write_bytes(CONTENTS)
    return path


async def read(client: Client, file: File, offset: int) -> int:
    try:
        await client.read(file, 10, offset)
    except Refused as refused:
        return refused.status
    return 0


async def write(client: Client, file: File, offset: int) -> int:
    try:
        await client.write(file, b"0123456789", offset)
    except Refused as refused:
        return refused.status
    return 0


async def test_clients_heed_locks_of_programs(mount: Mount, path: Path) -> None:
    descriptor = await program(os.open, path, os.O_RDWR)
    async with smb(mount) as one:
        file, client = await one.open(path.name), one.client
        await program(fcntl.lockf, descriptor, fcntl.LOCK_EX, 10, 0)
        await program(fcntl.lockf, descriptor, fcntl.LOCK_SH, 10, 20)
        assert await read(client, file, 5) == STATUS_FILE_LOCK_CONFLICT
        assert await write(client, file, 5) == STATUS_FILE_LOCK_CONFLICT
        assert await read(client, file, 10) == 0
        assert await write(client, file, 10) == 0
        assert await read(client, file, 20) == 0
        assert await write(client, file, 25) == STATUS_FILE_LOCK_CONFLICT
        # The lock's owner goes on, whoever looks after the file.
        assert await program(os.pwrite, descriptor, b"x", 5) == 1
        assert await program(os.pread, descriptor, 1, 5) == b"x"
        await program(fcntl.lockf, descriptor, fcntl.LOCK_UN, 100, 0)
        assert await read(client, file, 5) == 0
        assert await write(client, file, 25) == 0
        await one.close(file)
    await program(os.close, descriptor)


async def test_clients_own_locks_are_not_in_their_way(mount: Mount, path: Path) -> None:
    async with smb(mount) as one:
        file, client = await one.open(path.name), one.client
        (response,) = await client.ask(client.lock_call(file, (0, 10, 2 | 16)))
        assert response.status == 0
        assert await read(client, file, 0) == 0
        assert await write(client, file, 0) == 0
        await one.close(file)


async def test_programs_do_not_stop_each_other(mount: Mount, path: Path) -> None:
    """A lock on the directory does not stop the mount, nor the reverse."""
    other = (mount.server.shares["share"] if path.is_relative_to(mount.path) else mount.path / "share") / path.name
    descriptor = await program(os.open, path, os.O_RDWR)
    await program(fcntl.lockf, descriptor, fcntl.LOCK_EX, 100, 0)
    assert await program(other.read_bytes) == CONTENTS
    await program(other.write_bytes, b"written")
    await program(os.close, descriptor)
