"""Opens whose clients are gone: what becomes of them, whatever others do meanwhile."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.nt.constants import FILE_DELETE_ON_CLOSE, FILE_DIRECTORY_FILE
from gateway.nt.status import STATUS_SHARING_VIOLATION, StatusError
from gateway.share.disconnected import Absent, Disconnected
from gateway.share.durable import Terms
from gateway.share.leases import LeaseRequest, find_lease
from gateway.share.opens import Open
from gateway.share.renaming import rename
from tests.share.one_file import bits, key_of, letters
from tests.share.stores import Store, running
from tests.share.test_breaks import Client
from vfs_backends.api import IoAccess

SECONDS = 60.0
READ, WRITE = 1, 2
STEPS = st.lists(
    st.sampled_from(
        [
            "open RH",
            "open RH",
            "open RWH",
            "open RWH",
            "lose",
            "lose",
            "lose",
            "come back",
            "come back",
            "own write",
            "other reads",
            "other writes",
            "other opens",
            "program reads",
            "program writes",
            "outside",
            "outside",
            "look",
        ]
    ),
    max_size=12,
)


class Kept:
    def __init__(self) -> None:
        self.ends = 0

    def ended(self) -> None:
        self.ends += 1


async def lost(store: Store, one: Open, seconds: float = SECONDS) -> Absent | None:
    """Lose the client of an open; None if the open could not be kept."""
    disconnected, terms = store.share.disconnected, Terms("user", seconds, "FILE")
    if not disconnected.may_keep(one, terms):
        assert not await disconnected.has_left(one)
        return None
    disconnected.leaves(one, terms, Kept())
    assert await disconnected.has_left(one)
    return await disconnected.find(one.open_id)


async def came_back(store: Store, absent: Absent, client: Client) -> bool:
    disconnected = store.share.disconnected
    if await disconnected.find(absent.one.open_id) is not absent or await disconnected.look(absent) is None:
        with trio.fail_after(5):
            await absent.gone.wait()
        assert absent.one.closed
        return False
    disconnected.give_back(absent, client)
    return True


async def changed_outside(store: Store) -> None:
    """What a local program writes."""
    root = await store.memory.root()
    handle = await store.memory.lookup(root, "file")
    await handle.open_io(IoAccess.WRITE)
    await handle.write(0, memoryview(b"outside"))
    await handle.aclose()
    store._close_roots()


@pytest.fixture
def store(waiting_store: Store) -> Store:
    return waiting_store


async def test_it_keeps_what_it_has(store: Store) -> None:
    client, other = Client(store, "client"), Client(store, "other")
    one = await client.open(lease="RWH", key="k")
    absent = await lost(store, one)
    assert absent is not None
    assert len(store.share.disconnected) == 1
    assert list(store.share.disconnected) == [absent]
    assert await came_back(store, absent, client)
    assert isinstance(absent.kept, Kept)
    assert absent.kept.ends == 1
    assert not store.share.disconnected
    second = await other.open(lease="RH", key="o")
    assert client.was_told() == [("RWH", "RH")]
    await store.close(one, second)


@pytest.mark.parametrize("lease", ["", "R", "RW"])
async def test_without_a_handle_it_is_not_kept(store: Store, lease: str) -> None:
    client = Client(store, "client")
    one = await client.open(lease=lease, key="k")
    assert await lost(store, one) is None
    assert not one.closed
    await store.close(one)


async def test_time(store: Store) -> None:
    """It ends by itself; and whoever looks later than that does not find it, also if nobody has been there yet."""
    client = Client(store, "client")
    first = await lost(store, await client.open(lease="RH", key="k"), 0.01)
    second = await lost(store, await client.open("other", lease="RH", key="o"), SECONDS)
    assert first is not None
    assert second is not None
    with trio.fail_after(5):
        await first.gone.wait()
    assert not second.one.closed
    second.deadline = trio.current_time()
    assert await store.share.disconnected.find(second.one.open_id) is None
    with trio.fail_after(5):
        await second.gone.wait()


async def test_a_live_open_of_the_same_lease_is_told(store: Store) -> None:
    """And the one whose client is gone stays, unless handles cannot be kept."""
    client, other = Client(store, "client"), Client(store, "other")
    one = await client.open(lease="RWH", key="k")
    live = await client.open(lease="RWH", key="k")
    absent = await lost(store, one)
    assert absent is not None
    second = await other.open(lease="RH", key="o")
    assert client.was_told() == [("RWH", "RH")]
    assert not absent.is_taken
    await store.write(second, b"data")
    assert client.was_told() == [("RH", "")]
    with trio.fail_after(5):
        await absent.gone.wait()
    assert not live.closed
    await store.close(live, second)


async def test_share_modes_of_its_own_client_too(store: Store) -> None:
    client = Client(store, "client")
    absent = await lost(store, await client.open(lease="RH", key="k", share=0))
    live = await client.open("file", lease="RH", key="k")
    assert absent is not None
    assert absent.one.closed
    assert len(store.share.opens) == 1
    with pytest.raises(StatusError) as raised:
        await client.open("file", lease="RH", key="k", share=0)
    assert raised.value.status == STATUS_SHARING_VIOLATION
    await store.close(live)


async def test_a_program_lowers_what_is_cached_and_no_more(store: Store) -> None:
    client = Client(store, "client")
    one = await client.open(lease="RWH", key="k")
    absent = await lost(store, one)
    assert absent is not None
    program = await store.run(store.open(posix=True, owner="mount", access=READ))
    assert await came_back(store, absent, client)
    lease = find_lease(store.share.record(one), one.lease_holder)
    assert lease is not None
    assert letters(lease.state) == ""
    await store.close(program, one)


async def test_one_that_has_nothing_to_be_broken_does_not_keep_a_file_from_its_end(store: Store) -> None:
    client, other = Client(store, "client"), Client(store, "other")
    absent = await lost(store, await client.open(lease="RWH", key="k"))
    assert absent is not None
    await store.close(await store.run(store.open(posix=True, owner="mount", access=READ)))
    assert not absent.is_taken
    await store.close(await other.open(options=FILE_DELETE_ON_CLOSE))
    with trio.fail_after(5):
        await absent.gone.wait()
    await trio.testing.wait_all_tasks_blocked()
    assert store.tree() == {}


async def test_nor_a_directory_from_being_renamed(store: Store) -> None:
    client, other = Client(store, "client"), Client(store, "other")
    await store.close(await other.open("directory", options=FILE_DIRECTORY_FILE))
    absent = await lost(store, await client.open("directory/file", lease="RWH", key="k"))
    assert absent is not None
    await store.close(await store.run(store.open("directory/file", posix=True, owner="mount", access=READ)))
    directory = await other.open("directory", options=FILE_DIRECTORY_FILE)
    await store.run(lambda: rename(store.share, directory, "new", replace=False))
    assert absent.gone.is_set()
    assert store.tree() == {"new": None, "new/file": b""}
    await store.close(directory)


async def test_who_comes_back_while_it_is_looked_at(store: Store) -> None:
    """Somebody needs it in the very moment."""
    client, other = Client(store, "client"), Client(store, "other")
    absent = await lost(store, await client.open(lease="RWH", key="k"))
    assert absent is not None
    opens: list[Open] = []

    async def meanwhile() -> None:
        opens.append(await other.open(lease="RWH", key="o"))

    store.fs.hooks["stat"] = (0, meanwhile)
    assert not await came_back(store, absent, client)
    await store.close(*opens)


async def test_who_is_needed_while_it_leaves(store: Store) -> None:
    """A request of its client may still use it then: it is closed afterwards."""
    client, other = Client(store, "client"), Client(store, "other")
    one = await client.open(lease="RWH", key="k")
    disconnected, terms = store.share.disconnected, Terms("user", SECONDS, "FILE")
    assert disconnected.may_keep(one, terms)
    disconnected.leaves(one, terms, Kept())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(other.open, lease="RWH", key="o"))
        await trio.testing.wait_all_tasks_blocked()
        await store.write(one, b"the last data")
        assert not one.closed
        assert await disconnected.has_left(one)
    assert one.open_id not in store.share.opens
    assert await disconnected.find(one.open_id) is None
    await store.close(*store.share.opens.values())


@pytest.mark.parametrize("who", ["program", "other"])
async def test_a_break_that_never_arrived(store: Store, who: str) -> None:
    """What a program reads does not cost a client its file, also if that was not known to be gone yet."""
    client = Client(store, "client", obeys=False)
    one = await client.open(lease="RWH", key="k")
    opens: list[Open] = []

    async def read() -> None:
        opens.append(await store.in_task(store.open(posix=who == "program", owner=who, access=READ)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(read)
        await trio.testing.wait_all_tasks_blocked()
        assert client.was_told() == [("RWH", "RH")]
        client.reachable = False
        store.share.breaks.lost(client)
        absent = await lost(store, one)
    assert (absent is not None) is (who == "program")
    client.reachable = True
    assert absent is None or await came_back(store, absent, client)
    await store.close(one, *opens)


async def test_closed_with_its_share(store: Store) -> None:
    client = Client(store, "client")
    absent = await lost(store, await client.open(lease="RH", key="k"))
    assert absent is not None
    await store.share.close(absent.one)
    assert not store.share.disconnected
    assert await store.share.disconnected.find(absent.one.open_id) is None


@pytest.mark.parametrize(("most", "most_of_one"), [(1, 9), (9, 1)])
async def test_how_many(store: Store, most: int, most_of_one: int) -> None:
    client = Client(store, "client")
    store.share.disconnected = Disconnected(most, most_of_one)
    first = await client.open("first", lease="RH", key="k")
    second = await client.open("second", lease="RH", key="o")
    absent = await lost(store, first)
    assert store.share.disconnected.oldest() is absent
    assert await lost(store, second) is None
    await store.close(second)


# --- at random


class Model:
    """What is to become of the opens of one client at one file: by plain definitions."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.client = Client(store, "client")
        self.other = Client(store, "other")
        self.live: list[Open] = []
        self.absent: dict[Absent, bool] = {}
        """Whether each is to come back."""
        self.cached = ""
        """What the client may cache, as far as those know who are gone."""

    async def step(self, what: str) -> None:
        steps: dict[str, Callable[[], Any]] = {
            "open RH": lambda: self.open("RH"),
            "open RWH": lambda: self.open("RWH"),
            "lose": self.lose,
            "come back": self.come_back,
            "own write": self.own_write,
            "other reads": lambda: self.use("other", writes=False),
            "other writes": lambda: self.use("other", writes=True),
            "other opens": lambda: self.use("other", writes=None),
            "program reads": lambda: self.use("program", writes=False),
            "program writes": lambda: self.use("program", writes=True),
            "outside": self.outside,
            "look": self.look,
        }
        await steps[what]()
        # What a break was answered with has come by the next one.
        await trio.testing.wait_all_tasks_blocked()

    async def open(self, lease: str) -> None:
        operation = self.store.open(owner="client", lease_key=key_of("k"), access=READ | WRITE)
        one = await self.store.run(operation)
        granted = await self.store.share.grant(one, LeaseRequest(bits(lease), 2), self.client)
        self.cached = letters(granted.state)
        self.live.append(one)

    async def lose(self) -> None:
        if self.live:
            one = self.live.pop(0)
            absent = await lost(self.store, one)
            assert (absent is not None) is ("H" in self.cached)
            if absent is None:
                await self.store.close(one)
                self.forget()
            else:
                self.absent[absent] = True

    def forget(self) -> None:
        if not self.live and not any(self.absent.values()):
            self.cached = ""

    async def come_back(self) -> None:
        if self.absent:
            absent = next(iter(self.absent))
            assert await came_back(self.store, absent, self.client) is self.absent.pop(absent)
            if not absent.one.closed:
                self.live.append(absent.one)
            self.forget()

    async def own_write(self) -> None:
        if self.live:
            await self.store.write(self.live[0], b"own data")

    def all_gone(self) -> None:
        self.absent = dict.fromkeys(self.absent, False)

    async def use(self, who: str, *, writes: bool | None) -> None:
        """Somebody else opens the file, reads or writes, and closes it."""
        is_program = who == "program"
        access = READ | (WRITE if writes else 0)
        one = await self.store.run(self.store.open(owner=who, access=access, posix=is_program))
        if "W" in self.cached:
            # The live are asked to give up writing; who is gone cannot be asked.
            if not self.live and not is_program:
                self.all_gone()
            self.cached = "RH" if self.live else ""
        if writes:
            await self.store.write(one, b"others' data")
            self.all_gone()
            self.cached = ""
        elif writes is False:
            await self.store.read(one)
        await self.store.close(one)
        self.forget()

    async def outside(self) -> None:
        await changed_outside(self.store)
        if not self.live:
            # Otherwise it may have been the client itself.
            self.all_gone()

    async def look(self) -> None:
        """Only the number of opens tells, and that at the latest when all who are not to come back have gone."""
        for absent, stays in self.absent.items():
            if absent.one.closed:
                assert not stays
        assert len(self.store.share.opens) >= len(self.live) + sum(self.absent.values())


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_comes_back_if_and_only_if_nobody_else_needed_or_changed_it(steps: list[str]) -> None:
    async def run() -> None:
        async with running(inline=False) as store:
            await store.make("file", b"data")
            model = Model(store)
            with trio.fail_after(30):
                for step in steps:
                    await model.step(step)
                while model.absent:
                    await model.come_back()
            await store.close(*model.live)

    trio.run(run)
