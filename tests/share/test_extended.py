"""Extended attributes: set as one, limited together, and told of."""

import pytest

from gateway.nt.constants import (
    FILE_CREATE,
    FILE_DIRECTORY_FILE,
    FILE_NEED_EA,
    FILE_NO_EA_KNOWLEDGE,
    FILE_NOTIFY_CHANGE_EA,
    FILE_OPEN,
    FILE_OVERWRITE_IF,
    FILE_SUPERSEDE,
)
from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DISK_FULL,
    STATUS_EA_TOO_LARGE,
    STATUS_EAS_NOT_SUPPORTED,
    STATUS_INVALID_EA_NAME,
    StatusError,
)
from gateway.share.errors import status_of
from gateway.share.extended import ea_length, read_attributes, set_attributes
from gateway.share.notify import Watch
from gateway.share.opens import Open
from gateway.share.times import KEEP_WRITE_TIME
from tests.share.stores import Store, status
from vfs_backends.api import Capability, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.faults import Fault

MOST = 65536 - 5


Given = tuple[str, bytes] | tuple[str, bytes, int]


async def change(store: Store, one: Open, *changes: Given) -> int:
    """Set attributes; the status."""
    try:
        await store.run(lambda: set_attributes(store.share, one, [ExtendedAttribute(*each) for each in changes]))
    except StatusError as error:
        return error.status
    except VfsError as error:
        return status_of(error)
    return 0


async def create(store: Store, disposition: int, *attributes: Given, path: str = "file", options: int = 0) -> int:
    """Open with attributes; the status."""
    given = [ExtendedAttribute(*each) for each in attributes]
    return await status(store, path, disposition=disposition, options=options, extended_attributes=given)


async def attributes(one: Open) -> dict[str, bytes]:
    return {name: await one.handle.get_xattr(name) for name in await one.handle.list_xattrs()}


def test_length():
    assert ea_length([]) == 0
    assert ea_length([ExtendedAttribute("ONE", b"1234"), ExtendedAttribute("zwö", b"")]) == (5 + 3 + 4) + (5 + 4)


async def test_set_replace_and_remove(store) -> None:
    one = await store.opened()
    assert await change(store, one, ("One", b"1"), ("two", b"2"), ("none", b"")) == 0
    assert await attributes(one) == {"One": b"1", "two": b"2"}
    assert await change(store, one, ("ONE", b"11"), ("TWO", b""), ("never", b"")) == 0
    assert await attributes(one) == {"One": b"11"}


async def test_all_together_have_a_limit(store) -> None:
    one = await store.opened()
    assert await change(store, one, ("a", bytes(MOST - 6))) == 0
    assert await change(store, one, ("b", b"")) == 0
    assert await change(store, one, ("b", b"1")) == STATUS_EA_TOO_LARGE
    assert await change(store, one, ("A", b""), ("b", bytes(MOST - 6))) == 0
    assert await change(store, one, ("c", bytes(MOST))) == STATUS_EA_TOO_LARGE
    assert await attributes(one) == {"b": bytes(MOST - 6)}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (Kind.TOO_LARGE, STATUS_EA_TOO_LARGE),
        (Kind.NAME_TOO_LONG, STATUS_INVALID_EA_NAME),
        (Kind.NAME_INVALID, STATUS_INVALID_EA_NAME),
        (Kind.ACCESS_DENIED, STATUS_ACCESS_DENIED),
        (Kind.NO_SPACE, STATUS_DISK_FULL),
    ],
)
async def test_what_fails_changes_nothing(store, kind, status) -> None:
    one = await store.opened()
    assert await change(store, one, ("old", b"1"), ("kept", b"2")) == 0
    store.fs.faults.append(Fault("set_xattr", kind, skip=2, times=1))
    assert (
        await change(store, one, ("OLD", b"3"), ("kept", b""), ("new", b"4"), ("bad", b"5"), ("last", b"6")) == status
    )
    assert await attributes(one) == {"old": b"1", "kept": b"2"}


async def test_a_storage_without_them(store, monkeypatch) -> None:
    monkeypatch.setattr(
        type(store.memory), "capabilities", property(lambda self: Capability.STREAMS | Capability.LINKS)
    )
    one = await store.opened()
    assert await change(store, one, ("one", b"1")) == STATUS_EAS_NOT_SUPPORTED
    assert await create(store, FILE_CREATE, ("one", b"1"), path="new") == STATUS_EAS_NOT_SUPPORTED
    assert await create(store, FILE_CREATE, path="other") == 0
    assert store.tree() == {"file": b"", "other": b""}


async def test_a_new_file_begins_with_them(store) -> None:
    assert await create(store, FILE_CREATE, ("one", b"1"), ("TWO", b"2"), ("one", b"3")) == 0
    one = await store.opened()
    assert await attributes(one) == {"one": b"3", "TWO": b"2"}
    assert await create(store, FILE_CREATE, ("a", bytes(MOST - 5)), path="large") == STATUS_EA_TOO_LARGE
    store.fs.faults.append(Fault("set_xattr", Kind.TOO_LARGE, skip=1, times=1))
    assert await create(store, FILE_CREATE, ("a", b"1"), ("b", b"2"), path="large") == STATUS_EA_TOO_LARGE
    assert store.tree() == {"file": b""}


async def test_opening_what_is_there_passes_them_over(store) -> None:
    await store.make("file", b"data")
    assert await create(store, FILE_OPEN, ("one", b"1")) == 0
    assert await create(store, FILE_OPEN, ("one", bytes(MOST))) == 0
    one = await store.opened()
    assert await attributes(one) == {}


async def test_overwriting_replaces_them(store) -> None:
    await store.make("file", b"data")
    one = await store.opened()
    assert await change(store, one, ("old", b"1"), ("both", b"2")) == 0
    store.fs.faults.append(Fault("set_xattr", Kind.TOO_LARGE, skip=1, times=1))
    assert await create(store, FILE_OVERWRITE_IF, ("BOTH", b"3"), ("new", b"4")) == STATUS_EA_TOO_LARGE
    assert await attributes(one) == {"old": b"1", "both": b"2"}
    assert store.tree() == {"file": b"data"}
    assert await create(store, FILE_OVERWRITE_IF, ("BOTH", b"3"), ("new", b"4")) == 0
    assert await attributes(one) == {"both": b"3", "new": b"4"}
    assert store.tree() == {"file": b""}
    assert await create(store, FILE_OVERWRITE_IF) == 0
    assert await attributes(one) == {}


async def test_a_change_is_told_to_who_watches(store) -> None:
    await store.make("directory", directory=True)
    directory = await store.opened("directory", options=FILE_DIRECTORY_FILE)
    one = await store.opened("directory/file")
    watch = Watch(directory, FILE_NOTIFY_CHANGE_EA, 1000, recursive=False)
    store.share.watches.add(watch)
    await store.write(one, b"data")
    assert await change(store, one, ("one", bytes(MOST))) == STATUS_EA_TOO_LARGE
    assert not watch
    assert await change(store, one, ("one", b"1")) == 0
    assert [(told.action, told.name) for told in watch.take() or []] == [(3, "file")]
    store.share.watches.remove(watch)


async def test_a_time_that_was_set_stays(store) -> None:
    one = await store.opened()
    await one.handle.set_stat(StatChange(mtime_ns=5_000_000_000))
    one.kept_times = KEEP_WRITE_TIME
    assert await change(store, one, ("one", b"1")) == 0
    assert (await one.handle.stat()).mtime_ns == 5_000_000_000


async def needed(store: Store, one: Open) -> dict[str, bool]:
    found = await store.run(lambda: read_attributes(store.share, one))
    return {name: flags == FILE_NEED_EA for name, _, flags in found}


async def test_what_is_needed(store) -> None:
    one = await store.opened()
    assert await change(store, one, ("One", b"1", FILE_NEED_EA), ("two", b"2"), ("three", b"3", FILE_NEED_EA)) == 0
    assert await needed(store, one) == {"One": True, "two": False, "three": True}
    assert await change(store, one, ("two", b"22")) == 0
    assert await needed(store, one) == {"One": True, "two": False, "three": True}
    assert await change(store, one, ("ONE", b"11"), ("TWO", b"222", FILE_NEED_EA), ("three", b"")) == 0
    assert await needed(store, one) == {"One": False, "two": True}
    assert await change(store, one, ("three", b"3")) == 0
    assert await needed(store, one) == {"One": False, "two": True, "three": False}


async def test_who_does_not_know_them_cannot_open_what_needs_them(store) -> None:
    await store.make("file", b"data")
    await store.make("directory", directory=True)

    async def opens(path: str, disposition: int = FILE_OPEN) -> int:
        return await status(store, path, disposition=disposition, options=FILE_NO_EA_KNOWLEDGE)

    for path, options in (("file", 0), ("directory", FILE_DIRECTORY_FILE)):
        one = await store.opened(path, options=options)
        assert await change(store, one, ("one", b"1")) == 0
        assert await opens(path) == 0
        assert await change(store, one, ("one", b"1", FILE_NEED_EA)) == 0
        assert await opens(path) == STATUS_ACCESS_DENIED
        await store.share.close(await store.opened(path, options=options))
    assert await opens("file", FILE_OVERWRITE_IF) == STATUS_ACCESS_DENIED
    assert store.tree()["file"] == b"data"
    await store.share.close(await store.opened("file", stream="stream", options=FILE_NO_EA_KNOWLEDGE))
    await one.handle.remove_xattr("one")  # by somebody who knows nothing of flags
    assert await opens("directory") == 0
    assert await create(store, FILE_CREATE, ("a", b"b"), path="new", options=FILE_NO_EA_KNOWLEDGE) == (
        STATUS_ACCESS_DENIED
    )
    assert "new" not in store.tree()


@pytest.mark.parametrize("disposition", [FILE_OVERWRITE_IF, FILE_SUPERSEDE])
async def test_overwriting_takes_the_need_away(store, disposition) -> None:
    one = await store.opened()
    assert await change(store, one, ("one", b"1", FILE_NEED_EA)) == 0
    assert await create(store, disposition, ("two", b"2", FILE_NEED_EA)) == 0
    assert await needed(store, one) == {"two": True}
    assert await create(store, disposition, ("two", b"2")) == 0
    assert await needed(store, one) == {"two": False}
    assert await create(store, disposition) == 0
    assert await create(store, disposition, options=FILE_NO_EA_KNOWLEDGE) == 0
    assert await needed(store, one) == {}


async def test_a_need_that_cannot_be_kept_changes_nothing(store) -> None:
    one = await store.opened()
    assert await change(store, one, ("old", b"1")) == 0
    store.fs.faults.append(Fault("set_needed_xattrs", Kind.TOO_LARGE, times=1))
    assert await change(store, one, ("old", b"2"), ("new", b"3", FILE_NEED_EA)) == STATUS_EA_TOO_LARGE
    assert await attributes(one) == {"old": b"1"}
    assert await needed(store, one) == {"old": False}
