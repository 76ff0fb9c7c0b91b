"""Two names that change places: what stands in the way, and who has to know."""

import pytest

from acl.mask import FILE_READ_DATA
from gateway.nt.constants import (
    FILE_ACTION_ADDED,
    FILE_ACTION_REMOVED,
    FILE_DIRECTORY_FILE,
    FILE_NOTIFY_CHANGE_DIR_NAME,
    FILE_NOTIFY_CHANGE_FILE_NAME,
    FILE_OPEN,
)
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DELETE_PENDING,
    STATUS_INVALID_PARAMETER,
    STATUS_SHARING_VIOLATION,
)
from gateway.share.changing import set_delete
from gateway.share.notify import Entry, Watch
from gateway.share.opens import Open
from gateway.share.renaming import exchange
from tests.share.stores import Store
from tests.share.test_renaming import attempt
from vfs_backends.api import StatChange
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault

DIRECTORY = {"options": FILE_DIRECTORY_FILE, "disposition": FILE_OPEN}


@pytest.fixture
async def store(store: Store) -> Store:
    await store.make("file", b"content")
    await store.make("directory", directory=True)
    await store.make("directory/below", b"below")
    await store.make("other", directory=True)
    return store


async def swap(store: Store, one: Open, other: Open) -> int:
    return await attempt(store, lambda: exchange(store.share, one, other))


async def test_files_of_two_directories(store) -> None:
    one, same = await store.opened(posix=True), await store.opened(posix=True)
    below = await store.opened("directory/below", posix=True)
    assert await swap(store, one, below) == 0
    assert store.tree() == {"file": b"below", "directory": None, "directory/below": b"content", "other": None}
    assert (one.path, same.path, below.path) == ("directory/below", "directory/below", "file")
    assert (same.handle.path, below.handle.path) == (same.path, below.path)
    await store.write(same, b"C")
    assert store.tree()["directory/below"] == b"Content"
    assert await swap(store, same, one) == 0
    await store.run(lambda: set_delete(store.share, below, True))
    await store.close(below)
    assert "file" not in store.tree()


async def test_a_directory_and_what_is_below_it(store) -> None:
    one, directory = await store.opened(posix=True), await store.opened("directory", posix=True, **DIRECTORY)
    below = await store.opened("directory/below", posix=True)
    assert await swap(store, one, directory) == 0
    assert (one.path, directory.path, below.path) == ("directory", "file", "file/below")
    assert await swap(store, directory, below) == STATUS_INVALID_PARAMETER
    assert store.tree() == {"directory": b"content", "file": None, "file/below": b"below", "other": None}


async def test_what_stands_in_the_way(store) -> None:
    one, directory = await store.opened(posix=True), await store.opened("directory", posix=True, **DIRECTORY)
    before = store.tree()
    below = await store.opened("directory/below", access=FILE_READ_DATA, share=3)
    for pair in ((one, directory), (directory, one)):
        assert await swap(store, *pair) == STATUS_SHARING_VIOLATION
    await store.close(below)
    await store.run(lambda: set_delete(store.share, one, True))
    assert await swap(store, directory, one) == STATUS_DELETE_PENDING
    await store.run(lambda: set_delete(store.share, one, False))
    root = await store.memory.root()
    await root.set_stat(StatChange(mode=0o555))
    await root.aclose()
    assert await swap(store, directory, one) == STATUS_ACCESS_DENIED
    assert store.tree() == before
    assert (one.path, directory.path) == ("file", "directory")


async def test_an_open_stream_goes_along(store) -> None:
    one, directory = await store.opened(posix=True), await store.opened("directory", posix=True, **DIRECTORY)
    stream = await store.opened(stream="stream")
    assert await swap(store, directory, one) == 0
    assert (stream.path, one.path) == ("directory", "directory")


async def test_a_storage_that_cannot(store) -> None:
    one, directory = await store.opened(posix=True), await store.opened("directory", posix=True, **DIRECTORY)
    store.fs.faults.append(Fault("exchange", Kind.INVALID, times=1))
    assert await swap(store, one, directory) == STATUS_INVALID_PARAMETER
    assert (one.path, directory.path) == ("file", "directory")


async def test_who_watches_is_told(store) -> None:
    told: list[tuple[Entry, Entry]] = []

    class Told:
        def names_exchanged(self, one, other, by) -> None:
            told.append((one, other))

        async def before_opening(self, node_id, access, by) -> None:
            pass

    root = await store.opened("", access=FILE_READ_DATA, options=FILE_DIRECTORY_FILE)
    one, directory = await store.opened(posix=True), await store.opened("directory", posix=True, **DIRECTORY)
    inside = Watch(directory, FILE_NOTIFY_CHANGE_FILE_NAME, 1000, recursive=False)
    watch = Watch(root, FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME, 1000, recursive=False)
    store.share.watches.add(watch)
    store.share.watches.add(inside)
    store.share.watches.observers.append(Told())
    assert await swap(store, one, directory) == 0
    store.share.watches.observers.clear()
    gone, here = FILE_ACTION_REMOVED, FILE_ACTION_ADDED
    assert [(each.action, each.name) for each in watch.take() or []] == [
        (gone, "file"), (gone, "directory"), (here, "file"), (here, "directory"),
    ]  # fmt: skip
    assert told == [(Entry(root.node_id, "file"), Entry(root.node_id, "directory"))]
    await store.close(await store.opened("file/new"))  # which is watched by its new name
    assert [(each.action, each.name) for each in inside.take() or []] == [(here, "new")]
    for each in (watch, inside):
        store.share.watches.remove(each)
