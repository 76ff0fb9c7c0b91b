"""What is signed and sealed, and what has to be."""

import pytest

from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
)
from gateway.smb.service import Encryption
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.session_setup import (
    SMB2_SESSION_FLAG_ENCRYPT_DATA,
)
from gateway.wire.tree_connect import (
    SMB2_SHAREFLAG_ENCRYPT_DATA,
)
from tests.smb.client import Call, ConnectionEnded, Refused
from tests.smb.logging_on import DIALECTS, refusal
from tests.smb.server import Exported


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
