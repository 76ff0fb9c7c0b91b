"""Size, attributes, and whether a file goes."""

from functools import partial

import pytest
import trio

from gateway.nt.constants import FILE_CREATE, FILE_DELETE_ON_CLOSE, FILE_DIRECTORY_FILE, FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_DIRECTORY_NOT_EMPTY,
    STATUS_OBJECT_NAME_NOT_FOUND,
    StatusError,
)
from gateway.share.changing import is_empty, set_allocation, set_delete, set_size, set_stat
from gateway.share.closing import is_delete_pending
from gateway.share.errors import status_of
from gateway.share.opens import Open
from tests.share.stores import Store
from vfs_backends.api import StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.faults import Fault


async def doom(store: Store, one: Open, delete: bool = True, **how) -> int:
    """Set or take back the deletion; the status."""
    try:
        await store.run(lambda: set_delete(store.share, one, delete, **how))
    except StatusError as error:
        return error.status
    except VfsError as error:
        return status_of(error)
    return 0


async def status(store: Store, **how) -> int:
    try:
        await store.close(await store.opened(**how))
    except StatusError as error:
        return error.status
    except VfsError as error:
        return status_of(error)
    return 0


async def test_sizes(store) -> None:
    one = await store.opened()
    await store.write(one, b"content")
    await store.run(lambda: set_size(store.share, one, 3))
    assert store.tree() == {"file": b"con"}
    await store.run(lambda: set_size(store.share, one, 5))
    assert store.tree() == {"file": b"con\0\0"}
    await store.run(lambda: set_allocation(store.share, one, 200_000))
    stat = await one.handle.stat()
    assert (stat.size, stat.allocated >= 200_000) == (5, True)


async def test_attributes_and_times(store) -> None:
    one = await store.opened()
    change = StatChange(mtime_ns=5_000_000_000, birthtime_ns=7_000_000_000, dos_attributes=2)
    await store.run(lambda: set_stat(store.share, one, change))
    stat = await one.handle.stat()
    assert (stat.mtime_ns, stat.birthtime_ns, stat.dos_attributes) == (5_000_000_000, 7_000_000_000, 2)


@pytest.mark.parametrize("operation", ["set_size", "set_stat", "allocate"])
async def test_changes_that_fail(store, operation) -> None:
    one = await store.opened()
    store.fs.faults.append(Fault(operation, Kind.NO_SPACE))
    calls = {
        "set_size": lambda: set_size(store.share, one, 3),
        "set_stat": lambda: set_stat(store.share, one, StatChange(dos_attributes=2)),
        "allocate": lambda: set_allocation(store.share, one, 3),
    }
    with pytest.raises(VfsError):
        await store.run(calls[operation])
    assert store.tree() == {"file": b""}


# --- deletion


async def test_a_file_goes_with_its_last_open(store) -> None:
    one, two = await store.opened(), await store.opened()
    assert await doom(store, one) == 0
    assert is_delete_pending(store.share.record(two), two.open_id)
    await store.close(one)
    assert store.tree() == {"file": b""}
    assert await status(store) == STATUS_DELETE_PENDING
    await store.close(two)
    assert store.tree() == {}
    assert await status(store, disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_it_can_be_taken_back(store) -> None:
    one, two = await store.opened(), await store.opened()
    assert await doom(store, one) == 0
    assert await doom(store, two, False) == 0
    assert await doom(store, two, False) == 0
    await store.close(one, two)
    assert store.tree() == {"file": b""}


async def test_deleting_on_close_can_be_set_and_taken_back(store) -> None:
    one = await store.opened()
    assert await doom(store, one, on_close=True) == 0
    assert not is_delete_pending(store.share.record(one), one.open_id)
    assert await doom(store, one, False, on_close=True) == 0
    await store.close(one)
    assert store.tree() == {"file": b""}
    one = await store.opened(options=FILE_DELETE_ON_CLOSE)
    two = await store.opened()
    await store.close(one)
    assert is_delete_pending(store.share.record(two), two.open_id)
    await store.close(two)
    assert store.tree() == {}


async def test_a_name_that_goes_at_once(store) -> None:
    """FILE_DISPOSITION_POSIX_SEMANTICS: with the open that decided it, whoever else has it open."""
    one, two = await store.opened(), await store.opened()
    await store.write(one, b"content")
    assert await doom(store, one, posix=True) == 0
    await store.close(one)
    assert store.tree() == {}
    assert await store.read(two) == b"content"
    three = await store.opened(disposition=FILE_CREATE)
    await store.close(two, three)
    assert store.tree() == {"file": b""}


async def test_the_root_stays(store) -> None:
    root = await store.opened("", options=FILE_DIRECTORY_FILE, disposition=FILE_OPEN)
    assert await doom(store, root) == STATUS_ACCESS_DENIED


async def test_readonly_files_stay(store) -> None:
    await store.close(await store.opened(attributes=1))
    one = await store.opened(access=0x00010080)
    assert await doom(store, one) == STATUS_CANNOT_DELETE
    assert not is_delete_pending(store.share.record(one), one.open_id)
    assert await doom(store, one, ignore_readonly=True) == 0
    await store.close(one)
    assert store.tree() == {}


async def test_directories_go_when_they_are_empty(store) -> None:
    await store.make("directory", directory=True)
    await store.make("directory/file")
    one = await store.opened("directory", options=FILE_DIRECTORY_FILE)
    assert await doom(store, one) == STATUS_DIRECTORY_NOT_EMPTY
    assert not await store.run(lambda: is_empty(store.share, "directory"))
    await store.remove("directory/file")
    assert await store.run(lambda: is_empty(store.share, "directory"))
    assert await doom(store, one) == 0
    await store.close(one)
    assert store.tree() == {}


@pytest.mark.parametrize("operation", ["stat", "lookup", "open_io", "open_directory", "read_directory"])
async def test_looking_whether_it_may_go_fails(store, operation) -> None:
    one = await store.opened("directory", options=FILE_DIRECTORY_FILE)
    store.fs.faults.append(Fault(operation, Kind.IO))
    assert await doom(store, one) == status_of(VfsError(Kind.IO))
    store.fs.faults.clear()
    assert not is_delete_pending(store.share.record(one), one.open_id)
    await store.close(one)
    assert store.tree() == {"directory": None}


async def test_looking_whether_it_may_go_is_cancelled(autojump_clock) -> None:
    store = Store(inline=False)
    await store.start()
    for number in range(20):
        one = await store.opened("directory", options=FILE_DIRECTORY_FILE)
        store.fs.faults[:] = [Fault("*", delay=1)]
        deadline = trio.current_time() + number + 0.5
        try:
            await store.in_task(partial(set_delete, store.share, one, True), deadline)
        except trio.TooSlowError:
            store.fs.faults.clear()
            assert not is_delete_pending(store.share.record(one), one.open_id)
            await store.close(one)
            assert store.left() == []
        else:
            store.fs.faults.clear()
            await store.close(one)
            assert store.tree() == {}
            break
    assert number > 2
    await store.share.aclose()
