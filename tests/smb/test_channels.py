"""Sessions on several connections: what waits, is told, goes on and ends on which of them."""

import pytest

from gateway.nt.status import (
    STATUS_CANCELLED,
    STATUS_FILE_NOT_AVAILABLE,
    STATUS_NETWORK_SESSION_EXPIRED,
    STATUS_PENDING,
    STATUS_RANGE_NOT_LOCKED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.wire.codec import BODY
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.lease_contexts import LeaseV2
from gateway.wire.logoff import LogoffRequest
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    LeaseBreakNotification,
    OplockBreakAcknowledgment,
    OplockBreakNotification,
)
from tests.smb.channels import SMB3, bind_refusal, two_channels
from tests.smb.client import ANY, EXCLUSIVE, Call, Client, Refused
from tests.smb.logging_on import lives
from tests.smb.server import Server
from tests.smb.test_durable import V2, asking, refused
from tests.smb.test_leases import BATCH, LEVEL_II, RWH, lease, opened, oplock, pending
from tests.smb.test_replays import again

# --- requests that wait


async def waiting_lock(server: Server) -> tuple[Client, Client, int]:
    """Two channels, of which the second waits for a lock that somebody else has; the request's message id."""
    first, second, tree = await two_channels(server)
    other, other_tree = await server.with_tree()
    for client, file in ((other, await other.create(other_tree, "file")), (second, await first.create(tree, "file"))):
        (message_id,) = await client.send(client.lock_call(file, (0, 1, EXCLUSIVE)))
        response = await client.next(message_id)
    assert response.status == STATUS_PENDING
    return first, second, message_id


async def test_a_request_is_cancelled_by_its_own_channel(multi) -> None:
    """Message ids are a connection's, and so are those that the server gives to what waits."""
    first, second, waiting = await waiting_lock(multi)
    for async_id in (0, 1):
        await first.cancel(waiting, async_id)
    assert await lives(first)
    assert await lives(second)
    assert second._inbox == []
    await second.cancel(waiting)
    assert (await second.final(waiting)).status == STATUS_CANCELLED


async def test_a_request_that_waits_ends_with_its_channel(multi) -> None:
    first, second, _ = await waiting_lock(multi)
    second.close()
    await channels(multi, first, 1)
    (share,) = (one.share for one in multi.exported.values())
    assert not share.lock_waiters._waiting
    assert [one.pending for one in multi.service.sessions] == [0, 0]


async def test_log_off_ends_what_waits_on_another_channel(multi) -> None:
    first, second, waiting = await waiting_lock(multi)
    await first.log_off()
    assert (await second.final(waiting)).status == STATUS_RANGE_NOT_LOCKED


# --- breaks


@pytest.fixture
async def leasing(make_server):
    return await make_server(multi_channel=True, leases=True, limits=Limits(redelivery_seconds=0.05))


async def test_an_oplock_is_broken_by_any_channel(leasing) -> None:
    """First by that which the file was opened by; then, when that has ended, by the other."""
    first, second, tree = await two_channels(leasing)
    await opened(second, oplock(second, tree, BATCH))
    other, other_tree = await leasing.with_tree(guid=b"somebody else's.")
    message_id = await pending(other, other.create_call(other_tree, "file"))
    told = await broken(second)
    second.close()
    assert await broken(first) == told
    assert await acknowledges(first, tree, told) == 0
    assert (await other.final(message_id)).status == 0


@pytest.mark.parametrize("with_lease", [True, False])
async def test_a_break_that_does_not_arrive_is_sent_on_another_channel(leasing, with_lease) -> None:
    """Although the first connection lives; the next break avoids it from the beginning, while it is slow."""
    first, second, tree = await two_channels(leasing)
    leasing.connections[0].delivery.pretends_silence = True
    for name in ("file", "another"):
        key = name.ljust(16).encode()
        call = lease(first, tree, LeaseV2(key, RWH), name) if with_lease else oplock(first, tree, BATCH, name)
        await opened(first, call)
    other, other_tree = await leasing.with_tree(guid=b"somebody else's.")
    waiting = await pending(other, other.create_call(other_tree, "file"))
    assert await broken(first) == (told := await broken(second))
    assert await acknowledges(second, tree, told) == 0
    assert (await other.final(waiting)).status == 0
    waiting = await pending(other, other.create_call(other_tree, "another"))
    assert await acknowledges(second, tree, await broken(second)) == 0
    assert (await other.final(waiting)).status == 0
    assert await lives(first)
    assert first._inbox == []


async def broken(client: Client) -> OplockBreakNotification | LeaseBreakNotification:
    """The notification that comes next."""
    response = await client.next(ANY)
    if len(response.message) - BODY == OplockBreakNotification.SIZE:
        return response.parse(OplockBreakNotification)
    return response.parse(LeaseBreakNotification)


async def acknowledges(client: Client, tree: int, told: OplockBreakNotification | LeaseBreakNotification) -> int:
    answer: OplockBreakAcknowledgment | LeaseBreakAcknowledgment
    if isinstance(told, LeaseBreakNotification):
        answer = LeaseBreakAcknowledgment(lease_key=told.lease_key, lease_state=told.new_lease_state)
    else:
        answer = OplockBreakAcknowledgment(24, LEVEL_II, 0, 0, told.persistent_file_id, told.volatile_file_id)
    return (await client.call(Opcode.OPLOCK_BREAK, answer, tree)).status


# --- what goes on without its connection


async def waiting_create(server: Server) -> tuple[Client, Client, Client, int, Call]:
    """Two channels, of which the second waits in a CREATE that can be sent again; and the client it waits for."""
    first, second, tree = await two_channels(server, guid=b"one, the client.")
    other, other_tree = await server.with_tree(guid=b"somebody else's.")
    await opened(other, lease(other, other_tree, LeaseV2(b"k" * 16, RWH)))
    call = asking(second, tree, BATCH, V2)
    await pending(second, call)
    return first, second, other, other_tree, call


async def channels(server: Server, client: Client, count: int) -> None:
    """Wait until the session has so many."""
    assert client.session is not None
    session = server.service.sessions.get(client.session.session_id)
    assert session is not None
    while len(session.channels) > count:
        assert await lives(client)


async def test_an_open_that_waits_outlives_its_connection(leasing) -> None:
    """It is not made twice: who asks again is told to wait, and gets it in the end."""
    first, second, other, other_tree, call = await waiting_create(leasing)
    second.close()
    await channels(leasing, first, 1)
    for _ in range(2):
        assert await refused(first, again(call)) == STATUS_FILE_NOT_AVAILABLE
    assert await acknowledges(other, other_tree, await broken(other)) == 0
    while True:
        (response,) = await first.ask(again(call))
        if response.status != STATUS_FILE_NOT_AVAILABLE:
            break
    file = first.opened(call.tree, response)
    assert leasing.service.opens == 2
    assert await first.write(file, b"content") == 7


async def test_an_open_that_waits_outlives_one_connection_after_the_other(leasing) -> None:
    first, second, other, other_tree, call = await waiting_create(leasing)
    third = await leasing.negotiated(guid=b"one, the client.")
    await third.bind(first.session)
    for client, left in ((second, 2), (first, 1)):
        client.close()
        await channels(leasing, third, left)
    assert await refused(third, again(call)) == STATUS_FILE_NOT_AVAILABLE
    assert await acknowledges(other, other_tree, await broken(other)) == 0
    while (await third.ask(again(call)))[0].status == STATUS_FILE_NOT_AVAILABLE:
        pass
    assert leasing.service.opens == 2


@pytest.mark.parametrize("logs_off", [True, False])
async def test_an_open_that_waits_ends_with_its_session(leasing, logs_off) -> None:
    """By LOGOFF, or with the last of its connections."""
    first, second, other, other_tree, _ = await waiting_create(leasing)
    second.close()
    if logs_off:
        await first.log_off()
    else:
        first.close()
    while len(leasing.service.sessions) > 1:
        assert await lives(other)
    assert await acknowledges(other, other_tree, await broken(other)) == 0
    while leasing.service.replays._opens:
        assert await lives(other)
    assert leasing.service.opens == 1


async def test_an_open_that_cannot_be_sent_again_ends_with_its_connection(leasing) -> None:
    first, second, tree = await two_channels(leasing, guid=b"one, the client.")
    other, other_tree = await leasing.with_tree(guid=b"somebody else's.")
    await opened(other, lease(other, other_tree, LeaseV2(b"k" * 16, RWH)))
    await pending(second, second.create_call(tree, "file"))
    second.close()
    await channels(leasing, first, 1)
    assert await acknowledges(other, other_tree, await broken(other)) == 0
    assert await lives(first)
    assert leasing.service.opens == 1


# --- ends


async def test_log_off_ends_all_channels(multi) -> None:
    first, second, tree = await two_channels(multi)
    await first.create(tree, "file")
    await second.log_off()
    assert not len(multi.service.sessions)
    for client in (first, second):
        response = await client.call(Opcode.LOGOFF, LogoffRequest())
        assert (response.status, response.signed) == (STATUS_USER_SESSION_DELETED, True)


@pytest.mark.parametrize("gone", [0, 1])
async def test_a_session_outlives_each_of_its_connections_but_the_last(multi, gone) -> None:
    first, second, tree = await two_channels(multi)
    file = await first.create(tree, "file")
    clients = [first, second]
    clients.pop(gone).close()
    (kept,) = multi.service.sessions
    (left,) = clients
    while len(kept.channels) == 2:
        assert await lives(left)
    assert await left.write(file, b"content") == 7
    third = await multi.negotiated()
    await third.bind(first.session)
    left.close()
    while len(kept.channels) == 2:
        assert await lives(third)
    assert await third.read(file, 7) == b"content"
    third.close()
    with_nothing = await multi.negotiated()
    while len(multi.service.sessions):
        assert (await with_nothing.call(Opcode.ECHO, EchoRequest())).status == 0
    assert not multi.service.opens


@pytest.mark.parametrize("dialect", SMB3)
async def test_logging_on_again_on_another_channel(multi, dialect) -> None:
    """An end of the log-on is the session's; so is its new beginning. No channel's key changes."""
    first, second, tree = await two_channels(multi, dialects=(dialect,))
    (kept,) = multi.service.sessions
    kept.expires = multi.now()
    for client in (first, second):
        assert (await client.create_status(tree, "file")) == STATUS_NETWORK_SESSION_EXPIRED
    third = await multi.negotiated((dialect,))
    assert await bind_refusal(third, first.session) == STATUS_NETWORK_SESSION_EXPIRED
    await second.log_on(session=second.session)
    for client in (first, second):
        await client.close_file(await client.create(tree, "file"))


async def test_failing_to_log_on_again_on_a_channel_ends_the_session(multi, expected_logs) -> None:
    expected_logs.append("log-on failed")
    first, second, _ = await two_channels(multi)
    with pytest.raises(Refused):
        await second.log_on("alice", "wrong", session=second.session)
    assert not len(multi.service.sessions)
    assert (await first.call(Opcode.LOGOFF, LogoffRequest())).status == STATUS_USER_SESSION_DELETED
