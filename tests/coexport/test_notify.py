"""`kernel notify`: clients are told what local programs change in the share's directory."""

import os
import secrets
import signal

import pytest
import trio

from gateway.nt.constants import FILE_DIRECTORY_FILE
from gateway.nt.status import STATUS_DELETE_PENDING
from tests.coexport.peers import ADDED, ENUM_DIR, MODIFIED, NEW_NAME, OLD_NAME, REMOVED, smb, watch
from tests.fuse.peers import H, R, program
from tests.fuse.test_calls import RENAME_EXCHANGE, renameat2
from tests.interop.servers import Configuration
from tests.requirements import MAX_FANOTIFY_EVENTS, Need, needs

CONFIGURATION = Configuration(shares={"share": {"kernel notify": "yes"}})


@pytest.fixture
def place(top, request):
    """A directory of the test's own."""
    path = top / request.node.name[:60]
    path.mkdir()
    return path


async def test_names(server, place):
    async with smb(server) as client:
        watching = await watch(client, place.name)
        (place / "file").write_bytes(b"x")
        assert (await watching.until((MODIFIED, "file")))[0] == (ADDED, "file")
        (place / "file").rename(place / "other")
        assert (await watching.until((NEW_NAME, "other")))[0] == (OLD_NAME, "file")
        (place / "other").unlink()
        assert (REMOVED, "other") in await watching.until((REMOVED, "other"))
        (place / "directory").mkdir()
        assert await watching.told() == [(ADDED, "directory")]


async def test_contents_and_attributes(server, place):
    file = place / "file"
    file.write_bytes(b"x")
    async with smb(server) as client:
        watching = await watch(client, place.name)
        with file.open("ab", buffering=0) as opened:
            opened.write(b"more")
            assert await watching.told() == [(MODIFIED, "file")]
            os.truncate(file, 1)
            assert await watching.told() == [(MODIFIED, "file")]
        for change in (
            lambda: file.chmod(0o600),
            lambda: os.utime(file, (1, 1)),
            lambda: os.setxattr(file, "user.x", b"x"),
        ):
            change()
            assert await watching.told() == [(MODIFIED, "file")]


async def test_from_and_to_elsewhere(server, place, tmp_path):
    async with smb(server) as client:
        watching = await watch(client, place.name)
        (place.parent / "outside of it").write_bytes(b"")
        (place.parent / "outside of it").rename(place / "in")
        assert (await watching.told())[0] == (ADDED, "in")
        (place / "in").rename(place.parent / "outside of it")
        assert (await watching.until((REMOVED, "in")))[-1] == (REMOVED, "in")


async def test_own_changes_are_told_once(server, place):
    async with smb(server) as client, smb(server) as other:
        watching = await watch(client, place.name, what=0x3)
        for number in range(10):
            name = f"{place.name}\\{number}"
            await other.close(await other.open(name))
        seen = await watching.until((ADDED, "9"))
        # Whatever the kernel has to say of those is told before this.
        (place / "last").write_bytes(b"")
        seen += await watching.until((ADDED, "last"))
        assert seen == [*((ADDED, str(number)) for number in range(10)), (ADDED, "last")]


async def test_a_filter_is_heeded(server, place):
    async with smb(server) as client:
        watching = await watch(client, place.name, what=0x2)
        (place / "file").write_bytes(b"x")
        (place / "directory").mkdir()
        assert await watching.told() == [(ADDED, "directory")]


async def test_a_tree(server, place):
    (place / "old" / "deep").mkdir(parents=True)
    async with smb(server) as client:
        watching = await watch(client, place.name, recursive=True, what=0x3)
        # It is read in the background: a program is seen at the latest when that has been done.
        names = iter(range(1000))
        while True:
            name = str(next(names))
            await program((place / "old" / "deep" / name).write_bytes, b"")
            (place / name).write_bytes(b"")
            seen = await watching.until((ADDED, name))
            if (ADDED, f"old\\deep\\{name}") in seen:
                break
        os.makedirs(place / "new" / "deeper")
        assert (ADDED, "new\\deeper") in await watching.until((ADDED, "new\\deeper"))
        (place / "new").rename(place / "old" / "renamed")
        await watching.until((ADDED, "old\\renamed"))
        while True:
            name = str(next(names))
            await program((place / "old" / "renamed" / "deeper" / name).write_bytes, b"")
            (place / name).write_bytes(b"")
            if (ADDED, f"old\\renamed\\deeper\\{name}") in await watching.until((ADDED, name)):
                break
        (place / "old").rename(place.parent / "out of sight")
        assert (REMOVED, "old") in await watching.until((REMOVED, "old"))
        (place.parent / "out of sight" / "x").write_bytes(b"")
        (place / "last").write_bytes(b"")
        assert await watching.until((ADDED, "last")) == [(ADDED, "last")]


async def test_a_watcher_without_its_tree_is_not_told_of_it(server, place):
    (place / "below").mkdir()
    async with smb(server) as client, smb(server) as other:
        watching = await watch(client, place.name, what=0x3)
        both = await watch(other, place.name, what=0x3, recursive=True)
        (place / "below" / "x").write_bytes(b"")
        (place / "last").write_bytes(b"")
        assert await watching.told() == [(ADDED, "last")]
        assert (ADDED, "last") in await both.until((ADDED, "last"))


async def test_a_lease_on_the_directory_breaks(server, place):
    async with smb(server) as client:
        for change in (
            lambda: (place / "file").write_bytes(b"x"),
            lambda: (place / "file").write_bytes(b"y"),
            lambda: (place / "file").chmod(0o600),
            lambda: (place / "file").rename(place / "other"),
            (place / "other").unlink,
        ):
            directory, key, granted = await client.lease(place.name, R | H, options=FILE_DIRECTORY_FILE)
            assert granted == R | H
            await program(change)
            told = await client.told()
            assert (told.lease_key, told.new_lease_state) == (key, 0)
            await client.close(directory)


async def test_an_own_change_breaks_it_as_ever(server, place):
    async with smb(server) as client, smb(server) as other:
        directory, key, granted = await client.lease(place.name, R | H, options=FILE_DIRECTORY_FILE)
        assert granted == R | H
        await other.close(await other.open(f"{place.name}\\file"))
        told = await client.told()
        assert told.lease_key == key
        await client.close(directory)


async def test_renaming_by_a_program_is_followed(server, place):
    """What is open below a directory that is watched has the path that leads to it now."""
    (place / "before").mkdir()
    (place / "before" / "file").write_bytes(b"x")
    async with smb(server) as client:
        watching = await watch(client, place.name, what=0x2)
        file = await client.open(f"{place.name}\\before\\file", options=0x1000, share=7)
        (place / "before").rename(place / "after")
        await watching.until((NEW_NAME, "after"))
        await client.close(file)
        assert not (place / "after" / "file").exists()


async def seen_below(watching, place, below):
    """Wait until what programs make in a directory of the tree is told: it is looked for in the background."""
    while True:
        name = secrets.token_hex(4)
        await program((place / below / name).touch)
        (place / name).touch()
        seen = await watching.until((ADDED, name))
        if (ADDED, f"{below}\\{name}") in seen:
            return


async def test_names_that_a_program_exchanges(server, place):
    for name in ("one", "two"):
        (place / name).mkdir()
        (place / name / f"of {name}").touch()
    (place / "file").write_text("of file")
    async with smb(server) as client:
        watching = await watch(client, place.name, recursive=True, what=0x3)
        file = await client.open(f"{place.name}\\file", options=0x1000, share=7)
        below = await client.open(f"{place.name}\\one\\of one", options=0x1000, share=7)
        for name in ("one", "two"):
            await seen_below(watching, place, name)
        await program(renameat2, place / "one", place / "two", RENAME_EXCHANGE)
        seen = await watching.until((ADDED, "two"))
        assert seen[-4:] == [(REMOVED, "one"), (REMOVED, "two"), (ADDED, "one"), (ADDED, "two")]
        for name in ("one", "two"):
            await seen_below(watching, place, name)
        await program(renameat2, place / "file", place / "one", RENAME_EXCHANGE)
        await watching.until((ADDED, "one"))
        await seen_below(watching, place, "file")
        assert (place / "one").read_text() == "of file"
        await client.close(file)
        await client.close(below)
        assert not (place / "one").exists()
        assert not (place / "two" / "of one").exists()
        assert (place / "file" / "of two").exists()


async def test_the_watched_directory_itself_goes(server, place):
    """Only its parent's watch tells of it; and what was open there ends as it should."""
    for name in ("alone", "seen"):
        (place / name).mkdir()
    async with smb(server) as client:
        alone = await watch(client, f"{place.name}\\alone")
        directory, _, granted = await client.lease(f"{place.name}\\alone", R | H, options=FILE_DIRECTORY_FILE)
        assert granted == R | H
        (place / "alone").rmdir()
        with trio.move_on_after(0.3):
            pytest.fail(f"was told {await alone.status()}")
        await client.close(directory)
        seen = await watch(client, f"{place.name}\\seen")
        above = await watch(client, place.name)
        (place / "seen").rmdir()
        assert (REMOVED, "seen") in await above.until((REMOVED, "seen"))
        assert await seen.status() == STATUS_DELETE_PENDING


@needs(Need.SHORT_FANOTIFY_QUEUE)
async def test_too_much_at_once(server, place):
    async with smb(server) as client:
        watching = await watch(client, place.name, what=0x3)
        directory, _, granted = await client.lease(place.name, R | H, options=FILE_DIRECTORY_FILE)
        assert granted
        most = int(MAX_FANOTIFY_EVENTS.read_text())
        server.process.send_signal(signal.SIGSTOP)
        try:
            for number in range(most + 10):
                (place / str(number)).touch()
        finally:
            server.process.send_signal(signal.SIGCONT)
        while await watching.told() != ENUM_DIR:
            pass
        await client.told()
        await client.close(directory)
        # Until the server is through with it, there may be too much once more.
        for number in range(1000):
            (place / f"last {number}").write_bytes(b"")
            if any(name.startswith("last") for _, name in await watching.told()):
                break
        else:
            pytest.fail("nothing is told any more")


async def test_nothing_is_watched_when_nobody_watches(server, place):
    def marks() -> int:
        total = 0
        for entry in os.scandir(f"/proc/{server.process.pid}/fdinfo"):
            try:
                with open(entry.path, encoding="ascii") as info:
                    total += sum(line.startswith("fanotify ino:") for line in info)
            except FileNotFoundError:
                continue
        return total

    # Clients of other tests may just be on their way out.
    with trio.fail_after(10):
        while marks():  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.01)
    (place / "a" / "b").mkdir(parents=True)
    async with smb(server) as client:
        await watch(client, place.name, recursive=True, what=0x3)
        directory, _, _ = await client.lease(f"{place.name}\\a", R | H, options=FILE_DIRECTORY_FILE)
        assert marks() >= 2
        await client.close(directory)
    async with smb(server) as client:
        while marks():
            await client.close(await client.open(f"{place.name}\\x"))
