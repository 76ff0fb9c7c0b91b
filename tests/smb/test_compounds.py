"""Compounds: what elements take over, how errors spread, and how they are answered."""

import pytest

from gateway.nt.constants import FILE_OPEN, FILE_STANDARD_INFORMATION
from gateway.nt.status import (
    STATUS_END_OF_FILE,
    STATUS_FILE_CLOSED,
    STATUS_INVALID_PARAMETER,
    STATUS_NETWORK_NAME_DELETED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption
from gateway.wire.create import CreateResponse
from gateway.wire.echo import EchoRequest
from gateway.wire.header import SMB2_FLAGS_RELATED_OPERATIONS, Opcode
from gateway.wire.query_info import QueryInfoResponse
from gateway.wire.read import ReadResponse
from tests.smb.client import ANY_FILE, RELATED, Call, File
from vfs_backends.faults import Fault

ANY_TREE = 0xFFFFFFFF
SAME = File(ANY_TREE, ANY_FILE)


def statuses(responses) -> list[int]:
    return [one.status for one in responses]


async def test_related(any_server) -> None:
    """Session, tree and file are taken over; all is answered in one frame, aligned, in order."""
    client, tree = await any_server.with_tree()
    calls = [
        client.create_call(tree, "file"),
        client.write_call(SAME, b"content", flags=RELATED),
        client.read_call(SAME, 100, flags=RELATED),
        client.related_close(),
    ]
    responses = await client.ask(*calls)
    assert statuses(responses) == [0] * 4
    assert bytes(responses[2].parse(ReadResponse).data) == b"content"
    assert [bool(one.header.flags & SMB2_FLAGS_RELATED_OPERATIONS) for one in responses] == [False, True, True, True]
    assert {one.header.session_id for one in responses} == {client.session.session_id}
    assert {one.header.tree_id for one in responses} == {tree}


async def test_answered_in_one_frame(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    responses = await client.ask(
        client.read_call(file, 1),
        client.query_info_call(file, 4),
        client.close_call(file),
        Call(Opcode.ECHO, EchoRequest()),
    )
    assert statuses(responses) == [STATUS_END_OF_FILE, 0, 0, 0]
    assert len({one.frame for one in responses}) == 1
    assert all(one.signed for one in responses)


async def test_related_elements_name_the_file_of_the_one_before(server) -> None:
    """Not only a CREATE's: whichever file was named last."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    responses = await client.ask(
        client.write_call(file, b"content"),
        client.read_call(SAME, 7, flags=RELATED),
        client.related_close(),
    )
    assert statuses(responses) == [0, 0, 0]


async def test_related_elements_may_name_their_own_file(server) -> None:
    client, tree = await server.with_tree()
    one, two = await client.create(tree, "one"), await client.create(tree, "two")
    responses = await client.ask(
        client.write_call(one, b"content"),
        client.read_call(File(ANY_TREE, two.file_id), 7, flags=RELATED),
        client.read_call(SAME, 7, flags=RELATED),
    )
    assert statuses(responses) == [0, STATUS_END_OF_FILE, STATUS_END_OF_FILE]


def sizes(responses) -> list[int]:
    """What FileStandardInformation says of the end of the file."""
    return [int.from_bytes(one.parse(QueryInfoResponse).output[8:16], "little") for one in responses]


async def test_what_is_asked_behind_a_create_is_as_it_is_then(any_server) -> None:
    client, tree = await any_server.with_tree()

    def asks():
        return client.query_info_call(SAME, FILE_STANDARD_INFORMATION, flags=RELATED)

    made = await client.ask(
        client.create_call(tree, "file"),
        client.write_call(SAME, b"content", flags=RELATED),
        asks(),
        client.related_close(),
    )
    found = await client.ask(
        client.create_call(tree, "file"),
        asks(),
        client.write_call(SAME, b"more content", flags=RELATED),
        asks(),
        client.related_close(),
    )
    assert statuses([*made, *found]) == [0] * 9
    assert sizes([made[2], found[1], found[3]]) == [7, 7, 12]


async def test_who_asks_behind_a_create_may_mean_another_file(any_server) -> None:
    client, tree = await any_server.with_tree()
    other = await client.create(tree, "other")
    await client.ask(client.write_call(other, b"content"))
    asks = client.query_info_call(other, FILE_STANDARD_INFORMATION)
    responses = await client.ask(client.create_call(tree, "file"), asks)
    assert statuses(responses) == [0, 0]
    assert sizes(responses[1:]) == [7]


async def test_unrelated(server) -> None:
    """One that fails does not concern the others."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    responses = await client.ask(
        client.create_call(tree, "none", disposition=FILE_OPEN),
        client.write_call(file, b"content"),
        client.read_call(File(tree, (1, 2)), 7),
        client.read_call(file, 7),
    )
    assert statuses(responses) == [STATUS_OBJECT_NAME_NOT_FOUND, 0, STATUS_FILE_CLOSED, 0]


async def test_a_create_that_fails_fails_what_is_related(server) -> None:
    client, tree = await server.with_tree()
    responses = await client.ask(
        client.create_call(tree, "none", disposition=FILE_OPEN),
        client.query_info_call(SAME, 4, flags=RELATED),
        client.related_close(),
    )
    assert statuses(responses) == [STATUS_OBJECT_NAME_NOT_FOUND] * 3
    assert all(one.signed for one in responses)


async def test_an_element_that_fails_does_not_close_the_file(server) -> None:
    client, tree = await server.with_tree()
    responses = await client.ask(
        client.create_call(tree, "file"),
        client.read_call(SAME, 1, flags=RELATED),
        client.write_call(SAME, b"content", flags=RELATED),
        client.related_close(),
    )
    assert statuses(responses) == [0, STATUS_END_OF_FILE, 0, 0]


async def test_nothing_is_related_to_a_file_that_was_not_named(server) -> None:
    client, tree = await server.with_tree()
    responses = await client.ask(
        client.ioctl_call(tree, 0x00060194, bytes(8)), client.read_call(SAME, 1, flags=RELATED)
    )
    assert responses[1].status == STATUS_FILE_CLOSED


async def test_the_first_element_is_related_to_nothing(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    responses = await client.ask(client.read_call(file, 1, flags=RELATED, session=client.session))
    assert statuses(responses) == [STATUS_INVALID_PARAMETER]
    await client.write(file, b"x")


async def test_unknown_sessions_and_trees(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    responses = await client.ask(
        client.read_call(File(tree + 7, file.file_id), 1),
        client.read_call(file, 1, session=client.session.session_id ^ 1),
        client.read_call(SAME, 1, flags=RELATED),
        client.close_call(file),
    )
    assert statuses(responses) == [
        STATUS_NETWORK_NAME_DELETED,
        STATUS_USER_SESSION_DELETED,
        STATUS_INVALID_PARAMETER,
        0,
    ]


async def test_sealed_compounds_are_answered_by_one_transform(make_server) -> None:
    server = await make_server(encryption=Encryption(required=True))
    client, tree = await server.with_tree()
    responses = await client.ask(
        client.create_call(tree, "file"),
        client.write_call(SAME, b"content", flags=RELATED),
        client.related_close(),
    )
    assert statuses(responses) == [0, 0, 0]
    assert {one.frame for one in responses} == {responses[0].frame}
    assert all(one.sealed and not one.signed for one in responses)


async def test_too_many_elements_end_the_connection(make_server) -> None:
    server = await make_server(limits=Limits(max_compound_elements=3))
    client = await server.logged_on()
    echoes = [Call(Opcode.ECHO, EchoRequest()) for _ in range(4)]
    assert statuses(await client.ask(*echoes[:3])) == [0, 0, 0]
    await client.send(*[Call(Opcode.ECHO, EchoRequest()) for _ in range(4)])
    assert await client.ended()


async def test_what_waits_lets_the_finished_go_ahead(server, autojump_clock) -> None:
    """Answers that are there are sent with the interim of the element that waits; its own comes by itself."""
    server.files.faults.append(Fault("flush", delay=0.1))
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    ids = await client.send(
        client.write_call(file, b"content"),
        client.flush_call(SAME, flags=RELATED),
        client.read_call(SAME, 7, flags=RELATED),
        client.close_call(file),
    )
    first = [await client.next(ids[0]), await client.next(ids[1])]
    assert statuses(first) == [0, 0x103]
    assert first[0].frame == first[1].frame
    rest = [await client.next(one) for one in ids[1:]]
    assert statuses(rest) == [0, 0, 0]
    assert rest[0].header.async_id == first[1].header.async_id
    assert {one.frame for one in rest} == {rest[0].frame}


async def test_a_file_that_is_opened_in_a_task(make_server) -> None:
    """The whole chain, with a storage that makes every element wait."""
    server = await make_server()
    server.files.faults.append(Fault("*", delay=0.001))
    client, tree = await server.with_tree()
    responses = await client.ask(
        client.create_call(tree, "file"),
        client.write_call(SAME, b"content", flags=RELATED),
        client.read_call(SAME, 100, flags=RELATED),
        client.related_close(),
    )
    assert statuses(responses) == [0, 0, 0, 0]
    assert bytes(responses[2].parse(ReadResponse).data) == b"content"
    assert responses[0].parse(CreateResponse).volatile_file_id


async def test_credits_of_a_compound_add_up(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    responses = await client.ask(
        client.write_call(file, b"abc", credits=3),
        client.read_call(file, 3, credits=5),
        client.close_call(file, credits=2),
    )
    assert [one.header.credits for one in responses] == [3, 5, 2]


@pytest.mark.parametrize("where", [0, 1])
async def test_a_wrong_signature_concerns_its_element_alone(server, where) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    calls = [client.write_call(file, b"content"), client.read_call(file, 7)]
    frame = client.frame(*calls)
    start = int.from_bytes(frame[20:24], "little") * where
    frame[start + 50] ^= 1
    ids = [call.message_id for call in calls]
    client.expects_unsigned(ids[where])
    await client.send_frame(frame)
    found = statuses([await client.final(one) for one in ids])
    assert found[where] == 0xC0000022
    assert found[1 - where] == (0 if where else STATUS_END_OF_FILE)
