"""Sessions on several connections: who may bind them, with which keys, and what ends with what."""

import pytest

from gateway.crypto.keys import AES128_CCM, AES128_GCM
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANCELLED,
    STATUS_FILE_NOT_AVAILABLE,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_LOGON_FAILURE,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_NETWORK_SESSION_EXPIRED,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_RANGE_NOT_LOCKED,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_REQUEST_OUT_OF_SEQUENCE,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.wire.codec import BODY
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.lease_contexts import LeaseV2
from gateway.wire.logoff import LogoffRequest
from gateway.wire.negotiate import SMB2_GLOBAL_CAP_MULTI_CHANNEL
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    LeaseBreakNotification,
    OplockBreakAcknowledgment,
    OplockBreakNotification,
)
from gateway.wire.session_setup import SMB2_SESSION_FLAG_BINDING, SessionSetupRequest, SessionSetupResponse
from tests.smb.client import ANY, EXCLUSIVE, Call, Client, ClientSession, LogOn, Refused
from tests.smb.logging_on import GUESTS, lives
from tests.smb.server import Server
from tests.smb.test_durable import V2, asking, refused
from tests.smb.test_leases import BATCH, LEVEL_II, RWH, lease, opened, oplock, pending
from tests.smb.test_replays import again

SMB3 = (0x0300, 0x0302, 0x0311)


@pytest.fixture
async def multi(make_server):
    return await make_server(multi_channel=True)


async def two_channels(server: Server, **options) -> tuple[Client, Client, int]:
    """Two connections of one session, and a tree of it."""
    first, tree = await server.with_tree(**options)
    second = await server.negotiated(**options)
    await second.bind(first.session)
    return first, second, tree


async def refusal(client: Client, session: ClientSession | None, *args) -> int:
    with pytest.raises(Refused) as caught:
        await client.bind(session, *args)
    return caught.value.status


# --- binding


@pytest.mark.parametrize("dialect", SMB3)
async def test_a_session_on_two_connections(multi, dialect) -> None:
    """Trees and files are the session's; each connection signs with a key of its own, which the client checks."""
    first, tree = await multi.with_tree(dialects=(dialect,))
    assert first.negotiated.capabilities & SMB2_GLOBAL_CAP_MULTI_CHANNEL
    second = await multi.negotiated((dialect,))
    channel = await second.bind(first.session)
    assert channel.session_id == first.session.session_id
    assert channel.keys.signing_key != first.session.keys.signing_key
    file = await first.create(tree, "file")
    assert await second.write(file, b"content") == 7
    assert await first.read(file, 7) == b"content"
    await second.close_file(file)
    assert not multi.service.opens


async def test_channels_seal_with_the_keys_of_the_session(make_server) -> None:
    server = await make_server(multi_channel=True, encryption=Encryption(required=True))
    first, second, tree = await two_channels(server)
    assert second.session is not None
    assert second.session.seals
    file = await second.create(tree, "file")
    for client in (first, second, first):
        response = await client.call(**vars(client.write_call(file, b"content")))
        assert (response.status, response.sealed) == (0, True)


async def test_what_one_channel_demands_they_all_demand(multi) -> None:
    _, second, tree = await two_channels(multi)
    (response,) = await second.ask(second.create_call(tree, "file", sign=False))
    assert response.status == STATUS_ACCESS_DENIED


async def test_binding_where_it_is_not_offered(server) -> None:
    first = await server.logged_on()
    assert not first.negotiated.capabilities & SMB2_GLOBAL_CAP_MULTI_CHANNEL
    second = await server.negotiated()
    assert await refusal(second, first.session) == STATUS_REQUEST_NOT_ACCEPTED
    assert await refusal(second, ClientSession(77)) == STATUS_USER_SESSION_DELETED
    await second.log_on()
    assert await lives(first)


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"dialects": (0x0210,)}, STATUS_REQUEST_NOT_ACCEPTED),
        ({"dialects": (0x0302,)}, STATUS_INVALID_PARAMETER),
        ({"ciphers": (AES128_CCM,)}, STATUS_INVALID_PARAMETER),
        ({"ciphers": ()}, STATUS_INVALID_PARAMETER),
        ({"algorithms": (AES_GMAC,)}, STATUS_NOT_SUPPORTED),
    ],
)
async def test_connections_that_agreed_on_something_else(multi, options, status) -> None:
    first = await multi.logged_on(dialects=(0x0311,), ciphers=(AES128_GCM,), algorithms=(AES_CMAC,))
    how = {"dialects": (0x0311,), "ciphers": (AES128_GCM,), "algorithms": (AES_CMAC,)} | options
    second = await multi.negotiated(how.pop("dialects"), **how)
    assert await refusal(second, first.session) == status
    assert await lives(first)


async def test_signing_algorithms_of_two_channels(multi) -> None:
    """AES-GMAC goes with itself alone; the other two go with each other."""
    first, tree = await multi.with_tree(dialects=(0x0311,), algorithms=(HMAC_SHA256,))
    second = await multi.negotiated((0x0311,), algorithms=(AES_CMAC,), guid=b"another client's")
    await second.bind(first.session)
    file = await second.create(tree, "file")
    assert await first.write(file, b"content") == 7
    third = await multi.logged_on(dialects=(0x0311,), algorithms=(AES_GMAC,))
    assert await refusal(second, third.session) == STATUS_REQUEST_OUT_OF_SEQUENCE


async def test_binding_without_the_keys_of_the_session(multi) -> None:
    """An id is all that somebody else knows: it gets them nowhere, password or not."""
    first = await multi.logged_on()
    other = await multi.logged_on(user="bob")
    number = first.session.session_id
    request = SessionSetupRequest(flags=SMB2_SESSION_FLAG_BINDING, security_buffer=b"NTLMSSP\0")
    response = await other.call(Opcode.SESSION_SETUP, request, session=number, sign=False)
    assert response.status == STATUS_INVALID_PARAMETER
    stolen = ClientSession(number, signer=other.session.signer, signs=True)
    other.expects_unsigned(other.next_id)
    assert await refusal(other, stolen) == STATUS_ACCESS_DENIED
    response = await other.call(Opcode.LOGOFF, LogoffRequest(), session=number, sign=False)
    assert (response.status, response.signed) == (STATUS_USER_SESSION_DELETED, False)
    assert await lives(first)


@pytest.mark.parametrize(("user", "password"), [("alice", "wrong"), ("nobody", "Secret-1")])
async def test_a_failed_log_on_harms_the_session_that_it_was_for_in_no_way(
    multi, expected_logs, user, password
) -> None:
    expected_logs.append("log-on failed")
    first, tree = await multi.with_tree()
    file = await first.create(tree, "file")
    (kept,) = multi.service.sessions
    second = await multi.negotiated()
    assert await refusal(second, first.session, user, password) == STATUS_LOGON_FAILURE
    assert (kept.closed, list(kept.channels)) == (False, [multi.connections[0]])
    assert await first.write(file, b"content") == 7
    await second.bind(first.session)
    assert await second.read(file, 7) == b"content"


@pytest.mark.parametrize(("user", "signed"), [("alice", True), ("bob", False), (None, False)])
async def test_requests_of_sessions_that_are_not_bound(multi, user, signed) -> None:
    """Their user is answered with a signature; nobody else gets one, who may have read the request somewhere."""
    first = await multi.logged_on()
    second = await multi.logged_on(user=user) if user else await multi.negotiated()
    second.sessions[first.session.session_id] = first.session
    if not signed:
        second.expects_unsigned(second.next_id)
    response = await second.call(Opcode.LOGOFF, LogoffRequest(), session=first.session)
    assert (response.status, response.signed) == (STATUS_USER_SESSION_DELETED, signed)


async def test_logging_on_in_a_session_that_is_not_bound(multi) -> None:
    """The refusal is signed at the beginning of a connection only."""
    first = await multi.logged_on()
    for number, signed in ((1, True), (9, False)):
        second = await multi.negotiated()
        second.sessions[first.session.session_id] = first.session
        while second.next_id < number:
            assert await lives(second)
        if not signed:
            second.expects_unsigned(second.next_id)
        response = await second.call(Opcode.SESSION_SETUP, SessionSetupRequest(), session=first.session)
        assert (response.status, response.signed) == (STATUS_USER_SESSION_DELETED, signed)


async def test_sessions_that_a_connection_is_bound_to(make_server) -> None:
    server = await make_server(multi_channel=True, limits=Limits(max_sessions_per_connection=1))
    first, second = await server.logged_on(), await server.logged_on()
    assert await refusal(second, first.session) == STATUS_INSUFFICIENT_RESOURCES


async def test_another_user_cannot_bind_it(multi) -> None:
    first, tree = await multi.with_tree()
    second = await multi.negotiated()
    assert await refusal(second, first.session, "bob", "Secret-2") == STATUS_ACCESS_DENIED
    await first.create(tree, "file")


async def test_guests_have_no_channels(make_server) -> None:
    server = await make_server(multi_channel=True, auth=GUESTS, signing_required=False)
    first = await server.negotiated()
    await first.log_on("nobody", "whatever")
    second = await server.negotiated()
    assert await refusal(second, first.session) == STATUS_NOT_SUPPORTED


async def test_a_session_is_bound_once_to_a_connection_and_only_when_it_is_there(multi) -> None:
    first, second, _ = await two_channels(multi)
    for client in (first, second):
        assert await refusal(client, client.session) == STATUS_REQUEST_NOT_ACCEPTED
        assert await lives(client)
    third = await multi.negotiated()
    begun = LogOn(third, "alice", "Secret-1", None, 0, 0, 1)
    await begun.step(begun.context.step() or b"")
    fourth = await multi.negotiated()
    assert await refusal(fourth, ClientSession(begun.session_id)) == STATUS_REQUEST_NOT_ACCEPTED


async def test_how_many_channels_there_may_be(make_server) -> None:
    server = await make_server(multi_channel=True, limits=Limits(max_channels_per_session=2))
    first, second, _ = await two_channels(server)
    third = await server.negotiated()
    assert await refusal(third, first.session) == STATUS_INSUFFICIENT_RESOURCES
    second.close()
    (kept,) = server.service.sessions
    while len(kept.channels) == 2:
        assert await lives(first)
    await third.bind(first.session)


async def test_two_bindings_at_the_same_time(make_server) -> None:
    """The last place is for who is first to end."""
    server = await make_server(multi_channel=True, limits=Limits(max_channels_per_session=2))
    first = await server.logged_on()
    late = [await server.negotiated() for _ in range(2)]
    begun = [LogOn(one, "alice", "Secret-1", first.session, 0, SMB2_SESSION_FLAG_BINDING, 1) for one in late]
    tokens = []
    for one in begun:
        response = await one.step(one.context.step() or b"")
        assert response.status == STATUS_MORE_PROCESSING_REQUIRED
        tokens.append(one.context.step(response.parse(SessionSetupResponse).security_buffer) or b"")
    await begun[1].step(tokens[1])
    with pytest.raises(Refused) as caught:
        await begun[0].step(tokens[0])
    assert caught.value.status == STATUS_INSUFFICIENT_RESOURCES


async def test_a_session_that_ends_while_it_is_bound(multi) -> None:
    first, second = await multi.logged_on(), await multi.negotiated()
    begun = LogOn(second, "alice", "Secret-1", first.session, 0, SMB2_SESSION_FLAG_BINDING, 1)
    response = await begun.step(begun.context.step() or b"")
    await first.log_off()
    second.expects_unsigned(second.next_id)
    with pytest.raises(Refused) as caught:
        await begun.step(begun.context.step(response.parse(SessionSetupResponse).security_buffer) or b"")
    assert caught.value.status == STATUS_USER_SESSION_DELETED
    await second.log_on()
    assert not multi.connections[1].setups


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
    assert await refusal(third, first.session) == STATUS_NETWORK_SESSION_EXPIRED
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
