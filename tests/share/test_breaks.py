"""Breaks as they happen: who is told, who waits and for how long, and that nothing is left of it."""

from functools import partial

import pytest
import trio
import trio.testing

from acl.mask import DELETE, FILE_READ_DATA
from gateway.nt.constants import FILE_DIRECTORY_FILE, FILE_OPEN, FILE_OVERWRITE_IF
from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_OPLOCK_PROTOCOL,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_SHARING_VIOLATION,
    STATUS_UNSUCCESSFUL,
    StatusError,
)
from gateway.share.breaks import BREAK_SECONDS
from gateway.share.changing import set_delete, set_size, set_stat
from gateway.share.errors import status_of as status_of_storage
from gateway.share.extended import set_attributes
from gateway.share.leases import BATCH, EXCLUSIVE, Acknowledged, Break, LeaseRequest
from gateway.share.locking import lock
from gateway.share.opens import Open
from gateway.share.record import LockEntry
from gateway.share.renaming import link, rename
from gateway.share.streams import rename_stream
from tests.share.one_file import bits, letters
from tests.share.stores import Operation, Store
from vfs_backends.api import StatChange
from vfs_backends.errors import VfsError
from vfs_backends.inline import NotNow, run_inline


@pytest.fixture
def store(waiting_store: Store) -> Store:
    return waiting_store


class Client:
    """Somebody who caches. Does not answer unless `obeys`."""

    def __init__(self, store: Store, name: str, *, obeys: bool = True) -> None:
        self.store = store
        self.name = name
        self.obeys = obeys
        self.reachable = True
        self.way: object = self
        self.better_way: object = None
        self.told_since: list[float] = []
        self.told: list[Break] = []

    def broken(self, told: Break, *, since: float | None = None) -> object | None:
        if not self.reachable:
            return None
        if since is not None:
            self.told_since.append(since)
            self.way, self.better_way = self.better_way, None
            if self.way is None:
                return None
        self.told.append(told)
        if self.obeys and told.acknowledge:
            trio.lowlevel.spawn_system_task(self.store.share.breaks.acknowledge, told.holder, told.new_state)
        return self.way

    def was_told(self) -> list[tuple[str, str]]:
        told = [(letters(one.old_state), letters(one.new_state)) for one in self.told]
        self.told.clear()
        return told

    async def open(self, path: str = "file", lease: str = "", key: str = "", *, version: int = 2, **how) -> Open:
        """Open, with a lease if it has a key."""
        parent = how.pop("parent", "")
        operation = self.store.open(
            path, owner=self.name, lease_key=key_of(key), parent_key=key_of(parent) if parent else b"", **how
        )
        one = await self.store.run(operation)
        request = LeaseRequest(bits(lease), version, 0, one.is_directory)
        one_granted = await self.store.run(lambda: self.store.share.grant(one, request, self))
        assert letters(one_granted.state) == lease
        return one

    async def oplock(self, path: str = "file", state: int = BATCH, **how) -> Open:
        one = await self.store.run(self.store.open(path, owner=self.name, **how))
        granted = await self.store.run(lambda: self.store.share.grant(one, LeaseRequest(state), self))
        assert granted.state == state
        return one

    def acknowledge(self, key: str, state: str) -> Operation[Acknowledged]:
        name = (self.name, key_of(key), 0)
        return lambda: self.store.share.breaks.acknowledge(name, bits(state))


class Closes(Client):
    """Closes its open instead of keeping it without its handle."""

    one: Open

    def broken(self, told: Break, *, since: float | None = None) -> object | None:
        self.told.append(told)
        trio.lowlevel.spawn_system_task(self.store.share.close, self.one)
        return self


def key_of(key: str) -> bytes:
    return key.encode().ljust(16, b".")


async def status_of(store: Store, operation: Operation[object]) -> int:
    try:
        await store.in_task(operation)
    except StatusError as error:
        return error.status
    except VfsError as error:
        return status_of_storage(error)
    return 0


def state_of(store: Store, one: Open) -> str:
    record = store.share.record(one)
    assert record is not None
    return ",".join(letters(lease.state) for lease in record.leases)


# --- the four endings of a wait


async def test_a_break_is_acknowledged(store, autojump_clock) -> None:
    ann, bob = Client(store, "ann"), Client(store, "bob")
    one = await ann.open(lease="RWH", key="a")
    began = trio.current_time()
    await bob.open(lease="RH", key="b")
    assert ann.was_told() == [("RWH", "RH")]
    assert state_of(store, one) == "RH,RH"
    assert trio.current_time() - began < 1


async def test_nobody_waits_longer_than_the_time_for_an_answer(store, autojump_clock) -> None:
    ann, bob = Client(store, "ann", obeys=False), Client(store, "bob")
    one = await ann.open(lease="RWH", key="a")
    began = trio.current_time()
    await bob.open(lease="RH", key="b")
    assert trio.current_time() - began == BREAK_SECONDS
    assert state_of(store, one) == ",RH"
    outcome = await store.run(ann.acknowledge("a", "RH"))
    assert outcome.status == STATUS_UNSUCCESSFUL


async def test_the_time_runs_from_the_break_whoever_comes_to_wait(store, autojump_clock) -> None:
    ann, bob = Client(store, "ann", obeys=False), Client(store, "bob")
    await ann.open(lease="RWH", key="a")
    began = trio.current_time()
    with pytest.raises(trio.TooSlowError):
        await store.in_task(store.open(owner="cid"), deadline=began + 20)
    await bob.open()
    assert trio.current_time() - began == BREAK_SECONDS
    assert ann.was_told() == [("RWH", "RH")]


async def test_a_holder_that_has_gone_is_not_waited_for(store, autojump_clock, nursery) -> None:
    ann, bob = Client(store, "ann", obeys=False), Client(store, "bob")
    one = await ann.open(lease="RWH", key="a")
    opened = trio.Event()

    async def opens() -> None:
        await bob.open(lease="RWH", key="b")
        opened.set()

    nursery.start_soon(opens)
    await trio.testing.wait_all_tasks_blocked()
    assert ann.was_told() == [("RWH", "RH")]
    began = trio.current_time()
    await store.close(one)
    await opened.wait()
    assert trio.current_time() == began


async def test_a_wait_is_cancelled(store, autojump_clock) -> None:
    ann = Client(store, "ann", obeys=False)
    one = await ann.open(lease="RWH", key="a")
    with pytest.raises(trio.TooSlowError):
        await store.in_task(store.open(owner="bob"), deadline=trio.current_time() + 1)
    assert len(store.share.opens) == 1
    outcome = await store.run(ann.acknowledge("a", "RH"))
    assert outcome.status == 0
    assert state_of(store, one) == "RH"


# --- waiting in general


async def test_what_has_to_wait_does_nothing_inline(store, autojump_clock) -> None:
    ann = Client(store, "ann", obeys=False)
    one = await ann.open(lease="RWH", key="a")
    other = await store.opened(owner="ann", lease_key=key_of("a"))
    for operation in (
        store.open(owner="bob"),
        store.open(owner="bob", disposition=FILE_OVERWRITE_IF),
    ):
        with pytest.raises(NotNow):
            run_inline(operation())
    # Its own opens are in nobody's way.
    run_inline(store.share.write(other, 0, memoryview(b"data")))
    assert ann.told == []
    assert state_of(store, one) == "RWH"


async def test_many_that_wait_are_in_nobody_elses_way(store, autojump_clock, nursery) -> None:
    ann = Client(store, "ann", obeys=False)
    one = await ann.open(lease="RWH", key="a")
    await store.make("other")
    waiting = []

    async def opens(number: int) -> None:
        waiting.append(number)
        await store.in_task(store.open(owner=f"client {number}"))
        waiting.remove(number)

    for number in range(50):
        nursery.start_soon(opens, number)
    await trio.testing.wait_all_tasks_blocked()
    assert len(waiting) == 50
    assert ann.was_told() == [("RWH", "RH")]
    run_inline(store.open("other", owner="bob")())
    await store.close(one)
    with trio.fail_after(1):
        await trio.testing.wait_all_tasks_blocked()
    assert waiting == []
    assert len(store.share.opens) == 51


async def test_renaming_a_stream_asks_who_caches_its_handle(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    await ann.open(stream="s", lease="RH", key="a", version=1)
    await ann.open(stream="other", lease="RH", key="b", version=1)
    one = await store.opened(owner="bob", stream="s")
    await store.in_task(lambda: rename_stream(store.share, one, "new", replace=False))
    assert ann.was_told() == [("RH", "R")]
    assert one.stream == "NEW"


async def test_who_waited_looks_again(store, autojump_clock, nursery) -> None:
    """The holder deletes the file instead of sharing it."""
    ann = Client(store, "ann", obeys=False)
    one = await ann.oplock()
    statuses = []

    async def opens() -> None:
        statuses.append(await status_of(store, store.open(owner="bob", disposition=FILE_OPEN)))

    nursery.start_soon(opens)
    await trio.testing.wait_all_tasks_blocked()
    await store.run(lambda: set_delete(store.share, one, True))
    await store.close(one)
    await trio.testing.wait_all_tasks_blocked()
    assert statuses == [STATUS_OBJECT_NAME_NOT_FOUND]


async def test_a_handle_that_is_only_cached_is_closed_before_a_violation(store, autojump_clock) -> None:
    ann, bob = Closes(store, "ann"), Client(store, "bob")
    ann.one = await ann.oplock(share=0)
    await bob.oplock()
    assert ann.was_told() == [("RWH", "R")]


async def test_a_violation_is_answered_when_the_holder_keeps_it_open(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    await ann.oplock(share=0)
    assert await status_of(store, store.open(owner="bob")) == STATUS_SHARING_VIOLATION
    assert ann.was_told() == [("RWH", "R")]
    assert await status_of(store, store.open(owner="bob")) == STATUS_SHARING_VIOLATION
    assert ann.was_told() == []


# --- acknowledgements


async def test_a_wrong_acknowledgement_ends_nothing(store, autojump_clock, nursery) -> None:
    ann = Client(store, "ann", obeys=False)
    one = await ann.open(lease="RWH", key="a")
    began = trio.current_time()
    done: list[float] = []

    async def opens() -> None:
        await store.in_task(store.open(owner="bob"))
        done.append(trio.current_time() - began)

    nursery.start_soon(opens)
    await trio.testing.wait_all_tasks_blocked()
    outcome = await store.run(ann.acknowledge("a", "RWH"))
    assert outcome.status == STATUS_REQUEST_NOT_ACCEPTED
    await trio.sleep(BREAK_SECONDS + 1)
    assert done == [BREAK_SECONDS]
    assert state_of(store, one) == ""


async def test_an_oplock_that_is_not_given_back_is_lost(store, autojump_clock) -> None:
    ann = Client(store, "ann", obeys=False)
    one = await ann.oplock()
    with pytest.raises(trio.TooSlowError):
        await store.in_task(store.open(owner="bob"), deadline=trio.current_time() + 1)
    outcome = await store.run(lambda: store.share.breaks.acknowledge(one.lease_holder, EXCLUSIVE))
    assert outcome.status == STATUS_INVALID_OPLOCK_PROTOCOL
    assert state_of(store, one) == ""


async def test_nothing_to_acknowledge(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    await ann.open(lease="RWH", key="a")
    one = await ann.oplock("other")
    breaks = store.share.breaks
    assert (await store.run(ann.acknowledge("a", "R"))).status == STATUS_UNSUCCESSFUL
    assert (await store.run(ann.acknowledge("b", "R"))).status == STATUS_OBJECT_NAME_NOT_FOUND
    outcome = await store.run(lambda: breaks.acknowledge(one.lease_holder, 0))
    assert outcome.status == STATUS_INVALID_OPLOCK_PROTOCOL


async def test_the_next_break_follows_the_answer(store, autojump_clock, nursery) -> None:
    """While one is asked to stop writing, somebody empties the file."""
    ann = Client(store, "ann", obeys=False)
    await ann.open(lease="RWH", key="a")
    nursery.start_soon(store.in_task, store.open(owner="bob"))
    await trio.testing.wait_all_tasks_blocked()
    nursery.start_soon(store.in_task, store.open(owner="cid", disposition=FILE_OVERWRITE_IF))
    await trio.testing.wait_all_tasks_blocked()
    assert ann.was_told() == [("RWH", "RH")]
    await store.run(ann.acknowledge("a", "RH"))
    assert ann.told == []
    await trio.testing.wait_all_tasks_blocked()
    assert ann.was_told() == [("RH", "R")]
    ann.obeys = True
    await store.run(ann.acknowledge("a", "R"))
    await trio.testing.wait_all_tasks_blocked()
    assert ann.was_told() == [("R", "")]
    assert len(store.share.opens) == 3


# --- who is told


async def test_a_lease_is_told_once_by_whichever_open_reaches_the_client(store, autojump_clock) -> None:
    ann, again = Client(store, "ann"), Client(store, "ann")
    await ann.open(lease="RWH", key="a")
    await again.open(lease="RWH", key="a")
    ann.reachable = False
    await store.in_task(store.open(owner="bob"))
    assert (ann.was_told(), again.was_told()) == ([], [("RWH", "RH")])


async def test_a_client_that_cannot_be_reached_loses_at_once(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    one = await ann.open(lease="RWH", key="a")
    ann.reachable = False
    began = trio.current_time()
    await store.in_task(store.open(owner="bob"))
    assert trio.current_time() == began
    assert state_of(store, one) == ""


async def test_what_was_told_on_a_lost_way_is_told_on_another(store, autojump_clock, nursery) -> None:
    ann, again = Client(store, "ann", obeys=False), Client(store, "ann")
    await ann.open(lease="RWH", key="a")
    await again.open(lease="RWH", key="a")
    nursery.start_soon(store.in_task, store.open(owner="bob"))
    await trio.testing.wait_all_tasks_blocked()
    assert (ann.was_told(), again.was_told()) == ([("RWH", "RH")], [])
    ann.reachable = False
    store.share.breaks.lost(ann.way)
    await trio.testing.wait_all_tasks_blocked()
    assert (ann.was_told(), again.was_told()) == ([], [("RWH", "RH")])
    assert len(store.share.opens) == 3


async def test_what_takes_its_time_is_told_by_a_better_way_as_well(store, autojump_clock, nursery) -> None:
    """If there is one; and the time for the answer is that of the first."""
    ann = Client(store, "ann", obeys=False)
    one = await ann.open(lease="RWH", key="a")
    first = ann.way
    began = trio.current_time()
    nursery.start_soon(store.in_task, store.open(owner="bob"))
    await trio.sleep(1)
    assert ann.was_told() == [("RWH", "RH")]
    store.share.breaks.delayed(object())
    store.share.breaks.delayed(first)
    assert ann.was_told() == []
    ann.better_way = second = object()
    store.share.breaks.delayed(first)
    assert ann.was_told() == [("RWH", "RH")]
    ann.better_way = object()
    store.share.breaks.delayed(first)
    assert ann.was_told() == []
    ann.better_way, ann.way = None, first
    store.share.breaks.lost(second)
    assert ann.was_told() == [("RWH", "RH")]
    assert ann.told_since == pytest.approx([began] * 2)
    await trio.sleep_until(began + 34.9)
    assert state_of(store, one) == "RWH"
    await trio.sleep_until(began + 35.1)
    assert state_of(store, one) == ""


async def test_when_the_last_way_is_lost_the_break_is_over(store, autojump_clock, nursery) -> None:
    ann = Client(store, "ann", obeys=False)
    await ann.open(lease="RWH", key="a")
    nursery.start_soon(store.in_task, store.open(owner="bob"))
    await trio.testing.wait_all_tasks_blocked()
    ann.reachable = False
    began = trio.current_time()
    store.share.breaks.lost(ann.way)
    await trio.testing.wait_all_tasks_blocked()
    assert len(store.share.opens) == 2
    assert trio.current_time() == began


# --- lease keys


async def test_a_key_is_for_one_file(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    await ann.open(lease="RWH", key="a")
    await store.make("there")
    how = {"owner": "ann", "lease_key": key_of("a")}
    assert await status_of(store, store.open("there", **how)) == STATUS_INVALID_PARAMETER
    assert await status_of(store, store.open("new", **how)) == STATUS_INVALID_PARAMETER
    assert "new" not in store.tree()
    how["owner"] = "bob"
    await store.opened("there", **how)


async def test_a_lease_is_on_all_names_of_a_file(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    one = await ann.open(lease="RWH", key="a")
    await store.in_task(lambda: link(store.share, one, "linked", replace=False))
    await ann.open("linked", lease="RWH", key="a")
    assert ann.was_told() == []
    await store.opened("linked", owner="bob")
    assert ann.was_told() == [("RWH", "RH")]


async def test_a_key_is_free_again_when_all_is_closed(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    opens = [await ann.open(lease="RWH", key="a") for _ in range(3)]
    await store.close(*opens)
    assert store.share.breaks.idle
    await ann.open("other", lease="RWH", key="a")


async def test_two_opens_that_begin_a_lease_at_once_on_two_files(store, autojump_clock) -> None:
    """Only one of them gets it."""
    ann = Client(store, "ann")
    how = {"owner": "ann", "lease_key": key_of("a")}
    one, other = await store.opened("one", **how), await store.opened("other", **how)
    request = LeaseRequest(BATCH, 2)
    assert (await store.share.grant(one, request, ann)).state == BATCH
    assert (await store.share.grant(other, request, ann)).state == 0
    assert state_of(store, other) == ""


# --- what breaks


OPERATIONS = {
    "write": (lambda share, one: share.write(one, 0, memoryview(b"new")), [("RH", "")]),
    "size": (lambda share, one: set_size(share, one, 3), [("RH", "")]),
    "lock": (lambda share, one: lock(share.table, one, [LockEntry(one.open_id, 0, 1, True)]), [("RH", "")]),
    "delete": (lambda share, one: set_delete(share, one, True), [("RH", "R")]),
    "rename": (lambda share, one: rename(share, one, "renamed", replace=False), [("RH", "R")]),
    "link": (lambda share, one: link(share, one, "linked", replace=False), [("RH", "R")]),
    "read": (lambda share, one: share.read_into(one, 0, memoryview(bytearray(3))), []),
    "times": (lambda share, one: set_stat(share, one, StatChange(mtime_ns=1)), []),
}


@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_operation_breaks_what_others_have(store, autojump_clock, operation) -> None:
    act, told = OPERATIONS[operation]
    ann, bob = Client(store, "ann"), Client(store, "bob")
    await ann.open(lease="RH", key="a")
    one = await bob.open(lease="RH", key="b")
    await store.in_task(partial(act, store.share, one))
    assert ann.was_told() == told
    assert bob.was_told() == []


@pytest.mark.parametrize("operation", ["delete", "rename", "link"])
async def test_an_operation_waits_for_who_keeps_it_open(store, autojump_clock, operation) -> None:
    act, _ = OPERATIONS[operation]
    ann = Client(store, "ann", obeys=False)
    await ann.open(lease="RH", key="a")
    one = await store.opened(owner="bob")
    began = trio.current_time()
    await store.in_task(partial(act, store.share, one))
    assert trio.current_time() - began == BREAK_SECONDS


async def test_a_write_waits_for_nobody_who_only_reads(store, autojump_clock) -> None:
    ann = Client(store, "ann", obeys=False)
    await ann.open(lease="R", key="a")
    one = await store.opened(owner="bob")
    with pytest.raises(NotNow):
        run_inline(store.share.write(one, 0, memoryview(b"new")))
    began = trio.current_time()
    await store.write(one, b"new")
    assert trio.current_time() == began
    assert ann.was_told() == [("R", "")]
    run_inline(store.share.write(one, 0, memoryview(b"new")))


async def test_a_write_breaks_its_own_level_ii(store, autojump_clock) -> None:
    ann = Client(store, "ann")
    one = await ann.oplock(state=1)
    await store.write(one, b"new")
    assert ann.was_told() == [("R", "")]


async def test_replacing_breaks_what_is_replaced(store, autojump_clock) -> None:
    """Who keeps the target open only in its cache closes it; who does not is in the way."""
    ann = Client(store, "ann")
    await ann.open("target", lease="RWH", key="a")
    one = await store.opened("source", owner="bob")
    operation = partial(rename, store.share, one, "target", replace=True)
    assert await status_of(store, operation) == STATUS_ACCESS_DENIED
    assert ann.was_told() == [("RWH", "RW")]


async def test_a_file_is_moved_when_its_streams_have_been_closed(store, autojump_clock) -> None:
    ann = Closes(store, "ann")
    ann.one = await ann.open(stream="s", lease="RH", key="a")
    one = await store.opened(owner="bob")
    await store.in_task(partial(rename, store.share, one, "moved", replace=False))
    assert ann.was_told() == [("RH", "R")]
    assert one.path == "moved"


async def test_a_directory_is_moved_when_those_inside_have_closed(store, autojump_clock) -> None:
    await store.make("directory", directory=True)
    ann = Closes(store, "ann")
    ann.one = await ann.open("directory/file", lease="RWH", key="a")
    one = await store.opened("directory", owner="bob")
    await store.in_task(partial(rename, store.share, one, "moved", replace=False))
    assert ann.was_told() == [("RWH", "RW")]
    assert "moved/file" in store.tree()


# --- directories


async def test_changes_in_a_directory(store, autojump_clock) -> None:
    """Each of them is told to who caches the directory, and to nobody who caches another one."""
    for name in ("directory", "elsewhere"):
        await store.make(name, directory=True)
    ann = Client(store, "ann")
    opens: list[Open] = []

    async def caches() -> None:
        await store.close(*opens)
        opens[:] = [
            await ann.open(name, lease="RH", key=name[:1], options=FILE_DIRECTORY_FILE, access=FILE_READ_DATA)
            for name in ("directory", "elsewhere")
        ]

    await caches()
    one = await store.opened("directory/file", owner="bob")
    assert ann.was_told() == [("RH", "")]
    for act in (
        lambda: store.share.write(one, 0, memoryview(b"data")),
        lambda: store.share.read_into(one, 0, memoryview(bytearray(4))),
    ):
        await caches()
        await store.in_task(act)
        assert ann.was_told() == []
    for act in (
        lambda: set_size(store.share, one, 1),
        lambda: set_stat(store.share, one, StatChange(mtime_ns=1)),
        lambda: set_attributes(store.share, one, [ExtendedAttribute("one", b"1")]),
        lambda: link(store.share, one, "directory/linked", replace=False),
        lambda: rename(store.share, one, "directory/renamed", replace=False),
        lambda: store.share.close(one),
    ):
        await caches()
        await store.in_task(act)
        assert ann.was_told() == [("RH", "")], act
    await caches()
    one = await store.opened("directory/renamed", owner="bob", disposition=FILE_OVERWRITE_IF)
    assert ann.was_told() == [("RH", "")]
    await store.in_task(partial(rename, store.share, one, "elsewhere/file", replace=False))
    assert ann.was_told() == [("RH", "")]
    await caches()
    await store.run(lambda: set_delete(store.share, one, True))
    assert ann.was_told() == []
    await store.close(one)
    assert ann.was_told() == [("RH", "")]


async def test_changes_of_streams_in_a_directory(store, autojump_clock) -> None:
    """They change the times that it lists of their file."""
    await store.make("directory", directory=True)
    ann = Client(store, "ann")

    async def caches() -> Open:
        how = {"options": FILE_DIRECTORY_FILE, "access": FILE_READ_DATA}
        return await ann.open("directory", lease="RH", key="d", **how)

    kept = await caches()
    one = await store.opened("directory/file", stream="one", owner="bob")
    assert ann.was_told() == [("RH", "")]
    for act in (
        lambda: set_size(store.share, one, 1),
        lambda: rename_stream(store.share, one, "two", replace=False),
    ):
        await store.close(kept)
        kept = await caches()
        await store.in_task(act)
        assert ann.was_told() == [("RH", "")], act
    await store.close(kept)
    await caches()
    await store.run(lambda: set_delete(store.share, one, True))
    assert ann.was_told() == []
    await store.close(one)
    assert ann.was_told() == [("RH", "")]


async def test_who_knows_of_a_change_is_not_told(store, autojump_clock) -> None:
    await store.make("directory", directory=True)
    ann, bob = Client(store, "ann"), Client(store, "bob")
    for client in (ann, bob):
        await client.open("directory", lease="RH", key="d", options=FILE_DIRECTORY_FILE, access=FILE_READ_DATA)
    await ann.open("directory/file", lease="RWH", key="f", parent="d")
    assert (ann.was_told(), bob.was_told()) == ([], [("RH", "")])


async def test_a_directory_is_watched_as_long_as_somebody_caches_it(store, autojump_clock) -> None:
    await store.make("directory", directory=True)
    ann = Client(store, "ann")
    breaks = store.share.breaks
    opens = [
        await ann.open("directory", lease="RH", key="d", options=FILE_DIRECTORY_FILE, access=FILE_READ_DATA)
        for _ in range(2)
    ]
    assert breaks.watches_directories
    await store.close(opens[0])
    assert breaks.watches_directories
    await store.close(opens[1])
    assert not breaks.watches_directories


async def test_renaming_into_a_directory_that_is_kept_open_for_deletion(store, autojump_clock) -> None:
    """Renaming opens the directory and does not share its deletion: first whoever caches it may close it."""
    await store.make("directory", directory=True)
    ann = Client(store, "ann")
    await ann.open("directory", lease="RH", key="d", options=FILE_DIRECTORY_FILE, access=FILE_READ_DATA | DELETE)
    one = await store.opened(owner="bob")
    operation = partial(rename, store.share, one, "directory/file", replace=False)
    assert await status_of(store, operation) == STATUS_SHARING_VIOLATION
    assert ann.was_told() == [("RH", "R")]
