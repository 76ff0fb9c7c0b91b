"""Names that are taken away at once: without an open where nobody has the file open, and otherwise not at all."""

import pytest

from acl.mask import DELETE
from gateway.nt.constants import FILE_ATTRIBUTE_READONLY, FILE_OPEN
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_CANNOT_DELETE, StatusError
from gateway.share.notify import Entry
from gateway.share.removing import remove_unopened
from tests.share.stores import ALICE, BOB, Store, intent, running
from vfs_backends.api import StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.faults import Fault


@pytest.fixture
async def store(store: Store) -> Store:
    await store.make("file", b"content")
    return store


async def remove(store: Store, path="file", token=ALICE, check=lambda stat: None, **how) -> bool:
    """With the directory at hand, as whoever removes names has it."""
    wanted = intent(path, disposition=FILE_OPEN, access=DELETE, posix=True, parent=store.share.root, **how)
    return await store.run(lambda: remove_unopened(store.share, wanted, token, check))


async def test_what_nobody_has_open_is_gone(store) -> None:
    told: list[tuple[object, ...]] = []

    class Told:
        async def before_opening(self, node_id, access, by) -> None:
            told.append((node_id, access, by))

        def name_removed(self, entry, by) -> None:
            told.append((entry, by))

    handle = await store.share.fs.lookup(store.share.root, "file")
    handle.discard()
    store.share.watches.observers.append(Told())
    # In a task others may open it meanwhile.
    assert await remove(store, owner="me") is store.inline
    assert ("file" in store.tree()) is not store.inline
    events = [(handle.node_id, DELETE, "me"), (Entry(store.share.root.node_id, "file"), "me")]
    assert told == (events if store.inline else [])
    store.share.watches.observers.clear()


async def test_what_somebody_has_open_stays(store) -> None:
    one = await store.opened()
    assert not await remove(store)
    await store.close(one)
    assert "file" in store.tree()


def refuse(stat) -> None:
    raise KeyError(stat.size)


@pytest.mark.parametrize(
    ("how", "error", "why"),
    [
        ({"token": BOB}, StatusError, STATUS_ACCESS_DENIED),
        ({"access_limit": 0}, StatusError, STATUS_ACCESS_DENIED),
        ({"path": "read-only"}, StatusError, STATUS_CANNOT_DELETE),
        ({"path": "missing"}, VfsError, Kind.NOT_FOUND),
        ({"check": refuse}, KeyError, 7),
    ],
)
async def test_what_is_against_it(how, error, why) -> None:
    async with running(inline=True) as store:
        await store.make("file", b"content")
        await store.make("read-only")
        handle = await store.share.fs.lookup(store.share.root, "read-only")
        await handle.set_stat(StatChange(dos_attributes=FILE_ATTRIBUTE_READONLY))
        handle.discard()
        with pytest.raises(error) as raised:
            await remove(store, **how)
        told = raised.value
        assert (told.status if error is StatusError else told.kind if error is VfsError else told.args[0]) == why
        assert set(store.tree()) == {"file", "read-only"}


async def test_what_the_storage_refuses() -> None:
    async with running(inline=True) as store:
        await store.make("file")
        store.fs.faults.append(Fault("remove", Kind.IO, times=1))
        with pytest.raises(VfsError, match="file"):
            await remove(store)
        assert "file" in store.tree()
        assert await remove(store)
