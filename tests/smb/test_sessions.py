"""Sessions: logging on and off, who is let in at all, how many, and to which shares."""

import pytest

from gateway.nt.constants import FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BAD_NETWORK_NAME,
    STATUS_FILE_CLOSED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_LOGON_FAILURE,
    STATUS_NETWORK_NAME_DELETED,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.logoff import LogoffRequest
from gateway.wire.session_setup import (
    SMB2_SESSION_FLAG_IS_GUEST,
    SMB2_SESSION_FLAG_IS_NULL,
    SessionSetupRequest,
)
from gateway.wire.tree_connect import (
    SMB2_SHARE_TYPE_PIPE,
    TreeConnectRequest,
)
from tests.smb.client import Refused
from tests.smb.logging_on import DIALECTS, GUESTS, interleaved, lives, log_on_anonymously, refusal
from tests.smb.server import Exported, Server

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
