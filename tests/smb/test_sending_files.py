"""Large reads that are sent from where the storage keeps the file, and those that may not be."""

import os

import pytest

from gateway.nt.status import STATUS_END_OF_FILE, STATUS_FILE_LOCK_CONFLICT
from gateway.share.settings import ShareSettings
from gateway.smb.service import Encryption
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.read import ReadResponse
from tests.requirements import Need, needs, skip_unless
from tests.smb.client import EXCLUSIVE, NOW, RELATED, Client, File
from tests.smb.server import Exported, Server
from vfs_backends.extent import Extent
from vfs_backends.posix.extents import is_cached
from vfs_backends.stack import StackedHandle

pytestmark = needs(Need.LINUX)

READ_ACCESS = 0x00120089
SIZE = 300_000
CONTENT = os.urandom(SIZE)


@pytest.fixture
def lent(monkeypatch, tmp_path) -> list[Extent]:
    """The parts of files that the storage has lent; the wrapper around it, which is for faults, is passed by."""
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        skip_unless(is_cached(file.fileno(), 0, SIZE), Need.CACHESTAT)
    found: list[Extent] = []

    def extent(self: StackedHandle, offset: int, size: int) -> Extent | None:
        one = self.below.extent(offset, size)
        if one is not None:
            found.append(one)
        return one

    monkeypatch.setattr(StackedHandle, "extent", extent)
    return found


async def opened(server: Server, *, signs: bool = False) -> tuple[Client, File]:
    client, tree = await server.with_tree()
    assert client.session is not None
    client.session.signs = signs
    await client.call(Opcode.ECHO, EchoRequest(), credits=500)
    return client, await client.create(tree, "file", access=READ_ACCESS)


@pytest.fixture
async def plain(make_server, tmp_path, lent) -> tuple[Client, File]:
    """A client that does not sign."""
    return await opened(await make_server(Exported(path=tmp_path), signing_required=False))


@pytest.mark.parametrize(("offset", "length", "is_sent"), [(0, SIZE, 1), (1, 200_000, 1), (0, 65536, 0), (1, SIZE, 0)])
async def test_what_is_sent(plain, lent, offset, length, is_sent) -> None:
    """Large parts that are all there."""
    client, file = plain
    assert await client.read(file, length, offset) == CONTENT[offset : offset + length]
    assert len(lent) == is_sent
    assert all(one.left == 0 for one in lent)
    response = await client.call(**vars(client.read_call(file, SIZE, SIZE)))
    assert response.status == STATUS_END_OF_FILE
    await client.close_file(file)


async def test_several_and_a_close_behind_them(plain, lent) -> None:
    """More than the sockets hold; what is sent is the file's although its handle is closed already."""
    client, file = plain
    ids = []
    for offset in range(0, 100_000, 10_000):
        ids += await client.send(client.read_call(file, 200_000, offset))
    ids += await client.send(client.close_call(file))
    for number, message_id in enumerate(ids[:-1]):
        response = await client.final(message_id)
        assert bytes(response.parse(ReadResponse).data) == CONTENT[number * 10_000 :][:200_000]
    assert (await client.final(ids[-1])).status == 0
    assert len(lent) == 10


@pytest.mark.parametrize("way", ["signed", "sealed", "switched off", "compound", "locked"])
async def test_what_is_copied(make_server, tmp_path, lent, way) -> None:
    one = Exported(path=tmp_path, settings=ShareSettings(use_sendfile=way != "switched off"))
    server = await make_server(one, signing_required=False, encryption=Encryption(required=way == "sealed"))
    client, file = await opened(server, signs=way == "signed")
    if way == "locked":
        other, same = await opened(server)
        await other.well(**vars(other.lock_call(same, (SIZE - 10, 5, EXCLUSIVE | NOW))))
        response = await client.call(**vars(client.read_call(file, SIZE)))
        assert response.status == STATUS_FILE_LOCK_CONFLICT
    if way == "compound":
        calls = client.read_call(file, 200_000), client.read_call(file, 200_000, 5, flags=RELATED)
        replies = [bytes(reply.parse(ReadResponse).data) for reply in await client.ask(*calls)]
        assert replies == [CONTENT[:200_000], CONTENT[5:200_005]]
    else:
        assert await client.read(file, 200_000) == CONTENT[:200_000]
    assert not lent


async def test_a_client_that_goes(make_server, tmp_path, lent) -> None:
    """Nothing is left of what it has not taken; `make_server` counts the descriptors."""
    server = await make_server(Exported(path=tmp_path), signing_required=False)
    client, file = await opened(server)
    for _ in range(8):
        await client.send(client.read_call(file, SIZE))
    await client.responses()
    await server.lose(client)
    assert lent
    assert lent[-1].left  # it was not all sent
