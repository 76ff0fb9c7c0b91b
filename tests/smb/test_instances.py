"""Applications that move from one client to another, with what they have open."""

import pytest
import trio

from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_CLOSED,
    STATUS_FILE_FORCED_CLOSED,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SHARING_VIOLATION,
)
from gateway.wire.create_contexts import (
    SMB2_CREATE_APP_INSTANCE_ID,
    SMB2_CREATE_APP_INSTANCE_VERSION,
    AppInstanceId,
    AppInstanceVersion,
)
from tests.smb.server import Exported
from tests.smb.test_durable import GUID as CREATE_GUID
from tests.smb.test_durable import V2, asking, claiming, opened, refused, told
from tests.smb.test_leases import BATCH
from vfs_backends.api import StatChange

ONE, TWO = b"one, the client.", b"two, the client."
ID, OTHER_ID = b"an application..", b"another one....."


def instance(app_id: bytes = ID) -> tuple[bytes, bytes]:
    return SMB2_CREATE_APP_INSTANCE_ID, AppInstanceId(app_instance_id=app_id).pack()


def version(high: int, low: int) -> tuple[bytes, bytes]:
    context = AppInstanceVersion(app_instance_version_high=high, app_instance_version_low=low)
    return SMB2_CREATE_APP_INSTANCE_VERSION, context.pack()


async def test_the_new_one_takes_what_the_old_one_has(server) -> None:
    one, tree = await server.with_tree(guid=ONE)
    two, other_tree = await server.with_tree(guid=TWO)
    old = await opened(one, asking(one, tree, BATCH, V2, instance(), share=0))
    with trio.fail_after(5):
        new = await opened(two, asking(two, other_tree, BATCH, V2, instance(), share=0))
    assert V2[0] in told(new)
    assert (await one.ask(one.close_call(old)))[0].status == STATUS_FILE_CLOSED
    assert one._inbox == []


@pytest.mark.parametrize("comes", ["back", "never"])
async def test_also_from_a_client_that_is_gone(server, comes) -> None:
    one, tree = await server.with_tree(guid=ONE)
    old = await opened(one, asking(one, tree, BATCH, V2, instance(), share=0))
    await server.lose(one)
    one, tree = await server.with_tree(guid=ONE)
    if comes == "back":
        old = await opened(one, claiming(one, tree, old, guid=CREATE_GUID))
    two, other_tree = await server.with_tree(guid=TWO)
    with trio.fail_after(5):
        await opened(two, asking(two, other_tree, BATCH, V2, instance(), share=0))
    assert await refused(one, claiming(one, tree, old, guid=CREATE_GUID)) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_not_what_is_something_else(make_server) -> None:
    """Of the same client, of another application, another file, or in another share."""
    server = await make_server(Exported(), Exported("other"))
    one, tree = await server.with_tree(guid=ONE)
    old = await opened(one, asking(one, tree, 0, instance(), share=0))
    two, other_tree = await server.with_tree(guid=TWO)
    same, same_tree = await server.with_tree(guid=ONE)
    third, third_tree = await server.with_tree("other", guid=TWO)
    for client, where, context, path, status in [
        (same, same_tree, instance(), "file", STATUS_SHARING_VIOLATION),
        (two, other_tree, instance(OTHER_ID), "file", STATUS_SHARING_VIOLATION),
        (two, other_tree, instance(), "another", 0),
        (third, third_tree, instance(), "file", 0),
    ]:
        assert await refused(client, asking(client, where, 0, context, path=path)) == status
    await one.close_file(old)


async def test_not_for_who_may_not_read_the_file(server) -> None:
    one, tree = await server.with_tree(guid=ONE)
    old = await opened(one, asking(one, tree, 0, instance(), share=0))
    handle = server.files.share.opens[old.file_id[0]].handle
    await handle.set_stat(StatChange(mode=0o700))
    two, other_tree = await server.with_tree(guid=TWO, user="bob")
    assert await refused(two, asking(two, other_tree, 0, instance(), access=0x80)) in (0, STATUS_ACCESS_DENIED)
    await one.close_file(old)


@pytest.mark.parametrize(
    ("old", "new", "dialect", "status"),
    [
        ((1, 1), (1, 2), 0x0311, 0),
        ((1, 9), (2, 0), 0x0311, 0),
        ((1, 1), (1, 1), 0x0311, STATUS_FILE_FORCED_CLOSED),
        ((2, 0), (1, 9), 0x0311, STATUS_FILE_FORCED_CLOSED),
        ((2, 0), None, 0x0311, 0),
        (None, (1, 1), 0x0311, 0),
        ((2, 0), (1, 1), 0x0302, 0),
    ],
)
async def test_versions(server, old, new, dialect, status) -> None:
    one, tree = await server.with_tree(guid=ONE)
    two, other_tree = await server.with_tree(guid=TWO, dialects=(dialect,))
    first = await opened(one, asking(one, tree, 0, instance(), *([version(*old)] if old else ()), share=0))
    call = asking(two, other_tree, 0, instance(), *([version(*new)] if new else ()), share=0)
    assert await refused(two, call) == status
    closing = (await one.ask(one.close_call(first)))[0].status
    assert closing == (STATUS_FILE_CLOSED if not status else 0)


async def test_contexts_that_are_none(server) -> None:
    one, tree = await server.with_tree()
    for name, data in (instance(), version(1, 1)):
        for wrong in (data[:-1], data + b"x"):
            contexts = [(name, wrong)] if name == instance()[0] else [instance(), (name, wrong)]
            assert await refused(one, asking(one, tree, 0, *contexts)) == STATUS_INVALID_PARAMETER
    older, older_tree = await server.with_tree(dialects=(0x0210,))
    assert await refused(older, asking(older, older_tree, 0, (instance()[0], b"x"))) == 0
