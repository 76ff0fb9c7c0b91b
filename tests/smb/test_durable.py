"""Durable opens on the wire: who gets one, who gets it back, and what ends it."""

import os

import pytest
import trio

from gateway.auth.policy import AuthPolicy, MapToGuest
from gateway.nt.constants import FILE_CREATED, FILE_DELETE_ON_CLOSE, FILE_DIRECTORY_FILE, FILE_OPEN
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_LOCK_CONFLICT,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_RANGE_NOT_LOCKED,
    STATUS_TOO_MANY_OPENED_FILES,
)
from gateway.share.settings import ShareSettings
from gateway.smb.limits import Limits
from gateway.wire.create_contexts import (
    SMB2_CREATE_DURABLE_HANDLE_RECONNECT,
    SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2,
    SMB2_CREATE_DURABLE_HANDLE_REQUEST,
    SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2,
    SMB2_CREATE_REQUEST_LEASE,
)
from gateway.wire.durable_contexts import (
    DurableHandleReconnect,
    DurableHandleReconnectV2,
    DurableHandleRequest,
    DurableHandleRequestV2,
    DurableHandleResponseV2,
)
from gateway.wire.header import Opcode
from gateway.wire.lease_contexts import Lease, LeaseV2, parse_lease
from gateway.wire.logoff import LogoffRequest
from gateway.wire.oplock_break import LeaseBreakNotification, OplockBreakAcknowledgment, OplockBreakNotification
from tests.smb.client import ANY, EXCLUSIVE, NOW, SHARE_ALL, UNLOCK, Call, Client, File
from tests.smb.server import Exported
from tests.smb.test_leases import BATCH, KEY, LEASE, LEVEL_II, NONE, OTHER_KEY, RH, RW, RWH, R
from tests.smb.test_leases import EXCLUSIVE as EXCLUSIVE_OPLOCK
from vfs_backends.errors import Kind
from vfs_backends.faults import Fault

GUID, OTHER_GUID = b"create guid, one", b"create guid, two"
V1 = (SMB2_CREATE_DURABLE_HANDLE_REQUEST, DurableHandleRequest().pack())
V2 = (SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, DurableHandleRequestV2(create_guid=GUID).pack())


def asking(client: Client, tree: int, level: int = BATCH, *contexts, path: str = "file", **how) -> Call:
    call = client.create_call(tree, path, contexts=contexts or (V1,), **how)
    call.body.requested_oplock_level = level
    return call


def leased(state: int = RWH, key: bytes = KEY) -> tuple[bytes, bytes]:
    return SMB2_CREATE_REQUEST_LEASE, LeaseV2(key, state).pack()


def claiming(client: Client, tree: int, file: File, *contexts, guid: bytes | None = None, path: str = "file") -> Call:
    if guid is None:
        claim = SMB2_CREATE_DURABLE_HANDLE_RECONNECT, DurableHandleReconnect(*file.file_id).pack()
    else:
        claim = SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2, DurableHandleReconnectV2(*file.file_id, guid).pack()
    return client.create_call(tree, path, contexts=(claim, *contexts))


async def opened(client: Client, call: Call) -> File:
    (response,) = await client.ask(call)
    assert response.status == 0, hex(response.status)
    return client.opened(call.tree, response)


def told(file: File) -> dict[bytes, bytes]:
    return {context.name: bytes(context.data) for context in file.response.contexts}


async def refused(client: Client, call: Call) -> int:
    (response,) = await client.ask(call)
    return response.status


async def test_who_gets_one(leasing) -> None:
    client, tree = await leasing.with_tree()
    for level, contexts, expected in [
        (NONE, [V1], False),
        (LEVEL_II, [V1], False),
        (EXCLUSIVE_OPLOCK, [V1], False),
        (BATCH, [V1], True),
        (LEASE, [V1, leased(R)], False),
        (LEASE, [V1, leased(RW)], False),
        (LEASE, [V1, leased(RH)], True),
        (LEASE, [V2, leased(RWH)], True),
    ]:
        file = await opened(client, asking(client, tree, level, *contexts))
        assert bool(told(file).keys() & {V1[0], V2[0]}) is expected, (level, contexts)
        await client.close_file(file)


async def test_not_where_it_is_switched_off_and_not_for_directories(leasing) -> None:
    client, tree = await leasing.with_tree()
    call = asking(client, tree, LEASE, V2, leased(RH), path="directory", options=FILE_DIRECTORY_FILE)
    assert V2[0] not in told(await opened(client, call))
    leasing.service.exports.get("files").durable_handles = False
    assert V1[0] not in told(await opened(client, asking(client, tree)))


async def test_guests_get_none(make_server) -> None:
    auth = AuthPolicy("FILES", map_to_guest=MapToGuest.BAD_USER)
    server = await make_server(Exported(guest_ok=True), auth=auth, signing_required=False)
    client = await server.negotiated()
    await client.log_on("stranger", "")
    file = await opened(client, asking(client, await client.connect("files"), access=0x80))
    assert file.response.oplock_level == BATCH
    assert V1[0] not in told(file)


@pytest.mark.parametrize(
    ("asked", "limit", "given"), [(0, 300, 60_000), (5000, 300, 5000), (2**32 - 1, 300, 300_000), (0, 10, 10_000)]
)
async def test_for_how_long(make_server, asked, limit, given) -> None:
    server = await make_server(limits=Limits(durable_seconds=limit))
    client, tree = await server.with_tree()
    request = DurableHandleRequestV2(timeout=asked, flags=2, create_guid=GUID).pack()
    file = await opened(client, asking(client, tree, BATCH, (V2[0], request)))
    assert DurableHandleResponseV2.unpack_from(told(file)[V2[0]]) == DurableHandleResponseV2(given, 0)


@pytest.mark.parametrize("guid", [None, GUID])
async def test_everything_is_still_there(any_server, guid) -> None:
    one, tree = await any_server.with_tree()
    other, other_tree = await any_server.with_tree(guid=b"another client's")
    file = await opened(one, asking(one, tree, BATCH, V1 if guid is None else V2))
    await one.write(file, b"data")
    assert (await one.ask(one.lock_call(file, (0, 2, EXCLUSIVE | NOW))))[0].status == 0
    await any_server.lose(one)
    one, tree = await any_server.with_tree()
    back = await opened(one, claiming(one, tree, file, guid=guid, path="whatever"))
    assert (back.response.oplock_level, back.response.create_action, back.response.end_of_file) == (BATCH, 1, 4)
    assert back.file_id[0] == file.file_id[0]
    assert told(back) == {}
    assert await one.read(back, 10) == b"data"
    again, again_tree = await any_server.with_tree()
    with trio.fail_after(5):
        ids = await other.send(other.create_call(other_tree, "file", access=0x80 | 1))
        assert (await one.next(ANY)).parse(OplockBreakNotification).oplock_level == LEVEL_II
        acknowledgment = OplockBreakAcknowledgment(24, LEVEL_II, 0, 0, *back.file_id)
        await one.well(Opcode.OPLOCK_BREAK, acknowledgment, tree)
        second = other.opened(other_tree, await other.final(ids[0]))
    assert (await other.ask(other.read_call(second, 4)))[0].status == STATUS_FILE_LOCK_CONFLICT
    assert (await one.ask(one.lock_call(back, (0, 2, UNLOCK))))[0].status == 0
    assert await other.read(second, 4) == b"data"
    assert await refused(again, claiming(again, again_tree, file, guid=guid)) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_a_lease_is_still_there(leasing) -> None:
    one, tree = await leasing.with_tree()
    file = await opened(one, asking(one, tree, LEASE, V2, leased()))
    await leasing.lose(one)
    one, tree = await leasing.with_tree()
    stranger, strange_tree = await leasing.with_tree(guid=b"another client's")
    bob, bobs_tree = await leasing.with_tree(user="bob")
    carol, carols_tree = await leasing.with_tree(user="carol")
    for client, call, status in [
        (one, claiming(one, tree, file, guid=GUID), STATUS_OBJECT_NAME_NOT_FOUND),
        (one, claiming(one, tree, file, leased(key=OTHER_KEY), guid=GUID), STATUS_OBJECT_NAME_NOT_FOUND),
        (one, claiming(one, tree, file, leased(), guid=OTHER_GUID), STATUS_OBJECT_NAME_NOT_FOUND),
        (one, claiming(one, tree, file, leased(), guid=GUID, path="other"), STATUS_INVALID_PARAMETER),
        (stranger, claiming(stranger, strange_tree, file, leased(), guid=GUID), STATUS_OBJECT_NAME_NOT_FOUND),
        (bob, claiming(bob, bobs_tree, file, leased(), guid=GUID), STATUS_ACCESS_DENIED),
        (carol, claiming(carol, carols_tree, file, leased(), guid=GUID), STATUS_ACCESS_DENIED),
    ]:
        assert await refused(client, call) == status
    back = await opened(one, claiming(one, tree, file, leased(0), guid=GUID))
    assert parse_lease(told(back)[SMB2_CREATE_REQUEST_LEASE]) == LeaseV2(KEY, RWH, epoch=1)
    await stranger.send(stranger.create_call(strange_tree, "file"))
    with trio.fail_after(5):
        assert (await one.next(ANY)).parse(LeaseBreakNotification).new_lease_state == RH


async def test_a_name_that_was_changed_by_the_open_itself(leasing) -> None:
    one, tree = await leasing.with_tree()
    file = await opened(one, asking(one, tree, LEASE, V2, leased()))
    new = "renamed".encode("utf-16-le")
    name = bytes(16) + len(new).to_bytes(4, "little") + new
    assert (await one.ask(one.set_info_call(file, 10, name)))[0].status == 0
    await leasing.lose(one)
    one, tree = await leasing.with_tree()
    await opened(one, claiming(one, tree, file, leased(), guid=GUID, path="RENAMED"))


@pytest.mark.parametrize("how", ["tree", "close", "log off", "log on"])
async def test_other_ends(server, how) -> None:
    """A client that closes the file, or leaves the share, does not come back; one that logs off may."""
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree))
    two, other_tree = await server.with_tree()
    assert await refused(two, claiming(two, other_tree, file)) == STATUS_OBJECT_NAME_NOT_FOUND
    if how == "tree":
        await one.disconnect(tree)
    elif how == "close":
        await one.close_file(file)
    elif how == "log off":
        await one.well(Opcode.LOGOFF, LogoffRequest())
    else:
        third = await server.negotiated()
        await third.log_on("alice", "Secret-1", previous=one.session.session_id)
    status = await refused(two, claiming(two, other_tree, file))
    assert status == (0 if how.startswith("log") else STATUS_OBJECT_NAME_NOT_FOUND)


async def test_its_time_is_over(make_server) -> None:
    server = await make_server(limits=Limits(durable_seconds=0.05))
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree, share=0))
    await server.lose(one)
    one, tree = await server.with_tree()
    with trio.fail_after(10):
        while server.files.share.disconnected:  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.01)
    assert await refused(one, claiming(one, tree, file)) == STATUS_OBJECT_NAME_NOT_FOUND
    assert server.service.opens == 0


async def test_what_others_need_they_get(leasing) -> None:
    """An open whose client is gone is in nobody's way, whatever it has: and then it does not come back."""
    for level, contexts, share in [
        (BATCH, [V1], SHARE_ALL),
        (LEASE, [V1, leased(RWH)], SHARE_ALL),
        (LEASE, [V1, leased(RH)], 0),
    ]:
        one, tree = await leasing.with_tree(guid=b"one, the holder.")
        two, other_tree = await leasing.with_tree(user="alice")
        file = await opened(one, asking(one, tree, level, *contexts, share=share))
        await leasing.lose(one)
        with trio.fail_after(5):
            got = await opened(two, asking(two, other_tree, BATCH, V1, disposition=FILE_OPEN))
        assert got.response.oplock_level == BATCH
        one, tree = await leasing.with_tree(guid=b"one, the holder.")
        call = claiming(one, tree, file, *contexts[1:])
        assert await refused(one, call) == STATUS_OBJECT_NAME_NOT_FOUND
        await two.close_file(got)


async def test_who_only_reads_may_stay_beside_it(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    two, other_tree = await leasing.with_tree()
    file = await opened(one, asking(one, tree, LEASE, V1, leased(RH)))
    await one.write(file, b"data")
    await leasing.lose(one)
    reader = await two.create(other_tree, "file")
    assert await two.read(reader, 4) == b"data"
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    file = await opened(one, claiming(one, tree, file, leased()))
    await leasing.lose(one)
    await two.write(reader, b"Data")
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    assert await refused(one, claiming(one, tree, file, leased())) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_its_own_client_needs_it(leasing) -> None:
    """A client that opens the file anew, with the same lease, is not stopped by what it has lost."""
    one, tree = await leasing.with_tree()
    file = await opened(one, asking(one, tree, LEASE, V2, leased(), share=0))
    await leasing.lose(one)
    one, tree = await leasing.with_tree()
    with trio.fail_after(5):
        await opened(one, asking(one, tree, LEASE, V2, leased()))
    assert await refused(one, claiming(one, tree, file, leased(), guid=GUID)) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_deleted_on_close(server) -> None:
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree, options=FILE_DELETE_ON_CLOSE))
    await server.lose(one)
    one, tree = await server.with_tree()
    file = await opened(one, claiming(one, tree, file))
    await server.lose(one)
    one, tree = await server.with_tree()
    with trio.fail_after(5):
        assert (await one.create(tree, "file", share=0)).response.create_action == FILE_CREATED


@pytest.mark.parametrize(("most", "most_of_one", "kept"), [(3, 9, 3), (9, 2, 2), (9, 9, 4), (0, 9, 0)])
async def test_how_many_there_may_be(server, most, most_of_one, kept) -> None:
    disconnected = server.files.share.disconnected
    disconnected._most, disconnected._most_of_one = most, most_of_one
    one, tree = await server.with_tree()
    for number in range(4):
        await opened(one, asking(one, tree, path=f"file {number}"))
    await server.lose(one)
    assert (len(disconnected), server.service.opens, len(server.files.share.opens)) == (kept, kept, kept)


async def test_who_waits_makes_room(make_server) -> None:
    """An open whose client is gone does not keep others from opening files."""
    server = await make_server(limits=Limits(max_opens=3))
    one, tree = await server.with_tree()
    files = [await opened(one, asking(one, tree, path=f"file {number}")) for number in range(3)]
    await server.lose(one)
    one, tree = await server.with_tree()
    new = await one.create(tree, "new")
    assert server.service.opens == 3
    statuses = [await refused(one, claiming(one, tree, file)) for file in files]
    assert statuses == [STATUS_OBJECT_NAME_NOT_FOUND, 0, 0]
    assert await one.create_status(tree, "newer") == STATUS_TOO_MANY_OPENED_FILES
    await one.close_file(new)


@pytest.mark.parametrize("change", ["write", "append", "touch", "chmod", "remove", "nothing"])
async def test_a_local_program(make_server, tmp_path, change) -> None:
    server = await make_server(Exported(path=tmp_path, settings=ShareSettings(write_time_delay=2)))
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree))
    await one.write(file, b"data")
    await server.lose(one)
    path = tmp_path / "file"
    await trio.sleep(0.05)  # the file system's clock is no finer
    match change:
        case "write":
            os.pwrite(descriptor := os.open(path, os.O_WRONLY), b"Data", 0)
            os.close(descriptor)
        case "append":
            path.write_bytes(b"data and more")
        case "touch":
            os.utime(path)
        case "chmod":
            path.chmod(0o700)
        case "remove":
            path.unlink()
        case "nothing":
            assert path.read_bytes() == b"data"
    one, tree = await server.with_tree()
    status = await refused(one, claiming(one, tree, file))
    assert status == (0 if change == "nothing" else STATUS_OBJECT_NAME_NOT_FOUND)


async def test_contexts_that_are_none(server) -> None:
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree, BATCH, V2))
    claim = claiming(one, tree, file).body.contexts[0]
    claim2 = claiming(one, tree, file, guid=GUID).body.contexts[0]
    for contexts in [(V1, V2), (claim, claim2), (claim, V2), (claim2, V1), (claim2, V2)]:
        call = asking(one, tree, BATCH, *contexts, path="new")
        assert await refused(one, call) == STATUS_INVALID_PARAMETER
    for name, data in (V1, V2, claim, claim2):
        for wrong in (data[:-1], data + b"x"):
            call = asking(one, tree, BATCH, (name, wrong), path="new")
            assert await refused(one, call) == STATUS_INVALID_PARAMETER
    assert await one.create_status(tree, "new", disposition=FILE_OPEN) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_version_2_is_for_smb_3(server) -> None:
    one, tree = await server.with_tree(dialects=(0x0210,))
    file = await opened(one, asking(one, tree, BATCH, V2))
    assert told(file) == {}
    await one.close_file(file)
    assert (await opened(one, claiming(one, tree, file, guid=GUID))).file_id[0] != file.file_id[0]


@pytest.mark.parametrize("kind", ["oplock", "lease"])
async def test_smb_2_1(leasing, kind) -> None:
    """Which knows neither the second version of leases nor that of durable handles."""
    old = {"dialects": (0x0210,)}
    contexts = [(SMB2_CREATE_REQUEST_LEASE, Lease(KEY, RWH).pack())] if kind == "lease" else []
    one, tree = await leasing.with_tree(**old)
    file = await opened(one, asking(one, tree, LEASE if contexts else BATCH, V1, *contexts))
    await leasing.lose(one)
    one, tree = await leasing.with_tree(**old)
    back = await opened(one, claiming(one, tree, file, *contexts))
    assert back.response.oplock_level == (LEASE if contexts else BATCH)
    if contexts:
        assert parse_lease(told(back)[SMB2_CREATE_REQUEST_LEASE]) == Lease(KEY, RWH)


async def test_a_stream(any_server) -> None:
    one, tree = await any_server.with_tree()
    stream = await opened(one, asking(one, tree, path="file:stream"))
    await one.write(stream, b"data")
    await any_server.lose(one)
    one, tree = await any_server.with_tree()
    stream = await opened(one, claiming(one, tree, stream))
    assert stream.response.end_of_file == 4
    assert await one.read(stream, 10) == b"data"
    other = await one.create(tree, "file")
    await any_server.lose(one)
    one, tree = await any_server.with_tree()
    stream = await opened(one, claiming(one, tree, stream))
    await one.write(stream, b"more data")
    assert other.file_id != stream.file_id


async def test_in_another_share(make_server) -> None:
    server = await make_server(Exported(), Exported("other"))
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree))
    await server.lose(one)
    for share in ("other", "IPC$"):
        one, tree = await server.with_tree(share)
        assert await refused(one, claiming(one, tree, file)) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_a_request_that_still_goes_on(server) -> None:
    """A lock that was waited for when the connection broke is not held afterwards."""
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree))
    assert (await one.ask(one.lock_call(file, (0, 1, EXCLUSIVE | NOW))))[0].status == 0
    (waiting,) = await one.send(one.lock_call(file, (0, 1, EXCLUSIVE)))
    await one.next(waiting)
    await server.lose(one)
    one, tree = await server.with_tree()
    file = await opened(one, claiming(one, tree, file))
    for expected in (0, STATUS_RANGE_NOT_LOCKED):
        assert (await one.ask(one.lock_call(file, (0, 1, UNLOCK))))[0].status == expected


@pytest.mark.parametrize("when", ["keeping", "coming back"])
async def test_a_storage_that_fails(server, when) -> None:
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree))
    fault = Fault("stat", Kind.IO, times=1, skip=when == "coming back")
    server.files.faults.append(fault)
    await server.lose(one)
    one, tree = await server.with_tree()
    assert await refused(one, claiming(one, tree, file)) == STATUS_OBJECT_NAME_NOT_FOUND
    assert fault.calls >= 1 + (when == "coming back")


async def test_its_own_client_changes_the_file_meanwhile(make_server, tmp_path) -> None:
    """By another open with the same lease, which came back before, or was made anew."""
    server = await make_server(Exported(path=tmp_path), leases=True)
    one, tree = await server.with_tree()
    first = await opened(one, asking(one, tree, LEASE, V1, leased()))
    second = await opened(one, asking(one, tree, LEASE, V1, leased()))
    await server.lose(one)
    one, tree = await server.with_tree()
    second = await opened(one, claiming(one, tree, second, leased()))
    await one.write(second, b"data")
    third = await opened(one, asking(one, tree, LEASE, V2, leased()))
    await one.close_file(second)
    await one.write(third, b"more data")
    await server.lose(one)
    one, tree = await server.with_tree()
    third = await opened(one, claiming(one, tree, third, leased(), guid=GUID))
    await one.write(third, b"most data")
    first = await opened(one, claiming(one, tree, first, leased()))
    assert await one.read(first, 10) == b"most data"
    await server.lose(one)
    await trio.sleep(0.05)  # the file system's clock is no finer
    (tmp_path / "file").write_bytes(b"Others'")
    one, tree = await server.with_tree()
    for claim in (claiming(one, tree, first, leased()), claiming(one, tree, third, leased(), guid=GUID)):
        assert await refused(one, claim) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_what_others_have_changed_is_not_taken_for_its_own(make_server, tmp_path) -> None:
    """A client that opens the file anew, and changes it, after others did."""
    server = await make_server(Exported(path=tmp_path), leases=True)
    one, tree = await server.with_tree()
    file = await opened(one, asking(one, tree, LEASE, V1, leased()))
    await server.lose(one)
    await trio.sleep(0.05)  # the file system's clock is no finer
    (tmp_path / "file").write_bytes(b"others' data")
    one, tree = await server.with_tree()
    another = await opened(one, asking(one, tree, LEASE, V1, leased()))
    await one.write(another, b"own")
    assert await refused(one, claiming(one, tree, file, leased())) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_attributes_that_another_client_has_changed(leasing) -> None:
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    file = await opened(one, asking(one, tree, LEASE, V1, leased(RH)))
    await leasing.lose(one)
    other, other_tree = await leasing.with_tree()
    changer = await other.create(other_tree, "file", access=0x180)
    assert (await other.ask(other.set_info_call(changer, 4, bytes(32) + b"\x02" + bytes(7))))[0].status == 0
    one, tree = await leasing.with_tree(guid=b"one, the holder.")
    assert await refused(one, claiming(one, tree, file, leased())) == STATUS_OBJECT_NAME_NOT_FOUND


async def test_a_client_that_is_back_before_its_session_has_ended(make_server) -> None:
    server = await make_server()
    one, tree = await server.with_tree()
    files = [await opened(one, asking(one, tree, path=f"file {number}")) for number in range(5)]
    two, other_tree = await server.with_tree()
    session = server.service.sessions.get(one.session.session_id)
    server.files.faults.append(Fault("stat", delay=0.1))
    one.close()
    with trio.fail_after(5):
        while not session.closed:
            await trio.lowlevel.checkpoint()
    assert not any(absent.ready.is_set() for absent in server.files.share.disconnected)
    for file in files:
        await opened(two, claiming(two, other_tree, file))
