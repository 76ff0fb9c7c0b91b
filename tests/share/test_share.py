"""The store's door: reading and writing under locks, and closing, whatever goes wrong."""

from functools import partial

import pytest
import trio

from acl.token import user_token
from gateway.nt.constants import FILE_DELETE_ON_CLOSE, FILE_DIRECTORY_FILE
from gateway.nt.status import STATUS_FILE_LOCK_CONFLICT, StatusError
from gateway.share.changing import set_delete
from gateway.share.locking import lock
from gateway.share.opens import Open
from gateway.share.record import LockEntry
from tests.share.stores import ALICE, IDMAP, Store, intent
from vfs_backends.errors import Kind, VfsError
from vfs_backends.faults import Fault
from vfs_backends.inline import NotNow, run_inline
from vfs_backends.stack import StackedHandle


async def test_reading_and_writing(store) -> None:
    one = await store.opened()
    await store.write(one, b"content")
    await store.run(lambda: store.share.write(one, 3, memoryview(b"TENT"), through=False))
    assert await store.read(one) == b"conTENT"
    assert await store.read(one, 3, 5) == b"NT"
    assert await store.read(one, 3, 50) == b""


async def test_writing_through_waits() -> None:
    store = Store(inline=False)
    await store.start()
    one = await store.opened()
    with pytest.raises(NotNow):
        run_inline(store.share.write(one, 0, memoryview(b"content"), through=True))
    assert store.tree() == {"file": b""}
    await store.run(lambda: store.share.write(one, 0, memoryview(b"content"), through=True))
    await store.run(lambda: store.share.flush(one))
    assert store.fs.calls["flush"] == 2
    assert store.tree() == {"file": b"content"}
    await store.share.aclose()


async def test_a_storage_that_is_for_tasks_only() -> None:
    store = Store(inline=False)
    await store.start()
    store.fs.inline = False
    with pytest.raises(NotNow):
        run_inline(store.open()())
    one = await store.opened()
    assert store.share.read_at_hand(one, 0, memoryview(bytearray(1))) == -1
    for operation in (
        lambda: store.share.write(one, 0, memoryview(b"x")),
        lambda: store.share.read_into(one, 0, memoryview(bytearray(1))),
        lambda: store.share.close(one),
    ):
        with pytest.raises(NotNow):
            run_inline(operation())
    await store.write(one, b"x")
    await store.close(one)
    assert store.left() == []
    await store.share.aclose()


async def test_locks_are_heeded(store) -> None:
    one, two = await store.opened(), await store.opened()
    await store.write(one, b"content")
    await store.run(lambda: lock(store.table, one, [LockEntry(one.open_id, 0, 4, True)]))
    with pytest.raises(StatusError) as caught:
        await store.write(two, b"x", 3)
    assert caught.value.status == STATUS_FILE_LOCK_CONFLICT
    with pytest.raises(StatusError) as caught:
        await store.read(two, 10)
    assert caught.value.status == STATUS_FILE_LOCK_CONFLICT
    await store.write(two, b"x", 4)
    assert await store.read(two, 3, 4) == b"xnt"
    await store.write(one, b"y")
    assert await store.read(one) == b"yontxnt"


async def test_what_is_read_at_hand(store) -> None:
    """Only where nobody has to be asked, and the storage has it."""

    def at_hand() -> bytes | None:
        buffer = bytearray(10)
        count = store.share.read_at_hand(one, 0, memoryview(buffer))
        return None if count < 0 else bytes(buffer[:count])

    one, two = await store.opened(), await store.opened()
    await store.write(one, b"content")
    assert at_hand() is None  # of the wrapper around the storage, which is to see each call
    assert isinstance(one.handle, StackedHandle)
    one.handle = one.handle.below
    assert at_hand() == b"content"
    await store.run(lambda: lock(store.table, two, [LockEntry(two.open_id, 0, 4, True)]))
    assert at_hand() is None
    await store.close(two)
    assert at_hand() == b"content"
    store.fs.inline = False
    assert at_hand() is None
    store.fs.inline = True


async def test_on_whose_behalf(store) -> None:
    caller = store.share.caller(ALICE)
    assert caller is not None
    assert (caller.uid, caller.gid) == (1000, 1000)
    assert store.share.caller(user_token(IDMAP.user_sid(5))) is None


# --- closing


async def test_closing_twice(store) -> None:
    one = await store.opened()
    await store.close(one, one)
    assert store.left() == []


async def test_the_end_closes_everything() -> None:
    store = Store(inline=False)
    await store.start()
    opens = [await store.opened(f"file {number}") for number in range(3)]
    await store.run(lambda: set_delete(store.share, opens[0], True))
    await store.share.aclose()
    assert store.tree() == {"file 1": b"", "file 2": b""}
    assert store.share.opens == {}
    assert len(store.table) == 0


async def doomed(store: Store, path: str) -> Open:
    """Something that is deleted when it is closed."""
    if path == "directory":
        return await store.opened(path, options=FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE)
    if path == "stream":
        await store.close(await store.opened())
        return await store.opened(stream="stream", options=FILE_DELETE_ON_CLOSE)
    one = await store.opened(path, options=FILE_DELETE_ON_CLOSE)
    await store.write(one, b"content")
    return one


@pytest.mark.parametrize("path", ["file", "directory", "stream"])
@pytest.mark.parametrize("inline", [True, False], ids=["inline", "task"])
async def test_closing_does_not_fail(path, inline, caplog) -> None:
    """Whatever the storage says to it; it is told of in the log."""
    for number in range(50):
        store = Store(inline=inline)
        await store.start()
        one = await doomed(store, path)
        fault = Fault("*", Kind.IO, skip=number, times=1)
        store.fs.faults[:] = [fault]
        await store.close(one)
        store.fs.faults.clear()
        assert store.left() == []
        still_there = path in store.tree() if path != "stream" else False
        assert (
            still_there == any("cannot delete" in record.getMessage() for record in caplog.records) or path == "stream"
        )
        caplog.clear()
        await store.share.aclose()
        if fault.calls <= number:
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("path", ["file", "directory", "stream"])
async def test_closing_can_be_cancelled_by_nobody(path, autojump_clock) -> None:
    """In a task it goes on to its end; where nothing shields it, it gives up what it holds all the same."""
    for shielded in (True, False):
        for number in range(20):
            store = Store(inline=False)
            await store.start()
            one = await doomed(store, path)
            store.fs.faults[:] = [Fault("*", delay=1)]
            deadline = trio.current_time() + number + 0.5
            if shielded:
                await store.in_task(partial(store.share.close, one), deadline)
                done = trio.current_time() < deadline
            else:
                with trio.CancelScope(deadline=deadline) as scope:
                    await store.share.close(one)
                done = not scope.cancelled_caught
            store.fs.faults.clear()
            assert store.left() == []
            if shielded:
                assert path not in store.tree()
            await store.share.aclose()
            if done:
                break
        else:
            raise AssertionError("it never ends")


async def test_what_was_replaced_meanwhile_is_not_deleted(store) -> None:
    one = await store.opened(options=FILE_DELETE_ON_CLOSE)
    await store.remove("file")
    await store.make("file", b"another's")
    await store.close(one)
    assert store.tree() == {"file": b"another's"}


async def test_what_is_gone_already(store, caplog) -> None:
    one = await store.opened("directory/file", options=FILE_DELETE_ON_CLOSE) if await _directory(store) else None
    await store.remove("directory/file")
    await store.remove("directory")
    assert one is not None
    await store.close(one)
    assert caplog.records == []


async def _directory(store: Store) -> bool:
    await store.make("directory", directory=True)
    return True


async def test_a_directory_that_was_filled_meanwhile_stays(store, caplog) -> None:
    one = await store.opened("directory", options=FILE_DIRECTORY_FILE)
    await store.run(lambda: set_delete(store.share, one, True))
    await store.make("directory/file")
    await store.close(one)
    assert store.tree() == {"directory": None, "directory/file": b""}
    assert "cannot delete" in caplog.text
    # It can be opened again, and deleted when it is empty.
    await store.remove("directory/file")
    again = await store.opened("directory", options=FILE_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE)
    await store.close(again)
    assert store.tree() == {}


async def test_a_storage_that_does_not_start() -> None:
    store = Store(inline=False)
    store.fs.faults.append(Fault("root", Kind.ACCESS_DENIED))
    with pytest.raises(VfsError):
        await store.share.start()


async def test_open_ids_are_never_used_again(store) -> None:
    seen = set()
    for _ in range(10):
        one = await store.run(lambda: store.share.open(intent(), ALICE))
        assert one.open_id not in seen
        seen.add(one.open_id)
        await store.close(one)
