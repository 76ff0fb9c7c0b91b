"""Logging on again: the same session, instead of another one, and several at the same time."""

import pytest

from acl.ace import Acl, allow
from acl.descriptor import SecurityDescriptor
from acl.mask import FILE_ALL_ACCESS
from acl.sid import OWNER_RIGHTS
from gateway.nt.constants import FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_LOGON_FAILURE,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_NETWORK_SESSION_EXPIRED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.service import Encryption
from gateway.wire.header import Opcode
from gateway.wire.session_setup import (
    SessionSetupRequest,
    SessionSetupResponse,
)
from tests.smb.client import Call, LogOn, Refused
from tests.smb.logging_on import DIALECTS, interleaved, lives, refusal
from tests.smb.test_queries import RENAME, change, target
from vfs_backends.faults import Fault

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


@pytest.mark.parametrize("whose", ["bob's", "carol's", "nobody's", "its own"])
async def test_a_previous_session_that_does_not_end(server, whose) -> None:
    other, tree = await server.with_tree(user="carol" if whose == "carol's" else "bob")
    client = await server.negotiated()
    assert other.session is not None
    previous = other.session.session_id if whose in ("bob's", "carol's") else 77
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
