"""renameat2(RENAME_EXCHANGE) on the mount, by itself and beside SMB clients."""

import errno
import os
from functools import partial

import pytest
import trio

from gateway.nt.constants import FILE_OPEN
from gateway.wire.change_notify import ChangeNotifyResponse
from tests.fuse.peers import DELETE, READ, WRITE, H, R, opened_and_closed, program, smb, until
from tests.fuse.programs import ERROR, as_user, let_all_get_to
from tests.fuse.test_calls import RENAME_EXCHANGE, RENAME_NOREPLACE, refused, renameat2
from tests.interop.servers import Configuration
from tests.requirements import Need, needs

CONFIGURATION = Configuration(
    parameters={"fuse sharing timeout": "0"}, shares={"share": {}, "memory": {"backend": "memory"}}
)


@pytest.fixture(params=["share", "memory"])
def place(request, mount):
    directory = mount.path / request.param / request.node.name.partition("[")[0]
    directory.mkdir()
    return directory


def exchange(one, other) -> None:
    renameat2(one, other, RENAME_EXCHANGE)


def test_files_and_directories(place):
    (place / "a").write_text("a")
    (place / "b").write_text("b")
    (place / "d/e").mkdir(parents=True)
    (place / "d/e/f").write_text("f")
    with (place / "a").open() as opened:
        for _ in range(3):
            exchange(place / "a", place / "b")
        assert ((place / "a").read_text(), (place / "b").read_text()) == ("b", "a")
        assert os.fstat(opened.fileno()).st_ino == (place / "b").stat().st_ino
    exchange(place / "a", place / "d")
    assert ((place / "d").read_text(), (place / "a/e/f").read_text()) == ("b", "f")
    exchange(place / "a/e/f", place / "b")
    assert ((place / "a/e/f").read_text(), (place / "b").read_text()) == ("a", "f")
    (place / "link").symlink_to("nowhere")
    exchange(place / "link", place / "a")
    assert ((place / "a").readlink().name, (place / "link/e/f").read_text()) == ("nowhere", "a")
    assert sorted(os.listdir(place)) == ["a", "b", "d", "link"]


def test_what_is_refused(place, mount):
    (place / "a").write_text("a")
    (place / "d").mkdir()
    (place / "d/e").write_text("e")
    refused(errno.ENOENT, exchange, place / "a", place / "none")
    refused(errno.ENOENT, exchange, place / "none", place / "a")
    refused(errno.EINVAL, exchange, place / "d", place / "d/e")
    refused(errno.EINVAL, exchange, place / "d/e", place / "d")
    refused(errno.EINVAL, renameat2, place / "a", place / "d", RENAME_EXCHANGE | RENAME_NOREPLACE)
    shares = [mount.path / name for name in ("share", "memory")]
    for share in shares:
        (share / "crossing").touch()
    refused(errno.EXDEV, exchange, *(share / "crossing" for share in shares))


@needs(Need.ROOT)
def test_of_what_others_own(mount):
    top = mount.path / "share"
    let_all_get_to(top)
    sticky = top / "sticky"
    sticky.mkdir()
    sticky.chmod(0o1777)
    (sticky / "of root").touch()
    code = ERROR.format(
        "open(args[0] + '/own', 'w').close(), __import__('ctypes').CDLL(None, use_errno=True)"
        ".renameat2(-100, (args[0] + '/own').encode(), -100, (args[0] + '/of root').encode(), 2)"
        " and os.stat(args[0] + '/refused')"
    )
    assert as_user(code, sticky) == "ENOENT"  # of the file that is asked for where the exchange was refused
    assert (sticky / "of root").stat().st_uid == 0


async def test_clients_are_told_and_in_the_way(mount):
    top = mount.path / "share"
    (top / "one").write_text("1")
    (top / "two").write_text("2")
    async with smb(mount) as client:
        directory = await client.client.open_directory(client.tree, access=READ)
        (watching,) = await client.client.send(client.client.notify_call(directory))
        file = await client.open("one", disposition=FILE_OPEN)
        await program(exchange, top / "one", top / "two")
        with trio.fail_after(20):
            response = await client.client.final(watching)
        assert response.parse(ChangeNotifyResponse).output
        assert await client.client.read(file, 10) == b"1"
        assert (await program((top / "two").read_text), await program((top / "one").read_text)) == ("1", "2")
        denying = await client.open("one", share=3, access=READ)
        with pytest.raises(OSError, match=r".") as raised:
            await program(exchange, top / "one", top / "two")
        assert raised.value.errno == errno.EBUSY
        await client.close(denying)
        await client.client.write(file, b"I")
        assert (await program((top / "two").read_text)) == "I"
        await client.close(file)


async def test_it_waits_for_handles_that_are_only_kept(mount):
    top = mount.path / "share"
    (top / "kept").write_text("1")
    (top / "other").write_text("2")
    async with smb(mount) as client:
        file, key, granted = await client.lease("kept", R | H, access=READ | WRITE | DELETE)
        assert granted == R | H
        done = trio.Event()

        async def act() -> None:
            await program(exchange, top / "other", top / "kept")
            done.set()

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(act)
                told = await client.told()
                assert (told.lease_key, told.new_lease_state) == (key, R)
                assert not done.is_set()
                await client.acknowledge(told)
        assert await program((top / "other").read_text) == "1"
        await client.close(file)

        async def seen() -> bool:
            await program(partial(opened_and_closed, top / "kept", os.O_RDONLY))
            return bool(await program((top / "kept").read_text) == "2")

        await until(seen)
