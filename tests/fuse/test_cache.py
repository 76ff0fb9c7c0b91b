"""A kernel that keeps what it was told for long: what SMB clients change, it forgets."""

import os
import subprocess
import time
from pathlib import Path

import pytest
import trio

from gateway.nt.constants import FILE_DELETE_ON_CLOSE
from tests.fuse.mounts import Mount
from tests.fuse.peers import READ, program, smb, until
from tests.fuse.programs import ERROR, as_user, let_all_get_to
from tests.interop.servers import Configuration
from tests.requirements import Need, needs

CONFIGURATION = Configuration(
    parameters={"fuse cache timeout": "1h"}, shares={"share": {}, "closed": {"valid users": "root"}}
)
WRITE_DAC = 0x40000
STAT = ERROR.format("os.stat(args[0])")


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


async def test_numbers_of_names(mount, top):
    """They are changed by who has not got the file open, or not for any change of it."""

    def target(name: str, *, replace: bool = False) -> bytes:
        encoded = name.encode("utf-16-le")
        return bytes([replace]) + bytes(15) + len(encoded).to_bytes(4, "little") + encoded

    async def links(name: str, expected: int) -> None:
        async def is_told() -> bool:
            return (await program(os.stat, top / name)).st_nlink == expected

        await until(is_told)

    (top / "one name").write_text("x")
    await links("one name", 1)
    async with smb(mount) as client:
        file = await client.open("one name", access=READ)
        for data, expected in ((target("second name"), 2), (target("third name"), 3)):
            (response,) = await client.client.ask(client.client.set_info_call(file, 11, data))
            assert response.status == 0
            await links("one name", expected)
        await client.close(file)
        await links("second name", 3)
        other = await client.open("other file")
        (response,) = await client.client.ask(
            client.client.set_info_call(other, 10, target("third name", replace=True))
        )
        assert response.status == 0
        await links("second name", 2)
        (response,) = await client.client.ask(
            client.client.set_info_call(other, 11, target("second name", replace=True))
        )
        assert response.status == 0
        await links("one name", 1)
        await links("second name", 2)
        await client.close(other)


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


async def test_what_is_about_to_go_is_not_kept(mount: Mount, top: Path) -> None:
    path = top / "about to go"
    await program(path.touch)
    async with smb(mount) as client:
        file = await client.open("about to go", options=FILE_DELETE_ON_CLOSE)
        other = await client.open("about to go", access=READ)
        await client.close(file)
        await trio.sleep(2.1)
        assert await program(path.exists)
        await client.close(other)
        assert not await program(path.exists)


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


@pytest.fixture
def public(mount):
    for name in ("share", "closed"):
        (mount.path / name).chmod(0o755)
    return mount


def others_see(mount, path):
    let_all_get_to(mount.path)
    return as_user(STAT, path)


@needs(Need.ROOT)
def test_what_some_may_look_up_is_not_kept_for_others(public):
    directory = public.path / "share/directory of some"
    directory.mkdir(mode=0o700)
    (directory / "file").touch()
    assert (directory / "file").stat().st_size == 0
    assert os.listdir(directory) == ["file"]
    assert others_see(public, directory / "file") == "EACCES"
    assert others_see(public, directory) == "done"


@needs(Need.ROOT)
def test_what_everybody_may_look_up_is_kept_until_they_may_not(public):
    directory = public.path / "share/directory of all"
    (directory / "below").mkdir(parents=True)
    (directory / "below/file").touch()
    assert others_see(public, directory / "below/file") == "done"
    own = public.server.shares["share"] / "directory of all"
    with (directory / "below/file").open("w") as held:
        (own / "below").rename(own / "moved behind its back")
        assert others_see(public, directory / "below/file") == "done"
        directory.chmod(0o700)
        assert others_see(public, directory / "below/file") == "EACCES"
        held.write("still")
    directory.chmod(0o755)
    assert others_see(public, directory / "moved behind its back/file") == "done"


def test_permissions_are_changed_without_waiting_for_the_kernel(public):
    """It cannot forget names in a directory before that has been changed."""
    took = []
    for number in range(5):
        directory = public.path / f"share/directory that changes {number}"
        directory.mkdir()
        (directory / "file").touch()
        (directory / "file").stat()
        begun = time.monotonic()
        directory.chmod(0o700)
        took.append(time.monotonic() - begun)
    assert min(took) < 0.9


@needs(Need.ROOT)
def test_an_acl_bars_the_way(public):
    directory = public.path / "share/directory with an ACL"
    directory.mkdir()
    (directory / "file").touch()
    own = public.server.shares["share"] / "directory with an ACL"
    subprocess.run(["setfacl", "-m", "u:nobody:---", own], check=True)
    assert (directory / "file").stat().st_size == 0
    assert others_see(public, directory / "file") == "EACCES"


@needs(Need.ROOT)
async def test_a_client_that_can_change_permissions(public):
    directory = public.path / "share/directory of a client"
    await program(directory.mkdir)
    await program((directory / "file").touch)
    assert await program(others_see, public, directory / "file") == "done"
    async with smb(public) as client:
        file = await client.open("directory of a client", access=WRITE_DAC, options=1)
        # In place of what the client could do, which follows from the mode.
        (public.server.shares["share"] / "directory of a client").chmod(0o700)
        assert await program(others_see, public, directory / "file") == "EACCES"
        await client.close(file)


@needs(Need.ROOT)
def test_a_share_of_some(public):
    (public.path / "closed/file").touch()
    assert (public.path / "closed/file").stat().st_size == 0
    assert others_see(public, public.path / "closed/file") == "EACCES"
