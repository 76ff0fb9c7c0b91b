"""Opening and creating: what is refused, what races, what fails half-way, and what is cancelled."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import trio

from acl.mask import DELETE, FILE_ALL_ACCESS, FILE_GENERIC_EXECUTE, FILE_GENERIC_READ, FILE_WRITE_DATA, MAXIMUM_ALLOWED
from gateway.nt.constants import (
    FILE_CREATE,
    FILE_CREATED,
    FILE_DELETE_ON_CLOSE,
    FILE_DIRECTORY_FILE,
    FILE_NON_DIRECTORY_FILE,
    FILE_OPEN,
    FILE_OPEN_BY_FILE_ID,
    FILE_OPEN_IF,
    FILE_OPENED,
    FILE_OVERWRITE,
    FILE_OVERWRITE_IF,
    FILE_OVERWRITTEN,
    FILE_SUPERSEDE,
    FILE_SUPERSEDED,
)
from gateway.nt.info import ExtendedAttribute as EA
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_DIRECTORY,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_SHARING_VIOLATION,
)
from gateway.share.changing import set_delete
from gateway.share.memory_table import MemoryTable
from gateway.share.opens import Open
from tests.share.stores import ALICE, BOB, Store, intent, status
from vfs_backends.errors import Kind, VfsError
from vfs_backends.faults import Fault

READONLY, HIDDEN, SYSTEM = 1, 2, 4
ALL_DISPOSITIONS = (FILE_SUPERSEDE, FILE_OPEN, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE, FILE_OVERWRITE_IF)
OVERWRITING = (FILE_SUPERSEDE, FILE_OVERWRITE, FILE_OVERWRITE_IF)
CREATING = (FILE_SUPERSEDE, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE_IF)


# --- dispositions


@pytest.mark.parametrize(
    ("disposition", "outcome"),
    [
        (FILE_SUPERSEDE, FILE_SUPERSEDED),
        (FILE_OPEN, FILE_OPENED),
        (FILE_OPEN_IF, FILE_OPENED),
        (FILE_OVERWRITE, FILE_OVERWRITTEN),
        (FILE_OVERWRITE_IF, FILE_OVERWRITTEN),
    ],
)
async def test_what_exists(store, disposition, outcome) -> None:
    await store.make("file", b"content")
    one = await store.opened("FILE", disposition=disposition)
    assert (one.action, one.path) == (outcome, "file")
    assert store.tree() == {"file": b"" if disposition in OVERWRITING else b"content"}


@pytest.mark.parametrize("disposition", CREATING)
async def test_what_does_not_exist(store, disposition) -> None:
    one = await store.opened(disposition=disposition)
    assert one.action == FILE_CREATED
    assert store.tree() == {"file": b""}


@pytest.mark.parametrize(
    ("path", "how", "expected"),
    [
        ("file", {"disposition": FILE_CREATE}, STATUS_OBJECT_NAME_COLLISION),
        ("FILE", {"disposition": FILE_CREATE}, STATUS_OBJECT_NAME_COLLISION),
        ("", {"disposition": FILE_CREATE, "options": FILE_DIRECTORY_FILE}, STATUS_OBJECT_NAME_COLLISION),
        ("none/none", {"disposition": FILE_CREATE}, STATUS_OBJECT_PATH_NOT_FOUND),
        ("file/none", {"disposition": FILE_CREATE}, STATUS_OBJECT_PATH_NOT_FOUND),
        ("directory/new", {"disposition": FILE_CREATE, "token": BOB}, STATUS_ACCESS_DENIED),
        ("none", {"disposition": FILE_OPEN}, STATUS_OBJECT_NAME_NOT_FOUND),
        ("none", {"disposition": FILE_OVERWRITE}, STATUS_OBJECT_NAME_NOT_FOUND),
        ("none/none", {}, STATUS_OBJECT_PATH_NOT_FOUND),
        ("file/none", {}, STATUS_OBJECT_PATH_NOT_FOUND),
        ("file", {"options": FILE_DIRECTORY_FILE}, STATUS_NOT_A_DIRECTORY),
        ("directory", {"options": FILE_NON_DIRECTORY_FILE}, STATUS_FILE_IS_A_DIRECTORY),
        ("directory", {"disposition": FILE_OVERWRITE_IF}, STATUS_FILE_IS_A_DIRECTORY),
        ("directory", {"disposition": FILE_CREATE, "options": FILE_DIRECTORY_FILE}, STATUS_OBJECT_NAME_COLLISION),
        ("file", {"token": BOB}, STATUS_ACCESS_DENIED),
        ("new", {"token": BOB}, STATUS_ACCESS_DENIED),
        ("directory/new", {"token": BOB}, STATUS_ACCESS_DENIED),
        ("file", {"disposition": FILE_OVERWRITE, "token": BOB, "access": FILE_GENERIC_READ}, STATUS_ACCESS_DENIED),
    ],
)
async def test_what_is_refused(store, path, how, expected) -> None:
    await store.make("file", b"content")
    await store.make("directory", directory=True)
    before = store.tree()
    assert await status(store, path, **how) == expected
    assert store.tree() == before


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"disposition": 6}, STATUS_INVALID_PARAMETER),
        ({"share": 8}, STATUS_INVALID_PARAMETER),
        ({"options": 0x01000000}, STATUS_INVALID_PARAMETER),
        ({"attributes": 0x8000}, STATUS_INVALID_PARAMETER),
        ({"access": 0}, STATUS_ACCESS_DENIED),
        ({"access": 0x00E00000}, STATUS_ACCESS_DENIED),
        ({"options": FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE}, STATUS_INVALID_PARAMETER),
        ({"options": FILE_DIRECTORY_FILE, "disposition": FILE_OVERWRITE}, STATUS_INVALID_PARAMETER),
        ({"options": FILE_DELETE_ON_CLOSE, "access": FILE_GENERIC_READ}, STATUS_INVALID_PARAMETER),
        ({"options": 0x00100000}, STATUS_NOT_SUPPORTED),
        ({"options": FILE_OPEN_BY_FILE_ID, "by_id": 5, "disposition": FILE_CREATE}, STATUS_INVALID_PARAMETER),
    ],
)
async def test_what_cannot_be_meant(store, how, expected) -> None:
    assert await status(store, **how) == expected
    assert store.tree() == {}


async def test_by_id(store) -> None:
    await store.make("file", b"content")
    one = await store.opened()
    again = await store.opened("", by_id=one.node_id.inode, disposition=FILE_OPEN, options=FILE_OPEN_BY_FILE_ID)
    assert (again.node_id, again.path) == (one.node_id, "file")
    await store.close(one, again)
    by_id: dict[str, Any] = {"by_id": one.node_id.inode, "disposition": FILE_OPEN, "options": FILE_OPEN_BY_FILE_ID}
    assert await status(store, "", token=BOB, **by_id) == STATUS_ACCESS_DENIED
    await store.remove("file")
    assert await status(store, "", **by_id) == STATUS_OBJECT_NAME_NOT_FOUND


# --- access and attributes


@pytest.mark.parametrize("disposition", [FILE_OPEN, FILE_OPEN_IF, FILE_OVERWRITE])
async def test_the_limit_of_the_way_it_came_by(store, disposition) -> None:
    """Read-only shares: nothing that would change anything, whatever the descriptor grants."""
    await store.make("file", b"content")
    limit = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE
    how: dict[str, Any] = {"disposition": disposition, "access_limit": limit}
    for access in (FILE_ALL_ACCESS, DELETE, 0x2, 0x4, 0x100, 0x10000000):
        assert await status(store, access=access, **how) == STATUS_ACCESS_DENIED
    found = await status(store, access=FILE_GENERIC_READ, **how)
    assert found == (STATUS_ACCESS_DENIED if disposition == FILE_OVERWRITE else 0)
    assert store.tree() == {"file": b"content"}
    assert await status(store, "new", disposition=FILE_OPEN_IF, access_limit=limit) == STATUS_ACCESS_DENIED


@pytest.mark.parametrize("disposition", [FILE_OPEN, FILE_OVERWRITE])
async def test_deleting_on_close_needs_the_right_to_delete(store, disposition) -> None:
    """Also of who asks for as much as there is."""
    await store.make("file", b"content")
    how: dict[str, Any] = {"access": MAXIMUM_ALLOWED, "options": FILE_DELETE_ON_CLOSE, "disposition": disposition}
    limit = FILE_GENERIC_READ | FILE_GENERIC_EXECUTE
    assert await status(store, access_limit=limit, **how) == STATUS_ACCESS_DENIED
    assert await status(store, token=BOB, **how) == STATUS_ACCESS_DENIED
    assert store.tree() == {"file": b"content"}
    assert await status(store, **how) == 0
    assert store.tree() == {}


async def test_maximum_allowed(store) -> None:
    await store.make("file", b"content")
    one = await store.opened(access=MAXIMUM_ALLOWED)
    assert one.granted_access == FILE_ALL_ACCESS
    two = await store.opened(access=MAXIMUM_ALLOWED, access_limit=FILE_GENERIC_READ)
    assert two.granted_access & ~FILE_GENERIC_READ == 0
    three = await store.opened(access=MAXIMUM_ALLOWED, token=BOB)
    assert three.granted_access & 1
    assert not three.granted_access & 2
    new = await store.opened("new", access=MAXIMUM_ALLOWED)
    assert new.granted_access == FILE_ALL_ACCESS


@pytest.mark.parametrize("disposition", OVERWRITING)
@pytest.mark.parametrize("attribute", [READONLY, HIDDEN, SYSTEM])
async def test_attributes_that_forbid_overwriting(store, disposition, attribute) -> None:
    await store.close(await store.opened(attributes=attribute))
    before = store.tree()
    assert await status(store, disposition=disposition) == STATUS_ACCESS_DENIED
    assert store.tree() == before
    found = await status(store, disposition=disposition, attributes=attribute)
    assert found == (STATUS_ACCESS_DENIED if attribute == READONLY else 0)


async def test_readonly_files(store) -> None:
    """Whoever creates one may write to it; later nobody may, nor delete it on closing."""
    one = await store.opened(attributes=READONLY)
    await store.write(one, b"content")
    await store.close(one)
    assert await status(store) == STATUS_ACCESS_DENIED
    assert await status(store, access=FILE_GENERIC_READ) == 0
    doc: dict[str, Any] = {"options": FILE_DELETE_ON_CLOSE}
    assert await status(store, access=DELETE, **doc) == STATUS_CANNOT_DELETE
    assert await status(store, "new", attributes=READONLY, **doc) == STATUS_CANNOT_DELETE
    assert store.tree() == {"file": b"content"}


# --- share modes


@pytest.mark.parametrize("disposition", OVERWRITING)
async def test_share_modes_before_anything_is_lost(store, disposition) -> None:
    await store.make("file", b"content")
    one = await store.opened(share=1)
    access = FILE_GENERIC_READ | FILE_WRITE_DATA
    assert await status(store, disposition=disposition, access=access) == STATUS_SHARING_VIOLATION
    assert await store.read(one) == b"content"


async def test_delete_pending(store) -> None:
    one = await store.opened()
    await store.run(lambda: set_delete(store.share, one, True))
    for disposition in ALL_DISPOSITIONS:
        expected = STATUS_OBJECT_NAME_COLLISION if disposition == FILE_CREATE else STATUS_DELETE_PENDING
        assert await status(store, disposition=disposition) == expected
    await store.close(one)
    assert await status(store, disposition=FILE_CREATE) == 0


async def test_nothing_new_in_a_directory_that_goes(store) -> None:
    directory = await store.opened("directory", options=FILE_DIRECTORY_FILE)
    await store.run(lambda: set_delete(store.share, directory, True))
    assert await status(store, "directory/new") == STATUS_DELETE_PENDING
    await store.close(directory)
    assert store.tree() == {}


# --- races: the world moves between the look and the deed


async def test_a_file_that_appears(store) -> None:
    """It is opened instead of created."""

    async def appear() -> None:
        await store.make("file", b"content")

    store.fs.hooks["create_file"] = (0, appear)
    one = await store.opened(disposition=FILE_OPEN_IF)
    assert one.action == FILE_OPENED
    assert await store.read(one) == b"content"


async def test_a_file_that_appears_where_it_must_not_exist(store) -> None:
    async def appear() -> None:
        await store.make("file", b"content")

    store.fs.hooks["create_file"] = (0, appear)
    assert await status(store, disposition=FILE_CREATE) == STATUS_OBJECT_NAME_COLLISION
    assert store.tree() == {"file": b"content"}


async def test_a_file_that_vanishes(store) -> None:
    """Between the look and the opening: what was found is opened all the same, as a local program would."""
    await store.make("file", b"content")

    async def vanish() -> None:
        await store.remove("file")

    store.fs.hooks["open_io"] = (0, vanish)
    assert await status(store, disposition=FILE_OPEN) == 0
    assert store.tree() == {}


async def test_a_file_that_comes_and_goes(store) -> None:
    """Again and again; it comes to an end all the same."""
    looks = 0

    async def appear() -> None:
        nonlocal looks
        looks += 1
        await store.make("file")
        store.fs.hooks["lookup"] = (0, vanish)

    async def vanish() -> None:
        await store.remove("file")
        store.fs.hooks["create_file"] = (0, appear)

    store.fs.hooks["create_file"] = (0, appear)
    assert await status(store, disposition=FILE_OPEN_IF) == STATUS_OBJECT_NAME_COLLISION
    store.fs.hooks.clear()
    assert 1 < looks < 10


class OvertakenTable(MemoryTable):
    """In which somebody else is faster, once."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], Awaitable[None]] | None = None

    async def transact(self, key, function):
        before, self.before = self.before, None
        if before is not None:
            await before()
        return await super().transact(key, function)


async def test_somebody_opens_the_new_file_first() -> None:
    """Who created it may have to yield, but never takes the other one's file away."""
    table = OvertakenTable()
    store = Store(inline=False, table=table)
    await store.start()
    theirs: list[Open] = []

    async def be_faster() -> None:
        theirs.append(await store.share.open(intent(share=0), ALICE))

    # After the file is there, and before the table knows of it.
    table.before = be_faster
    assert await status(store, share=0) == STATUS_SHARING_VIOLATION
    assert store.tree() == {"file": b""}
    await store.write(theirs[0], b"content")
    await store.close(*theirs)
    assert store.tree() == {"file": b"content"}
    assert store.left() == []
    await store.share.aclose()


async def test_somebody_opens_the_file_first() -> None:
    store = Store(inline=False)
    await store.start()
    await store.make("file", b"content")
    theirs: list[Open] = []

    async def be_faster() -> None:
        theirs.append(await store.share.open(intent(share=0), ALICE))

    store.fs.hooks["open_io"] = (0, be_faster)
    assert await status(store, disposition=FILE_OVERWRITE) == STATUS_SHARING_VIOLATION
    assert store.tree() == {"file": b"content"}
    await store.close(*theirs)
    assert store.left() == []
    await store.share.aclose()


async def test_a_new_file_is_not_mistaken_for_one_that_is_closed_meanwhile() -> None:
    """Deleting on close: whoever comes while it goes gets a file of their own, or is told to wait."""
    store = Store(inline=False)
    await store.start()
    await store.make("file", b"old")
    one = await store.opened(options=FILE_DELETE_ON_CLOSE)
    found: list[int] = []

    async def come() -> None:
        found.append(await status(store, disposition=FILE_OPEN_IF))

    store.fs.hooks["remove"] = (0, come)
    await store.in_task(lambda: store.share.close(one))
    assert found == [STATUS_DELETE_PENDING]
    assert store.tree() == {}
    assert await status(store, disposition=FILE_CREATE) == 0
    assert store.left() == []
    await store.share.aclose()


# --- failures


CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "open": ("old", {"disposition": FILE_OPEN}),
    "open to read": ("old", {"disposition": FILE_OPEN, "access": FILE_GENERIC_READ}),
    "open for all there is": ("old", {"disposition": FILE_OPEN, "access": MAXIMUM_ALLOWED}),
    "open a directory": ("directory", {"disposition": FILE_OPEN}),
    "open below": ("directory/file", {"disposition": FILE_OPEN}),
    "overwrite": ("old", {"disposition": FILE_OVERWRITE}),
    "overwrite, delete on close": ("old", {"disposition": FILE_OVERWRITE, "options": FILE_DELETE_ON_CLOSE}),
    "supersede": ("old", {"disposition": FILE_SUPERSEDE, "extended_attributes": (EA("a", b"b"),)}),
    "create": ("new", {"disposition": FILE_CREATE}),
    "create below": ("directory/new", {"disposition": FILE_OPEN_IF}),
    "create with everything": (
        "new",
        {
            "attributes": HIDDEN,
            "allocation_size": 100_000,
            "extended_attributes": (EA("a", b"b"), EA("c", b"d")),
        },
    ),
    "create and delete on close": ("new", {"options": FILE_DELETE_ON_CLOSE}),
    "create a directory": ("new", {"options": FILE_DIRECTORY_FILE, "attributes": HIDDEN}),
    "open a stream": ("old", {"disposition": FILE_OPEN, "stream": "stream"}),
    "create a stream": ("old", {"stream": "new stream", "allocation_size": 100}),
    "create a file for a stream": ("new", {"stream": "new stream", "allocation_size": 100}),
}
cases = pytest.mark.parametrize("case", CASES)


async def filled(store: Store) -> dict[str, bytes | None]:
    await store.make("old", b"content")
    await store.make("directory", directory=True)
    await store.make("directory/file", b"content")
    stream = await store.opened("old", stream="stream")
    await store.close(stream)
    return store.tree()


@cases
@pytest.mark.parametrize("inline", [True, False], ids=["inline", "task"])
async def test_each_failure(case, inline) -> None:
    """Nothing stays open, nothing stays in the table, and what was not there is not there."""
    path, how = CASES[case]
    for number in range(100):
        store = Store(inline=inline)
        await store.start()
        expected = await filled(store)
        fault = Fault("*", Kind.IO, skip=number, times=1)
        store.fs.faults[:] = [fault]
        try:
            one = await store.opened(path, **how)
        except VfsError:
            store.fs.faults.clear()
            now = store.tree()
            if how.get("disposition") in OVERWRITING:
                expected["old"] = now["old"]  # it may have been emptied by then
            assert now == expected
        else:
            store.fs.faults.clear()
            await store.close(one)
        assert store.left() == []
        await store.share.aclose()
        if fault.calls <= number:
            assert number > 2
            return
    raise AssertionError("it never ends")


@cases
async def test_each_cancellation(case, autojump_clock) -> None:
    """At every wait: it ends without a trace, or it goes on to its end."""
    path, how = CASES[case]
    for number in range(60):
        store = Store(inline=False)
        await store.start()
        before = await filled(store)
        store.fs.faults[:] = [Fault("*", delay=1)]
        began = trio.current_time()
        try:
            one = await store.in_task(store.open(path, **how), began + number + 0.5)
        except trio.TooSlowError:
            assert trio.current_time() == began + number + 0.5
            assert store.tree() == before
            assert store.left() == []
            done = False
        else:
            done = trio.current_time() < began + number + 0.5
            store.fs.faults.clear()
            await store.close(one)
        store.fs.faults.clear()
        assert store.left() == []
        await store.share.aclose()
        if done:
            assert number > 1
            return
    raise AssertionError("it never ends")
