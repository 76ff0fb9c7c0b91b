"""The time of the last write where it is delayed: the rules, and what they make of files."""

import math

import pytest
import trio

from gateway.nt.constants import FILE_DELETE_ON_CLOSE
from gateway.share.changing import set_size, set_stat
from gateway.share.settings import ShareSettings
from gateway.share.times import KEEP_WRITE_TIME, WriteTimes, settle_write_time
from gateway.share.writetime import NOT_WRITTEN, WriteTime, elapsed, settled, written
from tests.share.stores import Store, running
from vfs_backends.api import StatChange
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault

LONG_AGO = 1_000_000_000


# --- the rules


def test_the_first_write_is_due_after_the_delay():
    state = written(NOT_WRITTEN, 10.0, 2.0)
    assert state == WriteTime(True, 12.0)
    assert written(state, 11.0, 2.0) is state
    assert elapsed(state, 11.9) is state
    assert elapsed(state, 12.0) == WriteTime(is_spent=True)


def test_what_is_written_after_that_waits_for_the_end():
    state = written(WriteTime(is_spent=True), 20.0, 2.0)
    assert state == WriteTime(True, math.inf, True)
    assert elapsed(state, 1e9) is state
    assert settled(state) == WriteTime(is_spent=True)


def test_what_is_brought_forward_is_owed_no_more():
    state = settled(written(NOT_WRITTEN, 10.0, 2.0))
    assert state == NOT_WRITTEN
    assert elapsed(state, 1e9) is state
    assert written(state, 20.0, 2.0) == WriteTime(True, 22.0)


# --- files


@pytest.fixture
async def times(nursery):
    made = WriteTimes()
    nursery.start_soon(made.run)
    yield made
    assert not made._owing
    nursery.cancel_scope.cancel()


@pytest.fixture
async def store(times):
    async with running(inline=False, settings=ShareSettings(write_time_delay=2), write_times=times) as made:
        yield made


async def old(store: Store, path: str = "file", **how):
    """An open of a file that was last written long ago."""
    one = await store.opened(path, **how)
    await one.handle.set_stat(StatChange(mtime_ns=LONG_AGO))
    return one


async def shows(one) -> bool:
    """Whether the time shows that something was written; if so, it is made old again."""
    if (await one.handle.stat()).mtime_ns == LONG_AGO:
        return False
    await one.handle.set_stat(StatChange(mtime_ns=LONG_AGO))
    return True


async def test_a_write_shows_after_the_delay(store, autojump_clock) -> None:
    one = await old(store)
    await store.write(one, b"1")
    await trio.sleep(1.5)
    await store.write(one, b"2")
    assert not await shows(one)
    await trio.sleep(1)
    assert await shows(one)
    await store.write(one, b"3")
    await trio.sleep(3600)
    assert not await shows(one)
    other = await store.opened()
    await store.close(one)
    assert await shows(other)


async def test_opens_are_on_their_own(store, autojump_clock) -> None:
    one, other = await old(store), await old(store, "other")
    await store.write(one, b"1")
    await trio.sleep(1)
    await store.write(other, b"1")
    await trio.sleep(1.5)
    assert (await shows(one), await shows(other)) == (True, False)
    await trio.sleep(1)
    assert (await shows(one), await shows(other)) == (False, True)


@pytest.mark.parametrize("how", ["flush", "size", "attributes", "nothing set"])
async def test_what_brings_it_forward(store, autojump_clock, how) -> None:
    one = await old(store)
    await store.write(one, b"1")
    if how == "flush":
        await store.share.flush(one)
    elif how == "size":
        await set_size(store.share, one, 1)
    elif how == "attributes":
        await set_stat(store.share, one, StatChange(dos_attributes=2))
    else:
        await settle_write_time(one)
    other = await store.opened()
    assert await shows(other)
    await trio.sleep(10)
    await store.close(one)
    assert not await shows(other)


async def test_a_time_that_is_set_counts(store, autojump_clock) -> None:
    one, other = await old(store), await store.opened()
    await store.write(one, b"1")
    await set_stat(store.share, other, StatChange(mtime_ns=7_000_000_000))
    await trio.sleep(10)
    await store.close(one)
    assert (await other.handle.stat()).mtime_ns == 7_000_000_000
    other.kept_times |= KEEP_WRITE_TIME
    await store.write(other, b"1")
    await trio.sleep(10)
    assert (await other.handle.stat()).mtime_ns == 7_000_000_000


async def test_what_goes_or_cannot_be_told_is_let_be(store, autojump_clock, caplog) -> None:
    one = await old(store, options=FILE_DELETE_ON_CLOSE)
    await store.write(one, b"1")
    await store.close(one)
    assert store.tree() == {}
    one = await old(store, "other")
    await store.write(one, b"1")
    store.fs.faults.append(Fault("set_stat", Kind.IO))
    with caplog.at_level("INFO", "gateway.vfs"):
        await trio.sleep(3)
    assert "last write of other" in caplog.text


async def test_programs_see_it_at_once(store, autojump_clock) -> None:
    one = await old(store, posix=True)
    await store.write(one, b"1")
    assert await shows(one)
