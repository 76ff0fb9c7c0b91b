"""A kernel that keeps what it was told for long: what SMB clients change, it forgets."""

import os

import pytest
import trio

from gateway.nt.constants import FILE_DELETE_ON_CLOSE
from tests.fuse.peers import program, smb, until
from tests.interop.servers import Configuration

CONFIGURATION = Configuration(parameters={"fuse cache timeout": "1h"}, shares={"share": {}})


@pytest.fixture
def top(mount):
    return mount.path / "share"


def is_there(path):
    async def look():
        return await program(path.exists)

    return look


def is_gone(path):
    async def look():
        return not await program(path.exists)

    return look


async def test_the_kernel_does_keep_it(mount, top):
    path = top / "kept"
    await program(path.write_text, "x")
    await program(os.stat, path)
    await program((mount.server.shares["share"] / "kept").write_text, "changed behind its back")
    assert (await program(os.stat, path)).st_size == 1


async def test_contents_and_sizes(mount, top):
    path = top / "contents"
    await program(path.write_bytes, b"0" * 10)
    descriptor = await program(os.open, path, os.O_RDONLY)
    async with smb(mount) as client:
        file = await client.open("contents")
        for number in range(1, 30):
            data = b"%d" % number * 5
            await client.client.write(file, data)
            with trio.fail_after(5):
                while await program(os.pread, descriptor, len(data), 0) != data:  # noqa: ASYNC110
                    await trio.sleep(0.01)
        await client.client.write(file, b"end", 1000)

        async def has_grown():
            return (await program(os.stat, path)).st_size == 1003

        await until(has_grown)
    await program(os.close, descriptor)


async def test_names(mount, top):
    (top / "directory").mkdir()
    path = top / "directory/file"
    async with smb(mount) as client:
        await client.close(await client.open("directory/file"))
        await until(is_there(path))
        await client.close(await client.open("directory/file", options=FILE_DELETE_ON_CLOSE))
        await until(is_gone(path))
        assert await program(os.listdir, top / "directory") == []
        file = await client.open("directory", options=1)
        data = bytes(8 + 8) + (10).to_bytes(4, "little") + "moved".encode("utf-16-le")
        (response,) = await client.client.ask(client.client.set_info_call(file, 10, data))
        assert response.status == 0
        await until(is_gone(top / "directory"))
        await until(is_there(top / "moved"))
        await client.close(file)


async def test_own_changes_are_seen_at_once(mount, top):
    path = top / "own"
    for number in range(20):
        await program(path.write_text, "x" * number)
        assert (await program(os.stat, path)).st_size == number
        await program(path.rename, top / "other")
        assert not await program(path.exists)
        await program((top / "other").rename, path)
        await program(os.link, path, top / "link")
        assert (await program(os.stat, path)).st_nlink == 2
        await program((top / "link").unlink)
        assert (await program(os.stat, path)).st_nlink == 1
