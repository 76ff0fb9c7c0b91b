"""Files with several names: each of them is deleted and renamed for itself."""

import pytest

from gateway.nt.constants import FILE_DELETE_ON_CLOSE, FILE_OPEN
from gateway.nt.status import STATUS_DELETE_PENDING, StatusError
from gateway.share.changing import set_delete
from gateway.share.closing import is_delete_pending
from gateway.share.opens import Open
from gateway.share.record import (
    DeletePending,
    FileRecord,
    OpenEntry,
    name_links,
    rename_links,
    with_pending,
)
from gateway.share.renaming import link, rename
from tests.share.stores import Store


def test_links_in_the_record():
    one, two = OpenEntry(1, "ann", 0, 0), OpenEntry(2, "ann", 0, 0, link="b")
    record = name_links(FileRecord((one, two)), {1: "a", 2: "c"})
    assert [entry.link for entry in record.opens] == ["a", "b"]
    record = with_pending(record, (DeletePending("", "a", 1, None, place="a"),))
    record = rename_links(record, lambda link: "new" if link == "a" else link)
    assert [entry.link for entry in record.opens] == ["new", "b"]
    assert [(one.link, one.place) for one in record.pending] == [("new", "new")]


@pytest.fixture(params=[True, False], ids=["inline", "task"])
async def store(request):
    """`one` and `two` are names of a file."""
    made = Store(inline=request.param)
    await made.start()
    await made.make("one", b"data")
    first = await made.opened("one")
    await made.run(lambda: link(made.share, first, "two", replace=False))
    await made.close(first)
    yield made
    for one in list(made.share.opens.values()):
        await made.close(one)
    assert made.left() == []
    await made.share.aclose()


async def status(store: Store, path: str) -> int:
    try:
        await store.close(await store.opened(path, disposition=FILE_OPEN))
    except StatusError as error:
        return error.status
    return 0


def names(store: Store) -> list[str]:
    return sorted(store.tree())


async def doom(store: Store, one: Open) -> None:
    await store.run(lambda: set_delete(store.share, one, True))


async def test_a_name_goes_although_the_other_is_open(store) -> None:
    two = await store.opened("two")
    one = await store.opened("one", options=FILE_DELETE_ON_CLOSE)
    await store.close(one)
    assert names(store) == ["two"]
    assert await store.read(two) == b"data"
    await store.close(two)
    assert names(store) == ["two"]


async def test_only_the_name_that_goes_is_pending(store) -> None:
    one, also, two = await store.opened("one"), await store.opened("ONE"), await store.opened("two")
    await doom(store, one)
    assert [is_delete_pending(store.share.record(each), each.open_id) for each in (one, also, two)] == [
        True,
        True,
        False,
    ]
    assert await status(store, "one") == STATUS_DELETE_PENDING
    assert await status(store, "two") == 0
    await store.close(one)
    assert names(store) == ["one", "two"]
    await store.close(also)
    assert names(store) == ["two"]


async def test_opens_from_before_there_were_two_names(store) -> None:
    await store.make("old")
    old = await store.opened("old")
    await store.run(lambda: link(store.share, old, "new", replace=False))
    new = await store.opened("new")
    await doom(store, old)
    assert await status(store, "new") == 0
    await store.close(old)
    assert names(store) == ["new", "one", "two"]
    await store.close(new)
    assert names(store) == ["new", "one", "two"]


async def test_opens_from_before_somebody_else_made_the_second_name(store) -> None:
    """What was decided by one name is not done to the other."""
    await store.make("old")
    old = await store.opened("old")
    top = await store.memory.root()
    handle = await store.memory.lookup(top, "old")
    await store.memory.link(handle, top, "new", replace=False)
    await handle.aclose()
    await top.aclose()
    store._close_roots()
    new = await store.opened("new")
    await doom(store, old)
    await store.close(old)
    await store.close(new)
    assert names(store) == ["new", "one", "two"]


async def test_a_name_that_goes_is_renamed_before(store) -> None:
    one, also, two = await store.opened("one"), await store.opened("one"), await store.opened("two")
    await store.close(two)
    await store.run(lambda: rename(store.share, also, "other", replace=False))
    assert one.path == "other"
    await doom(store, one)
    await store.close(one)
    assert names(store) == ["other", "two"]
    assert await status(store, "other") == STATUS_DELETE_PENDING
    assert await status(store, "two") == 0
    await store.close(also)
    assert names(store) == ["two"]
