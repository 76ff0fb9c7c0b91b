"""Other names: what may be moved where, over what, and who has to know."""

from functools import partial

import pytest
import trio

from acl.mask import DELETE, FILE_ALL_ACCESS
from gateway.nt.constants import FILE_DELETE_ON_CLOSE, FILE_DIRECTORY_FILE, FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_PATH_NOT_FOUND,
    StatusError,
)
from gateway.share.changing import set_delete
from gateway.share.errors import status_of
from gateway.share.opens import Open
from gateway.share.renaming import link, rename
from tests.share.stores import BOB, Store
from vfs_backends.errors import Kind, VfsError
from vfs_backends.faults import Fault

DIRECTORY = {"options": FILE_DIRECTORY_FILE, "disposition": FILE_OPEN}


@pytest.fixture
async def store(store: Store) -> Store:
    await store.make("file", b"content")
    await store.make("other", b"other content")
    await store.make("directory", directory=True)
    await store.make("directory/below", b"below")
    await store.make("empty", directory=True)
    return store


async def move(store: Store, one: Open, target: str, *, replace: bool = False, **how) -> int:
    return await attempt(store, lambda: rename(store.share, one, target, replace=replace, **how))


async def attempt(store: Store, operation) -> int:
    try:
        await store.run(operation)
    except StatusError as error:
        return error.status
    except VfsError as error:
        return status_of(error)
    return 0


@pytest.mark.parametrize("target", ["new", "FILE", "fIlE", "directory/new", "DIRECTORY/new"])
async def test_moving_a_file(store, target) -> None:
    one, two = await store.opened(), await store.opened()
    assert await move(store, one, target) == 0
    where = target.replace("DIRECTORY", "directory")
    assert (one.path, two.path, two.handle.path) == (where, where, where)
    tree = store.tree()
    assert tree[where] == b"content"
    assert "file" not in tree
    await store.write(two, b"C")
    assert await store.read(one) == b"Content"


async def test_moving_it_to_where_it_is(store) -> None:
    one = await store.opened()
    before = store.tree()
    assert await move(store, one, "file") == 0
    assert store.tree() == before


async def test_a_name_that_is_taken(store) -> None:
    one = await store.opened()
    before = store.tree()
    for target in ("other", "OTHER", "directory", "empty"):
        assert await move(store, one, target) == STATUS_OBJECT_NAME_COLLISION
        assert store.tree() == before
    for target in ("directory", "empty"):
        assert await move(store, one, target, replace=True) == STATUS_ACCESS_DENIED
    assert store.tree() == before


@pytest.mark.parametrize("target", ["other", "OTHER"])
async def test_replacing(store, target) -> None:
    one = await store.opened()
    assert await move(store, one, target, replace=True) == 0
    tree = store.tree()
    assert tree[target] == b"content"
    assert {name for name in tree if "/" not in name} == {target, "directory", "empty"}
    assert one.path == target


async def test_replacing_what_somebody_has_open(store) -> None:
    one, other = await store.opened(), await store.opened("other")
    assert await move(store, one, "other", replace=True) == STATUS_ACCESS_DENIED
    assert await store.read(other) == b"other content"


async def test_replacing_what_is_readonly(store) -> None:
    await store.close(await store.opened("readonly", attributes=1))
    one = await store.opened()
    assert await move(store, one, "readonly", replace=True) == STATUS_ACCESS_DENIED
    assert await move(store, one, "readonly", replace=True, ignore_readonly=True) == 0


async def test_replacing_what_one_may_not_delete(store) -> None:
    """Deletion is what the directory grants, or the file."""
    await store.make("bobs", directory=True)
    handle = await store.memory.lookup(store.memory._root and await store.memory.root(), "bobs")
    from vfs_backends.api import StatChange

    await handle.set_stat(StatChange(uid=1001, gid=1001))
    await handle.aclose()
    store._close_roots()
    await store.make("bobs/file", b"alice's")
    one = await store.opened("bobs/mine", token=BOB)
    assert await move(store, one, "file", replace=True) == STATUS_ACCESS_DENIED
    assert await move(store, one, "new") == STATUS_ACCESS_DENIED
    assert await move(store, one, "bobs/new") == 0


async def test_directories(store) -> None:
    one = await store.opened("directory", **DIRECTORY)
    assert await move(store, one, "moved") == 0
    assert store.tree()["moved/below"] == b"below"
    assert await move(store, one, "moved/inside") in (STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER)
    assert await move(store, one, "empty/moved") == 0
    below = await store.opened("empty/moved/below")
    assert await move(store, one, "directory") == STATUS_ACCESS_DENIED
    await store.close(below)
    assert await move(store, one, "directory") == 0
    assert one.path == "directory"


async def test_a_directory_that_is_replaced(store) -> None:
    one = await store.opened("directory", **DIRECTORY)
    assert await move(store, one, "empty", replace=True) == STATUS_ACCESS_DENIED


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("none/new", STATUS_OBJECT_PATH_NOT_FOUND),
        ("other/new", STATUS_OBJECT_PATH_NOT_FOUND),
        ("", STATUS_INVALID_PARAMETER),
    ],
)
async def test_nowhere(store, target, expected) -> None:
    one = await store.opened()
    before = store.tree()
    assert await move(store, one, target) == expected
    assert store.tree() == before
    assert one.path == "file"


async def test_the_root(store) -> None:
    root = await store.opened("", **DIRECTORY)
    assert await move(store, root, "new") == STATUS_ACCESS_DENIED


async def test_what_is_about_to_go(store) -> None:
    one = await store.opened()
    directory = await store.opened("empty", **DIRECTORY)
    await store.run(lambda: set_delete(store.share, directory, True))
    assert await move(store, one, "empty/new") == STATUS_DELETE_PENDING
    await store.run(lambda: set_delete(store.share, one, True))
    assert await move(store, one, "new") == STATUS_DELETE_PENDING
    assert store.tree()["file"] == b"content"


async def test_deletion_follows(store) -> None:
    """What is deleted on close is deleted under the name that it has then."""
    one = await store.opened(options=FILE_DELETE_ON_CLOSE)
    assert await move(store, one, "directory/moved") == 0
    await store.make("file", b"another's")
    await store.close(one)
    tree = store.tree()
    assert "directory/moved" not in tree
    assert tree["file"] == b"another's"


async def test_a_local_program_was_faster(store) -> None:
    one = await store.opened()
    await store.remove("file")
    await store.make("file", b"another's")
    before = store.tree()
    assert await move(store, one, "new") >= 0xC0000000
    assert store.tree() == before
    assert one.path == "file"


CASES = ["new", "other", "OTHER", "directory/new"]


@pytest.mark.parametrize("target", CASES)
@pytest.mark.parametrize("inline", [True, False], ids=["inline", "task"])
async def test_each_failure(target, inline) -> None:
    """The file is under its old name or its new one, and everybody knows which."""
    for number in range(60):
        store = Store(inline=inline)
        await store.start()
        await store.make("file", b"content")
        await store.make("other", b"other content")
        await store.make("directory", directory=True)
        one, two = await store.opened(), await store.opened(access=DELETE | 0x80)
        fault = Fault("*", Kind.IO, skip=number, times=1)
        store.fs.faults[:] = [fault]
        found = await move(store, one, target, replace=True)
        store.fs.faults.clear()
        assert store.tree()[one.path] == b"content"
        assert one.path == two.path
        if found == 0:
            assert one.path == target
        elif one.path == "file":
            assert store.tree()["other"] == b"other content"
        await store.close(one, two)
        assert store.left() == []
        await store.share.aclose()
        if fault.calls <= number:
            assert number > 2
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("target", CASES)
async def test_each_cancellation(target, autojump_clock) -> None:
    for number in range(40):
        store = Store(inline=False)
        await store.start()
        await store.make("file", b"content")
        await store.make("other", b"other content")
        await store.make("directory", directory=True)
        one = await store.opened()
        store.fs.faults[:] = [Fault("*", delay=1)]
        deadline = trio.current_time() + number + 0.5
        done = False
        try:
            await store.in_task(partial(rename, store.share, one, target, replace=True), deadline)
        except trio.TooSlowError:
            assert store.tree() == {"file": b"content", "other": b"other content", "directory": None}
            assert one.path == "file"
        else:
            done = trio.current_time() < deadline
            assert store.tree()[target] == b"content"
            assert one.path == target
        store.fs.faults.clear()
        await store.close(one)
        assert store.left() == []
        await store.share.aclose()
        if done:
            return
    raise AssertionError("it never ends")


# --- links


async def link_to(store: Store, one: Open, target: str, *, replace: bool = False) -> int:
    return await attempt(store, lambda: link(store.share, one, target, replace=replace))


async def test_links(store) -> None:
    one = await store.opened()
    assert await link_to(store, one, "directory/new") == 0
    assert one.path == "file"
    again = await store.opened("directory/new")
    assert again.node_id == one.node_id
    await store.write(again, b"C")
    assert store.tree()["file"] == b"Content"


async def test_links_over_something(store) -> None:
    one = await store.opened()
    assert await link_to(store, one, "other") == STATUS_OBJECT_NAME_COLLISION
    other = await store.opened("other")
    assert await link_to(store, one, "other", replace=True) == STATUS_ACCESS_DENIED
    await store.close(other)
    assert await link_to(store, one, "OTHER", replace=True) == 0
    assert sorted(store.tree().values(), key=str)[-2:] == [b"content", b"content"]


async def test_moving_a_name_to_another_one_of_the_file(store) -> None:
    one = await store.opened()
    assert await link_to(store, one, "directory/linked") == 0
    assert await move(store, one, "directory/LINKED") == STATUS_OBJECT_NAME_COLLISION
    assert await move(store, one, "directory/LINKED", posix=True) == 0
    assert await link_to(store, one, "again") == 0
    assert await move(store, one, "AGAIN", replace=True) == 0
    assert one.path == "AGAIN"
    assert {name for name, data in store.tree().items() if data == b"content"} == {"AGAIN", "directory/linked"}
    assert (await one.handle.stat()).nlink == 2


async def test_links_that_cannot_be(store) -> None:
    directory = await store.opened("directory", **DIRECTORY)
    assert await link_to(store, directory, "new") == STATUS_FILE_IS_A_DIRECTORY
    one = await store.opened()
    assert await link_to(store, one, "") == STATUS_INVALID_PARAMETER
    assert await link_to(store, one, "none/new") == STATUS_OBJECT_PATH_NOT_FOUND
    assert await link_to(store, one, "empty") == STATUS_OBJECT_NAME_COLLISION
    assert await link_to(store, one, "empty", replace=True) == STATUS_ACCESS_DENIED
    assert one.granted_access == FILE_ALL_ACCESS
