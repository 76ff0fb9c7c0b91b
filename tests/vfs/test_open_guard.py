"""Who opens a guarded file has to be let; and does not wait for ever."""

import os
import subprocess
import sys
import time

import pytest
import trio

from gateway.nt.upcase import upcase
from tests.fuse.peers import until
from tests.requirements import Need, needs
from vfs_backends.api import IoAccess, OutsideOpen
from vfs_backends.posix import PosixFileSystem

pytestmark = needs(Need.ROOT, Need.FANOTIFY)
OPEN = "import os, sys; os.close(os.open(sys.argv[1], os.O_RDONLY))"


@pytest.fixture
async def guarded(tmp_path):
    """A file, its handle, and those who ask to open it; nobody answers them."""
    (tmp_path / "file").write_bytes(b"x")
    fs = PosixFileSystem(tmp_path, fold=upcase)
    await fs.start()
    asked: list[OutsideOpen] = []
    guard = fs.guard_opens(asked.append, 0.5)
    root = await fs.root()
    handle = await fs.lookup(root, "file")
    guard.add(handle)
    yield tmp_path / "file", handle, asked, guard
    guard.close()
    await handle.aclose()
    await root.aclose()
    await fs.aclose()


async def opened_elsewhere(path):
    begin = time.monotonic()
    done = await trio.run_process([sys.executable, "-c", OPEN, str(path)], check=False, stderr=subprocess.DEVNULL)
    return done.returncode, time.monotonic() - begin


def code_without_the_loop(path):
    return subprocess.run([sys.executable, "-c", OPEN, str(path)], check=False, timeout=20).returncode


async def test_nobody_waits_for_ever(guarded):
    path, handle, asked, _ = guarded
    code, seconds = await opened_elsewhere(path)
    assert code == 0
    assert seconds >= 0.5
    assert [one.node_id for one in asked] == [handle.node_id]
    asked[0].answer(allow=False)  # too late, which does no harm


async def test_even_if_the_loop_stands_still(guarded):
    path, _, _, _ = guarded
    # Nobody can decide meanwhile.
    assert code_without_the_loop(path) == 0


async def test_an_answer_counts(guarded):
    path, _, asked, _ = guarded

    async def somebody_has():
        return asked

    async def answers(allow):
        await until(somebody_has)
        asked.pop().answer(allow=allow)

    for allow in (True, False):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answers, allow)
            code, _ = await opened_elsewhere(path)
        assert (code == 0) == allow


async def test_own_opens_are_not_asked_about(guarded):
    path, handle, asked, _ = guarded
    os.close(os.open(path, os.O_RDWR))
    await handle.open_io(IoAccess.READ | IoAccess.WRITE)
    await trio.to_thread.run_sync(path.read_bytes)
    assert asked == []


async def test_who_is_guarded_twice_is_guarded_until_the_end(guarded):
    path, handle, asked, guard = guarded
    guard.add(handle)
    guard.remove(handle)
    assert (await opened_elsewhere(path))[1] >= 0.5
    guard.remove(handle)
    asked.clear()
    assert (await opened_elsewhere(path))[0] == 0
    assert asked == []
    guard.add(handle)  # the fixture takes it as it was
