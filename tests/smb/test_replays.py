"""CREATE requests that are sent again: who gets the answer that was lost, and who does not."""

import pytest
import trio

from gateway.nt.constants import FILE_CREATE, FILE_CREATED, FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DUPLICATE_OBJECTID,
    STATUS_FILE_NOT_AVAILABLE,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
)
from gateway.wire.durable_contexts import DurableHandleRequestV2
from gateway.wire.header import SMB2_FLAGS_REPLAY_OPERATION
from tests.smb.client import Call, Client
from tests.smb.test_durable import V2, asking, leased, opened, refused, told
from tests.smb.test_leases import BATCH, LEASE, NONE, OTHER_KEY, RWH

GUID = b"one, the client."


def again(call: Call) -> Call:
    return Call(call.command, call.body, call.tree, flags=SMB2_FLAGS_REPLAY_OPERATION)


@pytest.mark.parametrize(
    ("level", "contexts"), [(BATCH, [V2]), (NONE, [V2]), (LEASE, [V2, leased(RWH)])], ids=["batch", "none", "lease"]
)
async def test_the_same_answer_until_the_open_is_used(leasing, level, contexts) -> None:
    client, tree = await leasing.with_tree(guid=GUID)
    call = asking(client, tree, level, *contexts, disposition=FILE_CREATE)
    file = await opened(client, call)
    for _ in range(2):
        same = await opened(client, again(call))
        assert same.response == file.response
        assert same.response.create_action == FILE_CREATED
    assert await refused(client, Call(call.command, call.body, tree)) == STATUS_DUPLICATE_OBJECTID
    await client.write(file, b"data")
    assert await refused(client, again(call)) == STATUS_OBJECT_NAME_COLLISION
    await client.close_file(file)
    assert not leasing.service.replays._opens


async def test_of_an_oplock_no_more_than_is_asked_for(server) -> None:
    client, tree = await server.with_tree()
    file = await opened(client, asking(client, tree, BATCH, V2))
    same = await opened(client, again(asking(client, tree, NONE, V2)))
    assert (same.file_id, same.response.oplock_level, told(same)) == (file.file_id, NONE, {})


async def test_with_another_lease_or_none(leasing) -> None:
    client, tree = await leasing.with_tree()
    await opened(client, asking(client, tree, LEASE, V2, leased()))
    for level, contexts in [(LEASE, [V2, leased(key=OTHER_KEY)]), (BATCH, [V2])]:
        assert await refused(client, again(asking(client, tree, level, *contexts))) == STATUS_ACCESS_DENIED


async def test_in_another_session_or_tree(server) -> None:
    client, tree = await server.with_tree()
    await opened(client, asking(client, tree, BATCH, V2))
    other_tree = await client.connect("files")
    assert await refused(client, again(asking(client, other_tree, BATCH, V2))) == STATUS_DUPLICATE_OBJECTID
    same, same_tree = await server.with_tree()
    assert await refused(same, again(asking(same, same_tree, BATCH, V2))) == STATUS_DUPLICATE_OBJECTID
    other, other_tree = await server.with_tree(guid=b"another client's")
    new = asking(other, other_tree, BATCH, V2, path="other")
    assert (await opened(other, again(new))).response.create_action == FILE_CREATED


async def test_while_the_first_goes_on(leasing) -> None:
    holder, tree = await leasing.with_tree(guid=b"another client's")
    client, other_tree = await leasing.with_tree(guid=GUID)
    held = await opened(holder, asking(holder, tree, BATCH, V2))
    call = asking(client, other_tree, NONE, V2)
    (first,) = await client.send(call)
    await client.next(first)
    assert await refused(client, again(call)) == STATUS_FILE_NOT_AVAILABLE
    await holder.close_file(held)
    with trio.fail_after(5):
        file = client.opened(other_tree, await client.final(first))
    assert (await opened(client, again(call))).file_id == file.file_id


async def test_one_that_failed_is_tried_again(server) -> None:
    client, tree = await server.with_tree()
    call = asking(client, tree, BATCH, V2, disposition=FILE_OPEN)
    for _ in range(2):
        assert await refused(client, again(call)) == STATUS_OBJECT_NAME_NOT_FOUND
    await client.create(tree, "file")
    await opened(client, again(call))


async def test_the_answer_was_lost_with_the_connection(leasing) -> None:
    client, tree = await leasing.with_tree(guid=GUID)
    call = asking(client, tree, LEASE, V2, leased(), disposition=FILE_CREATE)
    file = await opened(client, call)
    await leasing.lose(client)
    client, tree = await leasing.with_tree(guid=GUID)
    call.tree = tree
    back = await opened(client, again(call))
    assert (back.file_id[0], back.response.create_action) == (file.file_id[0], FILE_CREATED)
    assert told(back) == told(file)
    assert (await opened(client, again(call))).file_id == back.file_id
    await client.write(back, b"data")
    await leasing.lose(client)
    client, tree = await leasing.with_tree(guid=GUID)
    call.tree = tree
    assert await refused(client, again(call)) == STATUS_OBJECT_NAME_COLLISION


async def test_without_a_guid_nothing_is_known_again(server) -> None:
    client, tree = await server.with_tree()
    nameless = V2[0], DurableHandleRequestV2().pack()
    await create_twice(client, tree, nameless)
    older, tree = await server.with_tree(dialects=(0x0210,))
    await create_twice(older, tree, V2)


async def create_twice(client: Client, tree: int, context: tuple[bytes, bytes]) -> None:
    first = await opened(client, asking(client, tree, NONE, context))
    second = await opened(client, again(asking(client, tree, NONE, context)))
    assert first.file_id != second.file_id
