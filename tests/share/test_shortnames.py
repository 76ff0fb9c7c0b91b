"""Files by their short names."""

import pytest

from gateway.nt.constants import FILE_CREATE, FILE_DIRECTORY_FILE, FILE_OPEN, FILE_OVERWRITE_IF
from gateway.nt.shortnames import short_name
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    StatusError,
)
from gateway.share import shortnames
from gateway.share.changing import set_delete
from gateway.share.renaming import link, rename
from gateway.share.settings import ShareSettings
from tests.share import stores
from tests.share.stores import Store, running
from vfs_backends.api import NodeId
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault

LONG, OTHER = "A long name.text", "Another long name.text"
DIRECTORY = NodeId(1, 2, 3)
SHORT, OTHER_SHORT = short_name(LONG), short_name(OTHER)


@pytest.fixture
async def store():
    async with running(inline=False, settings=ShareSettings(short_names=True)) as made:
        yield made


async def status(store: Store, path: str, disposition: int = FILE_OPEN, **how) -> int:
    return await stores.status(store, path, disposition=disposition, **how)


async def delete(store: Store, path: str) -> None:
    one = await store.opened(path, disposition=FILE_OPEN)
    await store.run(lambda: set_delete(store.share, one, True))
    await store.close(one)


async def test_files_are_found(store) -> None:
    await store.make(LONG, b"data")
    for name in (SHORT, SHORT.lower(), LONG.upper()):
        one = await store.opened(name, disposition=FILE_OPEN)
        assert (one.path, await store.read(one)) == (LONG, b"data")
        await store.close(one)
    assert await status(store, SHORT, FILE_CREATE) == STATUS_OBJECT_NAME_COLLISION
    assert await status(store, SHORT, FILE_OVERWRITE_IF) == 0
    assert store.tree() == {LONG: b""}
    assert await status(store, OTHER_SHORT) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_directories_on_the_way(store) -> None:
    await store.make("A directory", directory=True)
    await store.make(f"A directory/{LONG}")
    directory = short_name("A directory")
    one = await store.opened(f"{directory}/{SHORT}", disposition=FILE_OPEN)
    assert one.path == f"A directory/{LONG}"
    one = await store.opened(f"{directory}/new", disposition=FILE_CREATE)
    assert one.path == "A directory/new"
    one = await store.opened(directory, options=FILE_DIRECTORY_FILE, disposition=FILE_OPEN)
    assert one.path == "A directory"
    assert await status(store, f"{OTHER_SHORT}/x") == STATUS_OBJECT_PATH_NOT_FOUND
    assert await status(store, f"A directory/{LONG}/{SHORT}") == STATUS_OBJECT_PATH_NOT_FOUND


async def test_a_name_that_is_there_counts_first(store) -> None:
    await store.make(LONG)
    await store.make(SHORT, b"short")
    one = await store.opened(SHORT, disposition=FILE_OPEN)
    assert (one.path, await store.read(one)) == (SHORT, b"short")


async def test_two_with_the_same_short_name_have_none(store, monkeypatch) -> None:
    await store.make(LONG)
    await store.make(OTHER)
    monkeypatch.setattr(shortnames, "short_name", lambda name: "A00000~0.TEX")
    assert await status(store, "a00000~0.tex") == STATUS_OBJECT_NAME_NOT_FOUND


async def test_renaming_to_a_short_name(store) -> None:
    await store.make(LONG, b"old")
    one = await store.opened("new")
    with pytest.raises(StatusError) as caught:
        await store.run(lambda: rename(store.share, one, SHORT, replace=False))
    assert caught.value.status == STATUS_OBJECT_NAME_COLLISION
    with pytest.raises(StatusError) as caught:
        await store.run(lambda: link(store.share, one, SHORT, replace=False))
    assert caught.value.status == STATUS_OBJECT_NAME_COLLISION
    await store.run(lambda: rename(store.share, one, SHORT, replace=True))
    assert (one.path, store.tree()) == (LONG, {LONG: b""})


async def test_who_makes_a_short_name_anew_gets_the_long_one(store, monkeypatch) -> None:
    """As a program does that saves a file by replacing it."""
    now = 1000.0
    monkeypatch.setattr("gateway.share.shortnames.time.monotonic", lambda: now)
    await store.make(LONG, b"old")
    await store.make("directory", directory=True)
    await delete(store, SHORT)
    assert await status(store, f"directory/{SHORT}", FILE_CREATE) == 0
    assert await status(store, SHORT) == STATUS_OBJECT_NAME_NOT_FOUND
    assert await status(store, SHORT, FILE_CREATE) == 0
    assert store.tree() == {"directory": None, f"directory/{SHORT}": b"", LONG: b""}
    one = await store.opened(LONG)
    await store.run(lambda: rename(store.share, one, "backup", replace=False))
    await store.close(one)
    one = await store.opened("new")
    await store.run(lambda: rename(store.share, one, SHORT, replace=False))
    assert one.path == LONG
    await store.close(one)
    await delete(store, LONG)
    now += 15
    assert await status(store, SHORT, FILE_CREATE) == 0
    assert SHORT in store.tree()


def test_the_tunnel_is_bounded():
    tunnel = shortnames.Tunnel()
    for number in range(5000):
        tunnel.removed(DIRECTORY, f"long name {number}")
    tunnel.removed(DIRECTORY, "SHORT")
    assert len(tunnel._names) == 1024
    assert tunnel.find(DIRECTORY, short_name("long name 4999")) == "long name 4999"
    assert tunnel.find(DIRECTORY, short_name("long name 0")) is None
    assert tunnel.find(DIRECTORY, "SHORT") is None


async def test_what_cannot_be_read_is_looked_up_as_it_is(store) -> None:
    await store.make(LONG)
    store.fs.faults.append(Fault("open_directory", Kind.ACCESS_DENIED))
    assert await status(store, SHORT) == STATUS_OBJECT_NAME_NOT_FOUND
    store.fs.faults[:] = [Fault("lookup", Kind.ACCESS_DENIED)]
    assert await status(store, SHORT) == STATUS_ACCESS_DENIED


async def test_programs_know_no_short_names(store) -> None:
    await store.make(LONG)
    assert await status(store, SHORT, posix=True) == STATUS_OBJECT_NAME_NOT_FOUND
    assert await status(store, SHORT, FILE_CREATE, posix=True) == 0
    assert set(store.tree()) == {LONG, SHORT}


async def test_not_unless_they_are_switched_on() -> None:
    store = Store(inline=True)
    await store.start()
    await store.make(LONG)
    assert await status(store, SHORT) == STATUS_OBJECT_NAME_NOT_FOUND
    assert store.share.tunnel is None
    await store.share.aclose()
