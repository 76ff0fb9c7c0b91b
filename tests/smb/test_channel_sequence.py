"""Requests that were sent before their client lost a channel, and those that are sent again after it."""

import pytest

from gateway.nt.constants import FSCTL_CREATE_OR_GET_OBJECT_ID
from gateway.nt.status import STATUS_CANCELLED, STATUS_FILE_NOT_AVAILABLE, STATUS_PENDING
from gateway.wire.header import SMB2_FLAGS_REPLAY_OPERATION as REPLAY
from tests.smb.client import EXCLUSIVE, NOW, Call, Client, File


async def status(client: Client, call: Call) -> int:
    return (await client.ask(call))[0].status


async def writes(client: Client, file: File, sequence: int, flags: int = 0) -> int:
    return await status(client, client.write_call(file, b"x", sequence=sequence, flags=flags))


async def reads(client: Client, file: File, sequence: int, flags: int = 0) -> int:
    return await status(client, client.read_call(file, 1, sequence=sequence, flags=flags))


async def test_what_comes_late_changes_nothing(server) -> None:
    client, tree = await server.with_tree()
    file = await client.create(tree, "file")
    assert await writes(client, file, 0) == 0
    assert await writes(client, file, 1) == 0
    for late in (
        client.write_call(file, b"late"),
        client.ioctl_call(tree, FSCTL_CREATE_OR_GET_OBJECT_ID, file=file),
        client.set_info_call(file, 20, bytes(8)),
    ):
        assert await status(client, late) == STATUS_FILE_NOT_AVAILABLE
    assert await reads(client, file, 0) == 0
    assert await client.read(file, 5) == b"x"
    assert await writes(client, file, 1) == 0


@pytest.mark.parametrize(
    ("known", "new", "late"),
    [(0, 0x7FFF, False), (0, 0x8000, True), (0xFFFF, 0, False), (0xFFFF, 0x7FFE, False), (0xFFFF, 0x7FFF, True)],
)
async def test_numbers_begin_anew_after_the_last(server, known, new, late) -> None:
    """They count from that of the CREATE."""
    client, tree = await server.with_tree()
    file = await client.create(tree, "file", sequence=known)
    assert await writes(client, file, new) == (STATUS_FILE_NOT_AVAILABLE if late else 0)
    assert await writes(client, file, known) == (0 if late else STATUS_FILE_NOT_AVAILABLE)


async def test_dialects_without_channels_have_no_sequence(server) -> None:
    client, tree = await server.with_tree(dialects=(0x0210,))
    file = await client.create(tree, "file", sequence=7)
    for sequence in (5, 0xFFFF, 0):
        assert await writes(client, file, sequence) == 0


async def test_nothing_is_done_again_while_it_goes_on(server) -> None:
    """A request waits; what was sent with it, or after it, may be sent again only when it has come to its end."""
    client, tree = await server.with_tree()
    file, other = await client.create(tree, "file"), await client.create(tree, "file")
    assert await status(client, client.lock_call(other, (0, 1, EXCLUSIVE | NOW))) == 0
    (waiting,) = await client.send(client.lock_call(file, (0, 1, EXCLUSIVE)))
    assert (await client.next(waiting)).status == STATUS_PENDING
    assert await status(client, client.write_call(other, b"x", 5, sequence=1, flags=REPLAY)) == 0
    assert await writes_beside(client, file, 0, REPLAY) == 0
    assert await writes_beside(client, file, 1, REPLAY) == STATUS_FILE_NOT_AVAILABLE
    assert await writes_beside(client, file, 1) == 0
    assert await writes_beside(client, file, 1, REPLAY) == STATUS_FILE_NOT_AVAILABLE
    assert await writes_beside(client, file, 2) == 0
    assert await writes_beside(client, file, 3, REPLAY) == STATUS_FILE_NOT_AVAILABLE
    assert await status(client, client.read_call(file, 1, 5, sequence=3, flags=REPLAY)) == 0
    await client.cancel(waiting)
    assert (await client.final(waiting)).status == STATUS_CANCELLED
    assert await writes_beside(client, file, 3, REPLAY) == 0


async def writes_beside(client: Client, file: File, sequence: int, flags: int = 0) -> int:
    """Writes what is not locked."""
    return await status(client, client.write_call(file, b"x", 5, sequence=sequence, flags=flags))


async def test_elements_of_a_compound(server) -> None:
    """Each has a number of its own; a CREATE sets it for those behind it."""
    client, tree = await server.with_tree()
    create = client.create_call(tree, "file", sequence=3)
    related = [client.write_call(File(tree, (2**64 - 1,) * 2), b"x", sequence=one, flags=4) for one in (3, 2, 4)]
    answers = await client.ask(create, *related)
    assert [one.status for one in answers] == [0, 0, STATUS_FILE_NOT_AVAILABLE, 0]
