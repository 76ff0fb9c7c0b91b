"""Sessions: logging on and off, again, at the same time, and who is let in at all."""

import pytest

from acl.ace import Acl, allow
from acl.descriptor import SecurityDescriptor
from acl.mask import FILE_ALL_ACCESS
from acl.sid import OWNER_RIGHTS
from gateway.auth.policy import AuthPolicy, MapToGuest
from gateway.nt.constants import FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BAD_NETWORK_NAME,
    STATUS_FILE_CLOSED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_LOGON_FAILURE,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_NETWORK_NAME_DELETED,
    STATUS_NETWORK_SESSION_EXPIRED,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.logoff import LogoffRequest
from gateway.wire.session_setup import (
    SMB2_SESSION_FLAG_ENCRYPT_DATA,
    SMB2_SESSION_FLAG_IS_GUEST,
    SMB2_SESSION_FLAG_IS_NULL,
    SessionSetupRequest,
    SessionSetupResponse,
)
from gateway.wire.tree_connect import (
    SMB2_SHARE_TYPE_PIPE,
    SMB2_SHAREFLAG_ENCRYPT_DATA,
    TreeConnectRequest,
)
from tests.smb.client import Call, Client, ConnectionEnded, LogOn, Refused
from tests.smb.server import Exported, Server
from tests.smb.test_queries import RENAME, change, target
from vfs_backends.faults import Fault

DIALECTS = (0x0210, 0x0302, 0x0311)
GUESTS = AuthPolicy("FILES", map_to_guest=MapToGuest.BAD_USER, allow_anonymous=True)


async def refusal(client: Client, *args, **kwargs) -> int:
    """What a log-on fails with."""
    with pytest.raises(Refused) as caught:
        await client.log_on(*args, **kwargs)
    return caught.value.status


async def lives(client: Client) -> bool:
    return (await client.call(Opcode.ECHO, EchoRequest())).status == 0


def interleaved(client: Client, user: str, password: str) -> LogOn:
    return LogOn(client, user, password, None, 0, 0, 1)


async def log_on_anonymously(client: Client) -> SessionSetupResponse:
    """Raw NTLM: NEGOTIATE, and an AUTHENTICATE that names nobody ([MS-NLMP] 3.2.5.1.2)."""
    first = await client.setup(b"NTLMSSP\0\1\0\0\0" + (0xE2088297).to_bytes(4, "little") + bytes(16))
    assert first.status == STATUS_MORE_PROCESSING_REQUIRED
    empty = bytes(4) + (72).to_bytes(4, "little")
    one_byte = b"\1\0\1\0" + (72).to_bytes(4, "little")
    last = b"NTLMSSP\0\3\0\0\0" + one_byte + empty * 5 + (0xA2088A97).to_bytes(4, "little") + bytes(8) + b"\0"
    response = await client.setup(last, first.header.session_id)
    if response.status:
        raise Refused(Opcode.SESSION_SETUP, response.status)
    return response.parse(SessionSetupResponse)


# --- on and off


async def test_log_off(server) -> None:
    """Everything goes with the session, and its id means nothing any more."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    session = client.session
    response = await client.well(Opcode.LOGOFF, LogoffRequest())
    assert response.signed
    assert len(server.service.sessions) == 0
    assert server.service.opens == 0
    client.expects_unsigned(client.next_id)
    assert (await client.ask(client.read_call(file, 1)))[0].status == STATUS_USER_SESSION_DELETED
    client.session = None
    await client.log_on()
    assert client.session is not None
    assert client.session.session_id != session.session_id
    await client.connect()


async def test_log_off_of_a_session_that_seals(make_server) -> None:
    """Its key stays so that who does not know yet can be told."""
    server = await make_server(encryption=Encryption(required=True))
    client, _ = await server.with_tree()
    await client.log_off()
    response = await client.call(Opcode.LOGOFF, LogoffRequest())
    assert (response.status, response.sealed) == (STATUS_USER_SESSION_DELETED, True)


async def test_the_end_of_a_session_is_told_with_its_key(server) -> None:
    """Whoever signs believes no answer that nobody has signed. A connection keeps the keys of a few ended sessions."""
    client = await server.logged_on()
    first = client.session
    await client.log_off()
    response = await client.call(Opcode.LOGOFF, LogoffRequest())
    assert (response.status, response.signed) == (STATUS_USER_SESSION_DELETED, True)
    for command, request, status in (
        (Opcode.ECHO, EchoRequest(), 0),
        (Opcode.SESSION_SETUP, SessionSetupRequest(), STATUS_USER_SESSION_DELETED),
    ):
        response = await client.call(command, request, sign=False)
        assert (response.status, response.signed) == (status, False)
    for _ in range(8):
        client.session = None
        await client.log_on()
        await client.log_off()
    client.expects_unsigned(client.next_id)
    response = await client.call(Opcode.LOGOFF, LogoffRequest(), session=first)
    assert (response.status, response.signed) == (STATUS_USER_SESSION_DELETED, False)


async def test_disconnecting_a_tree(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    other = await client.connect()
    await client.disconnect(tree)
    assert server.service.opens == 0
    assert (await client.ask(client.read_call(file, 1)))[0].status == STATUS_NETWORK_NAME_DELETED
    file.tree = other
    assert (await client.ask(client.read_call(file, 1)))[0].status == STATUS_FILE_CLOSED
    with pytest.raises(Refused, match="NETWORK_NAME_DELETED"):
        await client.disconnect(tree)
    await client.create_status(other, "file")


async def test_files_belong_to_their_tree(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    file.tree = await client.connect()
    assert (await client.ask(client.write_call(file, b"x")))[0].status == STATUS_FILE_CLOSED


@pytest.mark.parametrize("user", ["alice", "mallory"])
async def test_a_wrong_password(server, expected_logs, user) -> None:
    expected_logs.append("log-on failed")
    client = await server.negotiated()
    assert await refusal(client, user, "wrong") == STATUS_LOGON_FAILURE
    assert len(server.service.sessions) == 0
    await client.log_on()
    await client.connect()


async def test_garbage_instead_of_a_token(server, expected_logs) -> None:
    expected_logs.append("log-on failed")
    client = await server.negotiated()
    for token in (b"", b"NTLMSSP\0", b"\x60\x03\x06\x01\x00", bytes(200)):
        response = await client.setup(token)
        assert response.status >= 0xC0000000
    assert len(server.service.sessions) == 0
    await client.log_on()


async def test_sessions_that_are_not_there(server) -> None:
    client = await server.negotiated()
    for session_id in (1, 2**32, 2**64 - 1):
        response = await client.setup(b"NTLMSSP\0", session_id)
        assert response.status == STATUS_USER_SESSION_DELETED
        response = await client.call(Opcode.LOGOFF, LogoffRequest(), session=session_id)
        assert response.status == STATUS_USER_SESSION_DELETED


async def test_a_session_that_is_not_finished_is_none(server) -> None:
    client = await server.negotiated()
    log_on = interleaved(client, "alice", "Secret-1")
    response = await log_on.step(log_on.context.step() or b"")
    session_id = response.header.session_id
    for command, body in (
        (Opcode.TREE_CONNECT, TreeConnectRequest(path=r"\\server\files")),
        (Opcode.LOGOFF, LogoffRequest()),
    ):
        found = await client.call(command, body, session=session_id)
        assert found.status == STATUS_USER_SESSION_DELETED


async def test_sessions_belong_to_their_connection(server) -> None:
    client, other = await server.logged_on(), await server.logged_on("bob")
    theirs = client.session
    request = TreeConnectRequest(path=r"\\server\files")
    response = await other.call(Opcode.TREE_CONNECT, request, session=theirs.session_id)
    assert response.status == STATUS_USER_SESSION_DELETED
    assert await lives(client)


async def test_several_users_on_one_connection(server) -> None:
    """Each with keys, trees and files of their own."""
    client, tree = await server.with_tree()
    alice = client.session
    bob = await client.log_on("bob", "Secret-2")
    their_tree = await client.connect()
    theirs = await client.create(their_tree, "", access=0x20089, disposition=FILE_OPEN)
    response = await client.call(**vars(client.read_call(theirs, 1, session=alice)))
    assert response.status in (STATUS_NETWORK_NAME_DELETED, STATUS_FILE_CLOSED)
    await client.log_off()
    client.session = alice
    await client.create_status(tree, "file")
    assert bob.session_id not in {one.session_id for one in server.service.sessions}


# --- who may come in


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_neither_guests_nor_nobody_where_signing_is_mandatory(make_server, expected_logs, dialect) -> None:
    expected_logs.append("neither guests nor anonymous")
    server = await make_server(Exported(guest_ok=True), auth=GUESTS)
    client = await server.negotiated((dialect,))
    assert await refusal(client, "stranger", "x") == STATUS_ACCESS_DENIED
    with pytest.raises(Refused) as caught:
        await log_on_anonymously(client)
    assert caught.value.status == STATUS_ACCESS_DENIED
    await client.log_on()


async def test_guests(make_server) -> None:
    """No key, no signature; only where guests are welcome."""
    server = await make_server(Exported(guest_ok=True), Exported("private"), auth=GUESTS, signing_required=False)
    client = await server.negotiated()
    session = await client.log_on("stranger", "x")
    assert session.flags == SMB2_SESSION_FLAG_IS_GUEST
    tree = await client.connect("files")
    await client.connect("IPC$")
    with pytest.raises(Refused) as caught:
        await client.connect("private")
    assert caught.value.status == STATUS_ACCESS_DENIED
    assert await client.create_status(tree, "", disposition=FILE_OPEN, access=0x80) == 0
    await client.log_off()


async def test_nobody(make_server) -> None:
    server = await make_server(Exported(guest_ok=True), auth=GUESTS, signing_required=False)
    client = await server.negotiated()
    answer = await log_on_anonymously(client)
    assert answer.session_flags == SMB2_SESSION_FLAG_IS_NULL


async def test_no_guests_where_sealing_is_demanded(make_server, expected_logs) -> None:
    expected_logs.append("neither guests nor anonymous")
    server = await make_server(auth=GUESTS, signing_required=False, encryption=Encryption(required=True))
    client = await server.negotiated()
    assert await refusal(client, "stranger", "x") == STATUS_ACCESS_DENIED


async def test_an_account_that_may_not_log_on_after_all(make_server, expected_logs) -> None:
    from gateway.auth.errors import AuthError

    expected_logs.append("log-on failed")
    server: Server = await make_server()

    def nobody(identity):
        raise AuthError(STATUS_ACCESS_DENIED, "gone")

    server.service.token_of = nobody
    client = await server.negotiated()
    assert await refusal(client) == STATUS_ACCESS_DENIED
    assert len(server.service.sessions) == 0


# --- protection


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_unsigned_where_signing_is_mandatory(server, dialect) -> None:
    client, tree = await server.with_tree(dialects=(dialect,))
    file = await client.create(tree, "file")
    response = await client.call(**vars(client.write_call(file, b"x", sign=False)))
    assert (response.status, response.signed) == (STATUS_ACCESS_DENIED, True)
    assert await client.write(file, b"x") == 1


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_signing_as_the_client_does(make_server, dialect) -> None:
    server = await make_server(signing_required=False)
    client, tree = await server.with_tree(dialects=(dialect,))
    file = await client.create(tree, "file")
    for signs in (True, False, True):
        response = await client.call(**vars(client.write_call(file, b"x", sign=signs)))
        assert (response.status, response.signed) == (0, signs)


async def test_signing_as_the_client_demands(make_server) -> None:
    """Who says that signing is required is held to it."""
    server = await make_server(signing_required=False)
    client = await server.negotiated()
    await client.log_on(security_mode=3)
    tree = await client.connect()
    (response,) = await client.ask(client.create_call(tree, "file", sign=False))
    assert response.status == STATUS_ACCESS_DENIED


async def test_an_unprotected_tree_connect_at_3_1_1_ends_the_connection(make_server) -> None:
    server = await make_server(signing_required=False)
    client = await server.logged_on(signs=False)
    with pytest.raises(ConnectionEnded):
        await client.connect()


async def test_plain_where_sealing_is_demanded(make_server) -> None:
    server = await make_server(encryption=Encryption(required=True))
    client, tree = await server.with_tree()
    assert client.session is not None
    assert client.session.flags & SMB2_SESSION_FLAG_ENCRYPT_DATA
    client.session.seals = False
    client.expects_unsigned(client.next_id)
    (response,) = await client.ask(client.create_call(tree, "file", sign=False))
    assert response.status == STATUS_ACCESS_DENIED
    client.session.seals = True
    await client.create_status(tree, "file")


async def test_a_client_that_cannot_seal_where_it_is_demanded(make_server) -> None:
    server = await make_server(encryption=Encryption(required=True))
    for dialects, capabilities in (((0x0210,), 0x7F), ((0x0302,), 0)):
        client = await server.negotiated(dialects, capabilities=capabilities)
        assert await refusal(client) == STATUS_ACCESS_DENIED


async def test_sealing_that_is_only_desired(make_server) -> None:
    server = await make_server(encryption=Encryption(desired=True))
    client = await server.logged_on()
    assert client.session is not None
    assert client.session.seals
    older = await server.logged_on(dialects=(0x0210,))
    assert older.session is not None
    assert not older.session.seals
    await older.connect()


async def test_sealed_for_somebody_else(make_server) -> None:
    """A transform that names another session of the same connection, or none."""
    server = await make_server(encryption=Encryption(desired=True))
    for wrong in (1, 2**40):
        client = await server.logged_on()
        alice = client.session
        bob = await client.log_on("bob", "Secret-2")
        frame = client.frame(Call(Opcode.ECHO, EchoRequest(), session=alice))
        await client.send_frame(client.seal(frame, bob) if wrong == 1 else _renamed(client.seal(frame, bob), wrong))
        assert await client.ended()


def _renamed(frame: bytearray, session_id: int) -> bytearray:
    frame[44:52] = session_id.to_bytes(8, "little")
    return frame


async def test_a_share_that_demands_sealing(make_server) -> None:
    server = await make_server(Exported("secret", encrypt=True), Exported())
    client = await server.logged_on()
    tree = await client.connect("secret")
    assert client.tree_response.share_flags & SMB2_SHAREFLAG_ENCRYPT_DATA
    assert await client.create_status(tree, "file") == STATUS_ACCESS_DENIED
    (response,) = await client.ask(client.create_call(tree, "file"), seal=True)
    assert (response.status, response.sealed) == (0, True)
    open_tree = await client.connect("files")
    assert not client.tree_response.share_flags & SMB2_SHAREFLAG_ENCRYPT_DATA
    assert await client.create_status(open_tree, "file") == 0


async def test_a_share_that_demands_sealing_of_who_cannot(make_server) -> None:
    server = await make_server(Exported("secret", encrypt=True))
    client = await server.logged_on(dialects=(0x0210,))
    with pytest.raises(Refused) as caught:
        await client.connect("secret")
    assert caught.value.status == STATUS_ACCESS_DENIED


# --- again


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_logging_on_again(server, dialect) -> None:
    """The session stays as it is, with all that is open and with its keys."""
    client, tree = await server.with_tree(dialects=(dialect,))
    file = await client.create(tree, "file")
    session = client.session
    (kept,) = server.service.sessions
    before = kept.token
    assert await client.log_on(session=session) is session
    assert kept.token is not before
    assert await client.write(file, b"content") == 7
    await client.log_on(session=session)
    assert await client.read(file, 7) == b"content"


async def test_who_has_logged_on_again_renames_with_their_own_rights(server) -> None:
    """The access of an open stays; what the directories say, they say of whoever the session is now."""
    client, tree = await server.with_tree()
    everything = SecurityDescriptor(dacl=Acl.of(allow(OWNER_RIGHTS, FILE_ALL_ACCESS))).to_bytes()
    await client.close_file(await client.create(tree, "directory", options=1, contexts=[(b"SecD", everything)]))
    file = await client.create(tree, "directory\\file")
    new, session = target("directory\\new"), client.session
    await client.log_on("bob", "Secret-2", session=session)
    assert await change(client, file, RENAME, new) == STATUS_ACCESS_DENIED
    assert await client.write(file, b"content") == 7
    await client.log_on("alice", session=session)
    assert await change(client, file, RENAME, new) == 0
    await client.close_file(file)


async def test_logging_on_again_where_everything_is_sealed(make_server) -> None:
    server = await make_server(encryption=Encryption(required=True))
    client, tree = await server.with_tree()
    await client.log_on(session=client.session)
    await client.create_status(tree, "file")


async def test_requests_go_on_while_somebody_logs_on_again(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    log_on = LogOn(client, "alice", "Secret-1", client.session, 0, 0, 1)
    response = await log_on.step(log_on.context.step() or b"")
    assert response.status == STATUS_MORE_PROCESSING_REQUIRED
    assert await client.write(file, b"content") == 7
    token = log_on.context.step(response.parse(SessionSetupResponse).security_buffer)
    assert (await log_on.step(token or b"")).status == 0
    assert await client.read(file, 7) == b"content"


async def test_failing_to_log_on_again_ends_the_session(server, expected_logs) -> None:
    expected_logs.append("log-on failed")
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    assert await refusal(client, "alice", "wrong", session=client.session) == STATUS_LOGON_FAILURE
    client.expects_unsigned(client.next_id)
    (response,) = await client.ask(client.write_call(file, b"x"))
    assert response.status == STATUS_USER_SESSION_DELETED
    assert not list(server.service.sessions)


async def test_nobody_logs_on_again_without_protection_where_it_is_demanded(server) -> None:
    """The session demands signatures, and this request has none."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    session = client.session
    (kept,) = server.service.sessions
    before = kept.token
    session.signs = False
    assert await refusal(client, "alice", "wrong", session=session) == STATUS_ACCESS_DENIED
    session.signs = True
    assert kept.token is before
    assert await client.write(file, b"content") == 7
    await client.log_on(session=session)
    assert await client.read(file, 7) == b"content"


async def test_a_session_becomes_somebody_elses(server) -> None:
    """What was open stays open; who it is counts from the next request on."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    (kept,) = server.service.sessions
    await client.log_on("bob", "Secret-2", session=client.session)
    assert kept.identity is not None
    assert kept.identity.user == "bob"
    assert await client.write(file, b"content") == 7


async def test_a_session_that_has_expired(server) -> None:
    """It may log on again, close and log off; everything else waits for that."""
    client, tree = await server.with_tree()
    file, other = await client.create(tree, "file"), await client.create(tree, "other")
    (kept,) = server.service.sessions
    kept.expires = server.time + 1
    assert await client.write(file, b"x") == 1
    server.time += 1
    (response,) = await client.ask(client.write_call(file, b"x"))
    assert (response.status, response.signed) == (STATUS_NETWORK_SESSION_EXPIRED, True)
    await client.close_file(other)
    await client.log_on(session=client.session)
    assert await client.write(file, b"x") == 1
    kept.expires = server.time
    await client.log_off()


# --- previous sessions


async def test_a_previous_session_ends(server) -> None:
    """Its files are closed before the new log-on is answered."""
    client, tree = await server.with_tree()
    await client.create(tree, "file", share=0)
    assert client.session is not None
    again = await server.negotiated()
    await again.log_on(previous=client.session.session_id)
    their_tree = await again.connect()
    assert await again.create_status(their_tree, "file", share=0) == 0
    client.expects_unsigned(client.next_id)
    (response,) = await client.ask(client.create_call(tree, "file"))
    assert response.status == STATUS_USER_SESSION_DELETED
    assert await lives(again)


async def test_a_previous_session_with_a_slow_write(server) -> None:
    server.files.faults.append(Fault("write", delay=0.1))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file", share=0)
    write = client.write_call(file, b"content")
    await client.send(write)
    assert client.session is not None
    again = await server.negotiated()
    await again.log_on(previous=client.session.session_id)
    their_tree = await again.connect()
    server.files.faults.clear()
    mine = await again.create(their_tree, "file", share=0)
    assert await again.read(mine, 7) == b"content"


@pytest.mark.parametrize("whose", ["bob's", "nobody's", "its own"])
async def test_a_previous_session_that_does_not_end(server, whose) -> None:
    other, tree = await server.with_tree(user="bob")
    client = await server.negotiated()
    assert other.session is not None
    previous = other.session.session_id if whose == "bob's" else 77
    if whose == "its own":
        log_on = interleaved(client, "alice", "Secret-1")
        first = await log_on.step(log_on.context.step() or b"")
        log_on.previous = first.header.session_id
        token = log_on.context.step(first.parse(SessionSetupResponse).security_buffer)
        response = await log_on.step(token or b"")
        log_on.established(response.parse(SessionSetupResponse), response)
    else:
        await client.log_on(previous=previous)
    await client.connect()
    await other.create_status(tree, "", disposition=FILE_OPEN, access=0x80)


async def test_a_previous_session_that_is_not_finished_stays(server) -> None:
    client = await server.negotiated()
    log_on = interleaved(client, "alice", "Secret-1")
    first = await log_on.step(log_on.context.step() or b"")
    other = await server.negotiated()
    await other.log_on(previous=first.header.session_id)
    token = log_on.context.step(first.parse(SessionSetupResponse).security_buffer)
    response = await log_on.step(token or b"")
    log_on.established(response.parse(SessionSetupResponse), response)
    await client.connect()


# --- at the same time


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_log_ons_in_turns(server, dialect) -> None:
    """Of two sessions on one connection, step by step: each has its own preauth hash, and so its own keys."""
    client = await server.negotiated((dialect,))
    first = await client.log_on()
    one, two = interleaved(client, "alice", "Secret-1"), interleaved(client, "bob", "Secret-2")
    client.session = None
    answers = [await log_on.step(log_on.context.step() or b"") for log_on in (one, two)]
    ends = []
    for log_on, answer in zip((two, one), reversed(answers), strict=True):
        token = log_on.context.step(answer.parse(SessionSetupResponse).security_buffer)
        ends.append((log_on, await log_on.step(token or b"")))
    sessions = {first.session_id}
    for log_on, last in ends:
        session = log_on.established(last.parse(SessionSetupResponse), last)
        await client.connect()
        sessions.add(session.session_id)
    assert len(sessions) == 3


async def test_steps_of_one_session_at_once(server, expected_logs) -> None:
    """They take turns: one of two equal ones fails, and what has failed is over for both."""
    expected_logs.append("log-on failed")
    client = await server.logged_on()
    log_on = interleaved(client, "alice", "Secret-1")
    first = await log_on.step(log_on.context.step() or b"")
    token = log_on.context.step(first.parse(SessionSetupResponse).security_buffer)
    request = SessionSetupRequest(security_mode=1, security_buffer=token or b"")
    calls = [Call(Opcode.SESSION_SETUP, request, session=log_on.session_id) for _ in range(2)]
    frames = [client.frame(one) for one in calls]
    await client.send_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in frames))
    found = sorted([(await client.answer(one)).status for one in calls])
    assert found[0] == 0
    assert found[1] >= 0xC0000000
    assert await lives(client)


async def test_log_off_while_somebody_logs_on_again(server) -> None:
    client, _ = await server.with_tree()
    log_on = LogOn(client, "alice", "Secret-1", client.session, 0, 0, 1)
    response = await log_on.step(log_on.context.step() or b"")
    await client.log_off()
    token = log_on.context.step(response.parse(SessionSetupResponse).security_buffer)
    client.expects_unsigned(client.next_id)
    with pytest.raises(Refused) as caught:
        await log_on.step(token or b"")
    assert caught.value.status == STATUS_USER_SESSION_DELETED


# --- how many


async def test_sessions_of_a_connection(make_server) -> None:
    server = await make_server(limits=Limits(max_sessions_per_connection=2))
    client = await server.negotiated()
    await client.log_on()
    await client.log_on()
    assert await refusal(client) == STATUS_INSUFFICIENT_RESOURCES
    await client.log_off()
    client.session = None
    await client.log_on()
    other = await server.logged_on()
    assert await lives(other)


async def test_sessions_of_all(make_server) -> None:
    server = await make_server(limits=Limits(max_sessions=2))
    clients = [await server.logged_on() for _ in range(2)]
    late = await server.negotiated()
    assert await refusal(late) == STATUS_INSUFFICIENT_RESOURCES
    clients[0].close()
    while len(server.service.sessions) == 2:
        assert await lives(clients[1])
    await late.log_on()


async def test_trees_of_a_session(make_server) -> None:
    server = await make_server(limits=Limits(max_trees_per_session=2))
    client, tree = await server.with_tree()
    await client.connect("IPC$")
    with pytest.raises(Refused) as caught:
        await client.connect()
    assert caught.value.status == STATUS_INSUFFICIENT_RESOURCES
    await client.disconnect(tree)
    await client.connect()


async def test_trees_of_a_share(make_server) -> None:
    server = await make_server(Exported(max_connections=1))
    client, tree = await server.with_tree()
    other = await server.logged_on()
    with pytest.raises(Refused) as caught:
        await other.connect()
    assert caught.value.status == STATUS_REQUEST_NOT_ACCEPTED
    await client.disconnect(tree)
    await other.connect()


# --- shares


async def test_names_of_shares(server) -> None:
    client = await server.logged_on()
    await client.connect("FILES")
    for name in ("none", "", "files\\sub"):
        with pytest.raises(Refused) as caught:
            await client.connect(name)
        assert caught.value.status == STATUS_BAD_NETWORK_NAME


async def test_ipc(server) -> None:
    client = await server.logged_on()
    tree = await client.connect("IPC$")
    assert client.tree_response.share_type == SMB2_SHARE_TYPE_PIPE
    pipe = await client.create(tree, "srvsvc")
    await client.close_file(pipe)
    assert await client.create_status(tree, "no such pipe") >= 0xC0000000
    await client.create(tree, "wkssvc")
