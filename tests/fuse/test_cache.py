"""A kernel that keeps what it was told for long: what SMB clients change, it forgets."""

import os

import pytest
import trio

from gateway.nt.constants import FILE_DELETE_ON_CLOSE
from tests.fuse.peers import program, smb
from tests.interop.servers import Configuration

CONFIGURATION = Configuration(parameters={"fuse cache timeout": "1h"}, shares={"share": {}})


@pytest.fixture
def top(mount):
    return mount.path / "share"


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
                # Two writes within a tick of the storage's clock look alike, until the kernel was told.
                while await program(os.pread, descriptor, len(data), 0) != data:  # noqa: ASYNC110 - nobody tells
                    await trio.sleep(0.001)
        await client.client.write(file, b"end", 1000)
        assert (await program(os.stat, path)).st_size == 1003
        await client.close(file)
    await program(os.close, descriptor)


async def test_names(mount, top):
    (top / "directory").mkdir()
    path = top / "directory/file"
    async with smb(mount) as client:
        await client.close(await client.open("directory/file"))
        assert await program(path.exists)
        await client.close(await client.open("directory/file", options=FILE_DELETE_ON_CLOSE))
        assert not await program(path.exists)
        assert await program(os.listdir, top / "directory") == []
        file = await client.open("directory", options=1)
        data = bytes(8 + 8) + (10).to_bytes(4, "little") + "moved".encode("utf-16-le")
        (response,) = await client.client.ask(client.client.set_info_call(file, 10, data))
        assert response.status == 0
        assert not await program((top / "directory").exists)
        assert await program((top / "moved").exists)
        await client.close(file)


async def test_what_nobody_can_change_any_more_is_kept_again(mount, top):
    path = top / "again"
    await program(path.write_text, "x")
    await program(os.stat, path)
    async with smb(mount) as client:
        file = await client.open("again")
        await client.client.write(file, b"by smb")
        assert (await program(os.stat, path)).st_size == 6
        await client.close(file)
    await trio.sleep(2.1)
    await program(os.stat, path)
    await program((mount.server.shares["share"] / "again").write_text, "changed behind its back")
    assert (await program(os.stat, path)).st_size == 6


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
