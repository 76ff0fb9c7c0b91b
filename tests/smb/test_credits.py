"""Credits on the wire: who asks for how many, and what a payload costs."""

import pytest

from gateway.nt.constants import FSCTL_VALIDATE_NEGOTIATE_INFO
from gateway.nt.status import STATUS_INVALID_PARAMETER
from gateway.smb.limits import Limits
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from tests.smb.client import Call

UNIT = 65536


def echo(**options) -> Call:
    return Call(Opcode.ECHO, EchoRequest(), **options)


async def test_what_is_asked_for_is_granted_up_to_the_limit(make_server) -> None:
    server = await make_server(limits=Limits(max_credits=40))
    client = await server.logged_on()
    (response,) = await client.ask(echo(credits=500))
    assert client.granted - client.next_id == 40
    (response,) = await client.ask(echo(credits=500))
    assert response.header.credits == 1
    (response,) = await client.ask(echo(credits=0))
    assert response.header.credits == 1


async def test_few_are_granted_before_somebody_logs_on(server) -> None:
    few = server.service.limits.unauthenticated_credits
    client = await server.negotiated()
    await client.ask(echo(credits=500))
    assert client.granted - client.next_id == few
    await client.log_on()
    await client.ask(echo(credits=500))
    assert client.granted - client.next_id > 500


async def test_all_credits_can_be_used_at_once(make_server) -> None:
    """In one burst, more requests than a turn of the reader takes."""
    server = await make_server(limits=Limits(max_credits=512))
    client = await server.logged_on()
    await client.ask(echo(credits=1000))
    frames = [client.frame(echo()) for _ in range(500)]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    for number in range(client.next_id - 500, client.next_id):
        assert (await client.final(number)).status == 0


@pytest.mark.parametrize("message_id", [1, 700, 2**63, 2**64 - 1])
async def test_ids_that_are_not_the_clients_end_the_connection(server, message_id) -> None:
    client = await server.negotiated()
    await client.ask(echo())
    await client.send(echo(message_id=message_id))
    assert await client.ended()


async def test_more_than_is_at_hand_ends_the_connection(make_server) -> None:
    server = await make_server(limits=Limits(max_credits=16))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    await client.send(client.write_call(file, b"abc", charge=17))
    assert await client.ended()


async def test_ids_may_be_skipped_and_used_later(server) -> None:
    client = await server.logged_on()
    skipped, client.next_id = client.next_id, client.next_id + 1
    for _ in range(5):
        await client.ask(echo())
    (response,) = await client.ask(echo(message_id=skipped))
    assert response.status == 0


@pytest.mark.parametrize(
    ("size", "charge", "status"),
    [
        (UNIT, 1, 0),
        (UNIT, 0, 0),
        (UNIT + 1, 1, STATUS_INVALID_PARAMETER),
        (UNIT + 1, 2, 0),
        (10 * UNIT, 9, STATUS_INVALID_PARAMETER),
        (10 * UNIT, 10, 0),
        (8 << 20, 127, STATUS_INVALID_PARAMETER),
        (8 << 20, 128, 0),
        ((8 << 20) + 1, 129, STATUS_INVALID_PARAMETER),
    ],
)
async def test_the_charge_of_reads_and_writes(server, size, charge, status) -> None:
    """Checked against the payload of a write and against the answer that a read asks for."""
    client, tree = await server.with_tree()
    await client.ask(echo(credits=200))
    file = await client.create(tree, "file")
    (response,) = await client.ask(client.write_call(file, bytes(size), charge=charge, credits=200))
    assert response.status == status
    await client.write(file, b"x")
    (response,) = await client.ask(client.read_call(file, size, charge=charge, credits=200))
    assert response.status == status
    assert response.header.credit_charge == max(charge, 1)


@pytest.mark.parametrize(("charge", "status"), [(1, STATUS_INVALID_PARAMETER), (2, 0)])
async def test_the_charge_of_queries_and_controls(server, charge, status) -> None:
    client, tree = await server.with_tree()
    directory = await client.open_directory(tree)
    most = 2 * UNIT
    calls = [
        client.list_call(directory, most, charge=charge),
        client.query_info_call(directory, 18, most, charge=charge),
    ]
    for call in calls:
        assert (await client.ask(call))[0].status == status
    if charge == 1:
        # Where a control's input and answer are counted, the answer that would fit is of no matter.
        call = client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, bytes(24), most, charge=1)
        assert (await client.ask(call))[0].status == STATUS_INVALID_PARAMETER
        call = client.notify_call(directory, charge=1)
        call.body.output_buffer_length = most
        assert (await client.ask(call))[0].status == STATUS_INVALID_PARAMETER


async def test_the_largest_write_and_read(server) -> None:
    client, tree = await server.with_tree()
    await client.ask(echo(credits=300))
    file = await client.create(tree, "file")
    data = bytes(range(256)) * (8 << 12)
    (response,) = await client.ask(client.write_call(file, data, credits=128))
    assert response.status == 0
    assert await client.read(file, len(data)) == data


async def test_the_charge_does_not_count_at_2_0_2(make_server) -> None:
    server = await make_server(min_dialect=0x0202)
    client, tree = await server.with_tree(dialects=(0x0202,))
    file = await client.create(tree, "file")
    call = client.write_call(file, b"abc")
    call.charge = 9
    call.message_id = client.next_id
    client.next_id += 1
    assert (await client.ask(call))[0].status == 0
    assert await client.read(file, 3) == b"abc"
