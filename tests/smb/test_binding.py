"""Binding a session to another connection: who may, and with which keys."""

import pytest

from gateway.crypto.keys import AES128_CCM, AES128_GCM
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_LOGON_FAILURE,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_NOT_SUPPORTED,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_REQUEST_OUT_OF_SEQUENCE,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.wire.header import Opcode
from gateway.wire.logoff import LogoffRequest
from gateway.wire.negotiate import SMB2_GLOBAL_CAP_MULTI_CHANNEL
from gateway.wire.session_setup import SMB2_SESSION_FLAG_BINDING, SessionSetupRequest, SessionSetupResponse
from tests.smb.channels import SMB3, bind_refusal, two_channels
from tests.smb.client import ClientSession, LogOn, Refused
from tests.smb.logging_on import GUESTS, lives


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
    assert await bind_refusal(second, first.session) == STATUS_REQUEST_NOT_ACCEPTED
    assert await bind_refusal(second, ClientSession(77)) == STATUS_USER_SESSION_DELETED
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
    assert await bind_refusal(second, first.session) == status
    assert await lives(first)


async def test_signing_algorithms_of_two_channels(multi) -> None:
    """AES-GMAC goes with itself alone; the other two go with each other."""
    first, tree = await multi.with_tree(dialects=(0x0311,), algorithms=(HMAC_SHA256,))
    second = await multi.negotiated((0x0311,), algorithms=(AES_CMAC,), guid=b"another client's")
    await second.bind(first.session)
    file = await second.create(tree, "file")
    assert await first.write(file, b"content") == 7
    third = await multi.logged_on(dialects=(0x0311,), algorithms=(AES_GMAC,))
    assert await bind_refusal(second, third.session) == STATUS_REQUEST_OUT_OF_SEQUENCE


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
    assert await bind_refusal(other, stolen) == STATUS_ACCESS_DENIED
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
    assert await bind_refusal(second, first.session, user, password) == STATUS_LOGON_FAILURE
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
    assert await bind_refusal(second, first.session) == STATUS_INSUFFICIENT_RESOURCES


@pytest.mark.parametrize(("user", "password"), [("bob", "Secret-2"), ("carol", "Secret-3")])
async def test_another_user_cannot_bind_it(multi, user, password) -> None:
    first, tree = await multi.with_tree()
    second = await multi.negotiated()
    assert await bind_refusal(second, first.session, user, password) == STATUS_ACCESS_DENIED
    await first.create(tree, "file")


async def test_guests_have_no_channels(make_server) -> None:
    server = await make_server(multi_channel=True, auth=GUESTS, signing_required=False)
    first = await server.negotiated()
    await first.log_on("nobody", "whatever")
    second = await server.negotiated()
    assert await bind_refusal(second, first.session) == STATUS_NOT_SUPPORTED


async def test_a_session_is_bound_once_to_a_connection_and_only_when_it_is_there(multi) -> None:
    first, second, _ = await two_channels(multi)
    for client in (first, second):
        assert await bind_refusal(client, client.session) == STATUS_REQUEST_NOT_ACCEPTED
        assert await lives(client)
    third = await multi.negotiated()
    begun = LogOn(third, "alice", "Secret-1", None, 0, 0, 1)
    await begun.step(begun.context.step() or b"")
    fourth = await multi.negotiated()
    assert await bind_refusal(fourth, ClientSession(begun.session_id)) == STATUS_REQUEST_NOT_ACCEPTED


async def test_how_many_channels_there_may_be(make_server) -> None:
    server = await make_server(multi_channel=True, limits=Limits(max_channels_per_session=2))
    first, second, _ = await two_channels(server)
    third = await server.negotiated()
    assert await bind_refusal(third, first.session) == STATUS_INSUFFICIENT_RESOURCES
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
