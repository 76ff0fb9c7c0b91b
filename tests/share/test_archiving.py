"""FILE_ATTRIBUTE_ARCHIVE after a change, and what it costs where it is set already."""

from collections.abc import Awaitable, Callable

import pytest

from gateway.nt.constants import (
    FILE_ATTRIBUTE_ARCHIVE,
    FILE_ATTRIBUTE_HIDDEN,
    FILE_ATTRIBUTE_NORMAL,
    FILE_CREATE,
    FILE_DIRECTORY_FILE,
    FILE_OPEN,
)
from gateway.nt.info import ExtendedAttribute
from gateway.share.access import Descriptors
from gateway.share.changing import set_allocation, set_size, set_stat
from gateway.share.extended import set_attributes
from gateway.share.opens import Open
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.times import KEEP_CHANGE_TIME, KEEP_WRITE_TIME
from tests.share.stores import ALICE, IDMAP, Store, intent, running
from vfs_backends.api import StatChange
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault

CHANGES: dict[str, Callable[[Share, Open], Awaitable[None]]] = {
    "write": lambda share, one: share.write(one, 0, memoryview(b"data")),
    "size": lambda share, one: set_size(share, one, 2),
    "allocation": lambda share, one: set_allocation(share, one, 100_000),
    "attributes": lambda share, one: set_attributes(share, one, [ExtendedAttribute("one", b"1")]),
}


async def attributes(one: Open) -> int | None:
    return (await one.handle.stat()).dos_attributes


async def clear(store: Store, one: Open, left: int = FILE_ATTRIBUTE_NORMAL) -> None:
    await store.run(lambda: set_stat(store.share, one, StatChange(dos_attributes=left)))
    assert not (await attributes(one) or 0) & FILE_ATTRIBUTE_ARCHIVE


@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_sets_it_again(store, change) -> None:
    one, other = await store.opened(), await store.opened(disposition=FILE_OPEN)
    for by in (one, other, one):
        await clear(store, one, FILE_ATTRIBUTE_HIDDEN)
        await store.run(lambda by=by: CHANGES[change](store.share, by))
        assert await attributes(one) == FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_ARCHIVE
    await clear(store, other)
    new = await store.opened(disposition=FILE_OPEN)
    await store.run(lambda: CHANGES[change](store.share, new))
    assert (await attributes(one) or 0) & FILE_ATTRIBUTE_ARCHIVE


async def test_the_storage_is_asked_only_where_it_may_not_be_set(store) -> None:
    asked: list[str] = []

    class Counting(type(store.fs)):  # type: ignore[misc]  # the class of an instance
        async def around(self, operation, path, call, *args, **kwargs):
            asked.append(operation)
            return await super().around(operation, path, call, *args, **kwargs)

    one = await store.opened()
    await store.make("local", b"data")
    other = await store.opened("local")
    store.fs.__class__ = Counting
    for _ in range(2):
        await store.write(one, b"data")
    assert asked == ["write", "write"]
    asked.clear()
    for _ in range(3):
        await store.write(other, b"data")
    assert asked == ["write", "stat", "set_stat", "write", "write"]
    await clear(store, other)
    asked.clear()
    for _ in range(2):
        await store.write(one, b"data")
    assert asked == ["write", "stat", "write"]
    directory = await store.opened("directory", options=FILE_DIRECTORY_FILE)
    asked.clear()
    await store.run(lambda: CHANGES["attributes"](store.share, directory))
    assert "set_stat" not in asked


async def test_by_another_share_with_the_same_file(store) -> None:
    share = store.share
    other = Share("other", store.fs, store.table, Descriptors(IDMAP), ShareSettings(), archiving=share.archiving)
    other.descriptors.begin(store.fs.capabilities)
    other.root = share.root
    one = await store.opened()
    same = await store.run(lambda: other.open(intent(), ALICE))
    await clear(store, one)
    await store.run(lambda: other.write(same, 0, memoryview(b"data")))
    assert await attributes(one) == FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_ARCHIVE
    await store.run(lambda: other.close(same))


async def test_local_programs(store) -> None:
    await store.make("local", b"data")
    for name, expected in (("local", None), ("file", FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_ARCHIVE)):
        client = await store.opened(name)
        if expected is not None:
            await clear(store, client)
        program = await store.opened(name, posix=True)
        await store.write(program, b"new")
        assert await attributes(client) == expected
    made = await store.opened("made", disposition=FILE_CREATE, posix=True)
    await store.write(made, b"new")
    assert await attributes(made) is None


async def test_streams(store) -> None:
    one, stream = await store.opened(), await store.opened(stream="stream")
    await clear(store, one)
    await store.write(stream, b"data")
    assert await attributes(one) == FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_ARCHIVE


async def test_times_that_were_set_stay(store) -> None:
    one = await store.opened()
    await clear(store, one)
    await one.handle.set_stat(StatChange(mtime_ns=5_000_000_000))
    before = await one.handle.stat()
    one.kept_times = KEEP_WRITE_TIME | KEEP_CHANGE_TIME
    await store.write(one, b"data")
    assert await attributes(one) == FILE_ATTRIBUTE_NORMAL | FILE_ATTRIBUTE_ARCHIVE
    assert (await one.handle.stat()).mtime_ns == before.mtime_ns


async def test_a_storage_that_fails(store) -> None:
    one = await store.opened()
    await clear(store, one)
    store.fs.faults.append(Fault("set_stat", Kind.NO_SPACE, times=1))
    await store.write(one, b"data")
    assert await store.read(one) == b"data"
    assert await attributes(one) == FILE_ATTRIBUTE_NORMAL


async def test_without_attributes() -> None:
    async with running(inline=True, settings=ShareSettings(store_dos_attributes=False)) as store:
        one = await store.opened()
        await store.write(one, b"data")
        assert await attributes(one) is None
        assert store.share.archiving is None
