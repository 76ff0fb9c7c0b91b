"""CHANGE_NOTIFY."""

import pytest

from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANCELLED,
    STATUS_INTERNAL_ERROR,
    STATUS_INVALID_PARAMETER,
    STATUS_NOTIFY_CLEANUP,
    STATUS_PENDING,
)
from gateway.smb.limits import Limits
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from tests.smb.client import Call
from tests.smb.parking import outcome, parked


@pytest.mark.parametrize("how", ["close", "disconnect", "log off"])
async def test_notify_ends_with_its_directory(server, how) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    interims = [await parked(client, client.notify_call(directory)) for _ in range(3)]
    if how == "close":
        await client.close_file(directory)
    elif how == "disconnect":
        await client.disconnect(tree)
    else:
        await client.log_off()
    for interim in interims:
        assert await outcome(client, interim) == STATUS_NOTIFY_CLEANUP


async def test_notify_ends_with_the_connection(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    await parked(client, client.notify_call(directory))


async def test_notify_needs_a_directory_and_the_right_to_list_it(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    assert (await client.ask(client.notify_call(file)))[0].status == STATUS_INVALID_PARAMETER
    directory = await client.open_directory(tree, access=0x80)
    assert (await client.ask(client.notify_call(directory)))[0].status == STATUS_ACCESS_DENIED


async def test_only_the_last_element_waits_for_ever(server) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    responses = await client.ask(client.notify_call(directory), client.query_info_call(directory, 4))
    assert [one.status for one in responses] == [STATUS_INTERNAL_ERROR, 0]
    first, second = client.query_info_call(directory, 4), client.notify_call(directory)
    await client.send(first, second)
    assert first.message_id is not None
    assert second.message_id is not None
    assert (await client.next(first.message_id)).status == 0
    interim = await client.next(second.message_id)
    assert interim.status == STATUS_PENDING
    await client.close_file(directory)
    assert await outcome(client, interim) == STATUS_NOTIFY_CLEANUP


async def test_only_so_many_wait_for_ever(make_server) -> None:
    server = await make_server(limits=Limits(max_async_requests=3))
    client, tree = await server.with_tree()
    await client.ask(Call(Opcode.ECHO, EchoRequest(), credits=50))
    directory = await client.open_directory(tree)
    interims = [await parked(client, client.notify_call(directory)) for _ in range(3)]
    (response,) = await client.ask(client.notify_call(directory))
    assert response.status == 0xC000009A
    await client.cancel(0, interims[0].header.async_id)
    assert await outcome(client, interims[0]) == STATUS_CANCELLED
    await parked(client, client.notify_call(directory))
