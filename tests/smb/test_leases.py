"""Oplocks and leases on the wire: what is answered, what is told, and by which connection."""

import pytest
import trio

from gateway.nt.constants import FILE_DIRECTORY_FILE, FILE_OVERWRITE_IF
from gateway.nt.status import (
    STATUS_CANCELLED,
    STATUS_FILE_CLOSED,
    STATUS_INVALID_OPLOCK_PROTOCOL,
    STATUS_INVALID_PARAMETER,
    STATUS_NETWORK_NAME_DELETED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_PENDING,
    STATUS_UNSUCCESSFUL,
)
from gateway.wire.cancel import CancelRequest
from gateway.wire.create import CreateResponse
from gateway.wire.create_contexts import SMB2_CREATE_REQUEST_LEASE
from gateway.wire.header import SMB2_FLAGS_SERVER_TO_REDIR, Opcode
from gateway.wire.lease_contexts import (
    SMB2_LEASE_FLAG_BREAK_IN_PROGRESS,
    SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET,
    Lease,
    LeaseV2,
    parse_lease,
)
from gateway.wire.negotiate import SMB2_GLOBAL_CAP_DIRECTORY_LEASING, SMB2_GLOBAL_CAP_LEASING
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    LeaseBreakNotification,
    LeaseBreakResponse,
    OplockBreakAcknowledgment,
    OplockBreakNotification,
    OplockBreakResponse,
)
from tests.smb.client import ANY, Call, Client, File
from tests.smb.server import Exported

NONE, LEVEL_II, EXCLUSIVE, BATCH, LEASE = 0, 1, 8, 9, 0xFF
R, RH, RW, RWH = 1, 3, 5, 7
KEY, OTHER_KEY, PARENT_KEY = b"k" * 16, b"o" * 16, b"p" * 16
BOTH = SMB2_GLOBAL_CAP_LEASING | SMB2_GLOBAL_CAP_DIRECTORY_LEASING


def oplock(client: Client, tree: int, level: int, path: str = "file", **how) -> Call:
    call = client.create_call(tree, path, **how)
    call.body.requested_oplock_level = level
    return call


def lease(client: Client, tree: int, context: Lease | LeaseV2, path: str = "file", **how) -> Call:
    contexts = [(SMB2_CREATE_REQUEST_LEASE, context.pack())]
    return oplock(client, tree, LEASE, path, contexts=contexts, **how)


async def opened(client: Client, call: Call) -> File:
    (response,) = await client.ask(call)
    return client.opened(call.tree, response)


def granted(file: File) -> Lease | LeaseV2 | None:
    for name, data in file.response.contexts:
        if name == SMB2_CREATE_REQUEST_LEASE:
            assert file.response.oplock_level == LEASE
            return parse_lease(data)
    assert file.response.oplock_level != LEASE
    return None


async def notified(client: Client) -> LeaseBreakNotification:
    """The lease break that comes next, wrapped as it has to be."""
    response = await client.next(ANY)
    header = response.header
    assert (header.status, header.credits, header.session_id, header.tree_id) == (0, 0, 0, 0)
    assert header.flags == SMB2_FLAGS_SERVER_TO_REDIR
    assert header.command == Opcode.OPLOCK_BREAK
    return response.parse(LeaseBreakNotification)


async def acknowledged(client: Client, tree: int, state: int, key: bytes = KEY) -> int:
    """The status; if it is success, the answer is right."""
    request = LeaseBreakAcknowledgment(lease_key=key, lease_state=state)
    response = await client.call(Opcode.OPLOCK_BREAK, request, tree)
    if response.status == 0:
        answer = response.parse(LeaseBreakResponse)
        assert (answer.lease_key, answer.lease_state) == (key, state)
    return response.status


async def pending(client: Client, call: Call) -> int:
    """Send a request that has to wait; its message id."""
    (message_id,) = await client.send(call)
    assert (await client.next(message_id)).status == STATUS_PENDING
    return message_id


# --- what is answered


@pytest.mark.parametrize("level", [NONE, LEVEL_II, EXCLUSIVE, BATCH])
async def test_oplocks_are_granted(server, level) -> None:
    client, tree = await server.with_tree()
    file = await opened(client, oplock(client, tree, level))
    assert file.response.oplock_level == level
    assert granted(file) is None


@pytest.mark.parametrize("level", [0x10, LEASE])
async def test_a_level_that_says_nothing(leasing, level) -> None:
    client, tree = await leasing.with_tree()
    assert (await opened(client, oplock(client, tree, level))).response.oplock_level == NONE


async def test_no_oplock_on_a_directory(server) -> None:
    client, tree = await server.with_tree()
    file = await opened(client, oplock(client, tree, BATCH, "directory", options=FILE_DIRECTORY_FILE))
    assert file.response.oplock_level == NONE


async def test_a_share_without_oplocks(leasing) -> None:
    leasing.service.exports.get("files").oplocks = False
    client, tree = await leasing.with_tree()
    assert (await opened(client, oplock(client, tree, BATCH))).response.oplock_level == NONE
    assert granted(await opened(client, lease(client, tree, LeaseV2(KEY, RWH)))) is None


@pytest.mark.parametrize(
    ("dialect", "capabilities"), [(0x0202, 0), (0x0210, SMB2_GLOBAL_CAP_LEASING), (0x0300, BOTH), (0x0311, BOTH)]
)
async def test_what_each_dialect_can(make_server, dialect, capabilities) -> None:
    server = await make_server(leases=True, min_dialect=0x0202)
    client, tree = await server.with_tree(dialects=(dialect,))
    assert client.negotiated.capabilities & BOTH == capabilities
    file = await opened(client, lease(client, tree, Lease(KEY, RWH)))
    assert granted(file) == (Lease(KEY, RWH) if capabilities else None)
    file = await opened(client, lease(client, tree, LeaseV2(OTHER_KEY, RWH), "other"))
    assert granted(file) == (LeaseV2(OTHER_KEY, RWH, epoch=1) if capabilities == BOTH else None)


async def test_a_client_that_cannot_lease_directories(leasing) -> None:
    client, tree = await leasing.with_tree(capabilities=0x7F & ~SMB2_GLOBAL_CAP_DIRECTORY_LEASING)
    assert client.negotiated.capabilities & BOTH == SMB2_GLOBAL_CAP_LEASING
    call = lease(client, tree, LeaseV2(KEY, RH), "directory", options=FILE_DIRECTORY_FILE)
    assert granted(await opened(client, call)) is None


async def test_no_leases_unless_they_are_offered(server) -> None:
    client, tree = await server.with_tree()
    assert client.negotiated.capabilities & BOTH == 0
    assert granted(await opened(client, lease(client, tree, LeaseV2(KEY, RWH)))) is None


async def test_directories_are_leased_by_version_2_and_never_for_writing(leasing) -> None:
    client, tree = await leasing.with_tree()
    call = lease(client, tree, LeaseV2(KEY, RWH, epoch=7), "directory", options=FILE_DIRECTORY_FILE)
    assert granted(await opened(client, call)) == LeaseV2(KEY, RH, epoch=8)
    call = lease(client, tree, Lease(OTHER_KEY, RH), "directory", options=FILE_DIRECTORY_FILE)
    assert granted(await opened(client, call)) is None


async def test_the_parent_key_is_given_back(leasing) -> None:
    client, tree = await leasing.with_tree()
    context = LeaseV2(KEY, RWH, SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET, parent_lease_key=PARENT_KEY)
    file = await opened(client, lease(client, tree, context))
    assert granted(file) == LeaseV2(KEY, RWH, 4, parent_lease_key=PARENT_KEY, epoch=1)
    context = LeaseV2(KEY, RWH, 0, parent_lease_key=PARENT_KEY)
    file = await opened(client, lease(client, tree, context))
    assert granted(file) == LeaseV2(KEY, RWH, 0, epoch=1)


async def test_a_lease_keeps_its_version(leasing) -> None:
    client, tree = await leasing.with_tree()
    await opened(client, lease(client, tree, Lease(KEY, R)))
    assert granted(await opened(client, lease(client, tree, LeaseV2(KEY, RH)))) == Lease(KEY, RH)


@pytest.mark.parametrize("size", [0, 31, 33, 51, 53])
async def test_a_context_of_a_wrong_size(leasing, size) -> None:
    client, tree = await leasing.with_tree()
    call = oplock(client, tree, LEASE, contexts=[(SMB2_CREATE_REQUEST_LEASE, bytes(size))])
    assert (await client.ask(call))[0].status == STATUS_INVALID_PARAMETER


async def test_a_key_is_for_one_file(leasing) -> None:
    client, tree = await leasing.with_tree()
    await opened(client, lease(client, tree, LeaseV2(KEY, RWH)))
    assert (await client.ask(lease(client, tree, LeaseV2(KEY, RWH), "new")))[0].status == STATUS_INVALID_PARAMETER
    assert await client.create_status(tree, "new", disposition=1) == STATUS_OBJECT_NAME_NOT_FOUND


# --- breaks


async def test_an_oplock_break(server) -> None:
    one, tree = await server.with_tree()
    two, other_tree = await server.with_tree(user="alice")
    file = await opened(one, oplock(one, tree, BATCH))
    message_id = await pending(two, oplock(two, other_tree, BATCH))
    notification = (await one.next(ANY)).parse(OplockBreakNotification)
    assert (notification.persistent_file_id, notification.volatile_file_id) == file.file_id
    assert notification.oplock_level == LEVEL_II
    request = OplockBreakAcknowledgment(
        oplock_level=LEVEL_II, persistent_file_id=file.file_id[0], volatile_file_id=file.file_id[1]
    )
    answer = (await one.well(Opcode.OPLOCK_BREAK, request, tree)).parse(OplockBreakResponse)
    assert (answer.oplock_level, answer.persistent_file_id, answer.volatile_file_id) == (LEVEL_II, *file.file_id)
    assert (await two.final(message_id)).parse(CreateResponse).oplock_level == LEVEL_II
    again = await one.call(Opcode.OPLOCK_BREAK, request, tree)
    assert again.status == STATUS_INVALID_OPLOCK_PROTOCOL


async def test_wrong_acknowledgements(leasing) -> None:
    client, tree = await leasing.with_tree()
    file = await opened(client, lease(client, tree, LeaseV2(KEY, RWH)))
    assert await acknowledged(client, tree, R) == STATUS_UNSUCCESSFUL
    assert await acknowledged(client, tree, R, OTHER_KEY) == STATUS_OBJECT_NAME_NOT_FOUND
    ipc = await client.connect("IPC$")
    assert await acknowledged(client, ipc, R) == STATUS_OBJECT_NAME_NOT_FOUND
    persistent, volatile = file.file_id
    for level, expected in ((LEASE, STATUS_INVALID_PARAMETER), (LEVEL_II, STATUS_INVALID_OPLOCK_PROTOCOL)):
        request = OplockBreakAcknowledgment(
            oplock_level=level, persistent_file_id=persistent, volatile_file_id=volatile
        )
        assert (await client.call(Opcode.OPLOCK_BREAK, request, tree)).status == expected
    request = OplockBreakAcknowledgment(persistent_file_id=persistent, volatile_file_id=volatile + 1)
    assert (await client.call(Opcode.OPLOCK_BREAK, request, tree)).status == STATUS_FILE_CLOSED


@pytest.mark.parametrize("seals", [False, True])
async def test_a_lease_break(make_server, seals) -> None:
    """It is never signed, but sealed like everything else."""
    server = await make_server(Exported(encrypt=seals), leases=True)
    one, tree = await server.with_tree(guid=b"one, the holder.")
    two, other_tree = await server.with_tree()
    for client in (one, two):
        assert client.session is not None
        client.session.seals = seals
    await opened(one, lease(one, tree, LeaseV2(KEY, RWH, epoch=0x10)))
    message_id = await pending(two, lease(two, other_tree, LeaseV2(KEY, RWH)))
    response = await one.next(ANY)
    assert (response.sealed, response.signed) == (seals, False)
    assert response.parse(LeaseBreakNotification) == LeaseBreakNotification(
        new_epoch=0x12, flags=1, lease_key=KEY, current_lease_state=RWH, new_lease_state=RH
    )
    file = await opened(one, lease(one, tree, LeaseV2(KEY, RWH)))
    context = granted(file)
    assert context is not None
    assert context.flags == SMB2_LEASE_FLAG_BREAK_IN_PROGRESS
    assert await acknowledged(one, tree, RH) == 0
    assert granted(two.opened(other_tree, await two.final(message_id))) == LeaseV2(KEY, RH, epoch=1)


async def test_a_break_that_nobody_waits_for(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    await opened(one, lease(one, tree, Lease(KEY, R)))
    file = await two.create(other_tree, "file")
    await two.write(file, b"data")
    assert await notified(one) == LeaseBreakNotification(lease_key=KEY, current_lease_state=R)


async def test_a_lease_is_told_to_the_oldest_connection_of_its_client(leasing) -> None:
    guid = b"one, the holder."
    first, _ = await leasing.with_tree(guid=guid)
    second, tree = await leasing.with_tree(guid=guid)
    stranger, _ = await leasing.with_tree(guid=guid, user="bob")
    other, other_tree = await leasing.with_tree()
    await opened(second, lease(second, tree, LeaseV2(KEY, RWH)))
    message_id = await pending(other, other.create_call(other_tree, "file"))
    assert (await notified(first)).new_lease_state == RH
    # It has gone before it could answer.
    first.close()
    assert (await notified(second)).new_lease_state == RH
    assert await acknowledged(second, tree, RH) == 0
    assert (await other.final(message_id)).status == 0
    assert stranger._inbox == []


async def test_a_lost_connection_ends_the_waiting(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    await opened(one, oplock(one, tree, BATCH))
    message_id = await pending(two, oplock(two, other_tree, BATCH))
    one.close()
    with trio.fail_after(5):
        assert (await two.final(message_id)).parse(CreateResponse).oplock_level == BATCH


async def test_an_open_that_waits_is_cancelled(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    await opened(one, lease(one, tree, LeaseV2(KEY, RWH)))
    (message_id,) = await two.send(two.create_call(other_tree, "file", disposition=FILE_OVERWRITE_IF))
    interim = await two.next(message_id)
    await two.send(Call(Opcode.CANCEL, CancelRequest(), message_id=message_id, async_id=interim.header.async_id))
    assert (await two.final(message_id)).status == STATUS_CANCELLED
    assert (await notified(one)).new_lease_state == 0


async def test_nothing_is_opened_in_a_tree_that_has_gone_while_it_waited(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    await opened(one, lease(one, tree, LeaseV2(KEY, RWH)))
    message_id = await pending(two, two.create_call(other_tree, "file"))
    await two.disconnect(other_tree)
    assert await acknowledged(one, tree, RH) == 0
    assert (await two.final(message_id)).status == STATUS_NETWORK_NAME_DELETED


async def test_many_waiting_opens_do_not_delay_another(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    await opened(one, lease(one, tree, LeaseV2(KEY, RWH)))
    waiting = [await pending(two, two.create_call(other_tree, "file")) for _ in range(50)]
    assert (await notified(one)).new_lease_state == RH
    with trio.fail_after(1):
        await two.create(other_tree, "unrelated")
    assert await acknowledged(one, tree, RH) == 0
    for message_id in waiting:
        assert (await two.final(message_id)).status == 0


async def test_a_listing_that_is_cached(leasing) -> None:
    """The client's own changes do not end it if it says which lease it has; others' do."""
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    call = lease(one, tree, LeaseV2(PARENT_KEY, RH), "directory", options=FILE_DIRECTORY_FILE)
    await opened(one, call)
    context = LeaseV2(KEY, RWH, SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET, parent_lease_key=PARENT_KEY)
    await opened(one, lease(one, tree, context, "directory\\own"))
    await two.create(other_tree, "directory\\other's")
    notification = await notified(one)
    assert (notification.lease_key, notification.new_lease_state, notification.new_epoch) == (PARENT_KEY, 0, 2)
