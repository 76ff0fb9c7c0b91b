"""NEGOTIATE on the wire: SMB1 and SMB2, every dialect, cipher and signing algorithm to a file and back."""

import pytest

from gateway.crypto.keys import AES128_CCM, AES128_GCM, AES256_CCM, AES256_GCM
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256
from gateway.nt.constants import FSCTL_VALIDATE_NEGOTIATE_INFO
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_USER_SESSION_DELETED,
)
from gateway.smb.service import Encryption
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from gateway.wire.ioctl import IoctlResponse
from gateway.wire.negotiate import NegotiateRequest, NegotiateResponse
from gateway.wire.smb1 import Smb1NegotiateRequest
from gateway.wire.tree_connect import TreeConnectRequest
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from tests.smb.client import Call, Client, Refused

ALL = (0x0202, 0x0210, 0x0300, 0x0302, 0x0311)
SEALED = {
    0x0300: (AES128_CCM,),
    0x0302: (AES128_CCM,),
    0x0311: (AES128_GCM, AES128_CCM, AES256_GCM, AES256_CCM),
}


async def use(client: Client) -> None:
    """Write and read, in a tree of its own."""
    tree = await client.connect()
    file = await client.create(tree, "file")
    data = bytes(range(256)) * 64
    assert await client.write(file, data, 5) == len(data)
    assert await client.read(file, 70_000 if client.dialect > 0x0202 else 65_536) == bytes(5) + data
    await client.close_file(file)
    await client.disconnect(tree)


@pytest.mark.parametrize("dialect", ALL)
async def test_each_dialect_signed(make_server, dialect) -> None:
    server = await make_server(min_dialect=0x0202)
    client = await server.logged_on(dialects=(dialect,))
    assert client.dialect == dialect
    await use(client)
    await client.log_off()


@pytest.mark.parametrize("dialect", ALL)
async def test_each_dialect_plain(make_server, dialect) -> None:
    server = await make_server(min_dialect=0x0202, signing_required=False)
    client = await server.logged_on(dialects=(dialect,), signs=False)
    if dialect == 0x0311:
        # The only thing that must be protected: it proves that nobody changed the NEGOTIATE.
        assert client.session is not None
        client.session.signs = True
        tree = await client.connect()
        client.session.signs = False
        file = await client.create(tree, "file")
        response = await client.call(**vars(client.write_call(file, b"abc")))
        assert not response.signed
    else:
        await use(client)


@pytest.mark.parametrize(("dialect", "cipher"), [(dialect, one) for dialect in SEALED for one in SEALED[dialect]])
async def test_each_cipher(make_server, dialect, cipher) -> None:
    server = await make_server(encryption=Encryption(required=True))
    client = await server.logged_on(dialects=(dialect,), ciphers=(cipher,))
    assert client.cipher == cipher
    assert client.session is not None
    assert client.session.seals
    await use(client)
    await client.log_off()


@pytest.mark.parametrize("algorithm", [HMAC_SHA256, AES_CMAC, AES_GMAC])
async def test_each_signing_algorithm(server, algorithm) -> None:
    client = await server.logged_on(algorithms=(algorithm,))
    assert client.signing == algorithm
    await use(client)


async def test_2_0_2_only_if_it_is_allowed(make_server) -> None:
    client = await (await make_server()).connect()
    with pytest.raises(Refused) as caught:
        await client.negotiate((0x0202,))
    assert caught.value.status == STATUS_NOT_SUPPORTED
    # The connection lives, and the client may think again.
    await client.negotiate((0x0202, 0x0210))
    assert client.dialect == 0x0210
    client = await (await make_server(min_dialect=0x0202)).connect()
    assert (await client.negotiate((0x0202,))).dialect_revision == 0x0202


async def test_sizes_at_2_0_2(make_server) -> None:
    """64 KiB in each direction."""
    server = await make_server(min_dialect=0x0202)
    client, tree = await server.with_tree(dialects=(0x0202,))
    answer = client.negotiated
    assert (answer.max_read_size, answer.max_write_size, answer.max_transact_size) == (65536,) * 3
    file = await client.create(tree, "file")
    assert await client.write(file, bytes(65536)) == 65536
    assert len(await client.read(file, 65536)) == 65536
    for call in (
        client.write_call(file, bytes(65537), charge=1),
        client.read_call(file, 65537, charge=1),
        client.query_info_call(file, 18, 65537),
        client.set_info_call(file, 4, bytes(65537)),
        client.list_call(await client.open_directory(tree), 65537),
        client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, bytes(24), 65537),
    ):
        assert (await client.call(**vars(call))).status == STATUS_INVALID_PARAMETER


async def test_sizes_from_2_1_on(server) -> None:
    for dialect in ALL[1:]:
        client = await server.connect()
        answer = await client.negotiate((dialect,))
        assert (answer.max_read_size, answer.max_write_size, answer.max_transact_size) == (8 << 20,) * 3


async def test_a_second_negotiate_ends_the_connection(server) -> None:
    client = await server.negotiated()
    await client.send(Call(Opcode.NEGOTIATE, client.request))
    assert await client.ended()


async def test_a_second_negotiate_behind_what_waits_ends_the_connection_alone(server) -> None:
    """In a compound, behind a request that goes on in a task."""
    other = await server.logged_on()
    client = await server.negotiated()
    await client.send(Call(Opcode.SESSION_SETUP, b"\x19\0" + bytes(22)), Call(Opcode.NEGOTIATE, client.request))
    assert await client.ended()
    await use(other)


async def test_nothing_before_negotiate(server) -> None:
    client = await server.connect()
    client.granted = 1
    response = await client.setup(b"NTLMSSP\0")
    assert response.status == STATUS_INVALID_PARAMETER
    response = await client.call(Opcode.TREE_CONNECT, TreeConnectRequest(path=r"\\server\files"))
    assert response.status == STATUS_USER_SESSION_DELETED


async def test_a_negotiate_without_dialects(server) -> None:
    client = await server.connect()
    response = await client.call(Opcode.NEGOTIATE, NegotiateRequest())
    assert response.status == STATUS_INVALID_PARAMETER
    await client.negotiate()


# --- SMB1


async def smb1(client: Client, *dialects: str) -> NegotiateResponse:
    """An SMB1 NEGOTIATE; what is answered to it in SMB2."""
    await client.send_frame(Smb1NegotiateRequest(dialects).to_bytes())
    (response,) = await client.responses()
    assert (response.status, response.header.message_id, response.header.credits) == (0, 0, 1)
    client.next_id = 1
    return response.parse(NegotiateResponse)


async def test_smb1_leads_to_smb2(server) -> None:
    client = await server.connect()
    answer = await smb1(client, "NT LM 0.12", "SMB 2.002", "SMB 2.???")
    assert answer.dialect_revision == 0x02FF
    await client.negotiate()
    assert client.dialect == 0x0311
    await client.log_on()
    await use(client)


async def test_smb1_leads_to_2_0_2(make_server) -> None:
    server = await make_server(min_dialect=0x0202)
    client = await server.connect()
    answer = await smb1(client, "NT LM 0.12", "SMB 2.002")
    assert (answer.dialect_revision, answer.max_read_size, answer.capabilities) == (0x0202, 65536, 0)
    client.dialect = 0x0202
    await client.log_on()
    await use(client)
    await client.send_frame(Smb1NegotiateRequest(("SMB 2.002",)).to_bytes())
    assert await client.ended()


@pytest.mark.parametrize(
    "message",
    [
        Smb1NegotiateRequest(("NT LM 0.12",)).to_bytes(),
        Smb1NegotiateRequest(("NT LM 0.12", "SMB 2.002")).to_bytes(),
        b"\xffSMB\x73" + bytes(60),
        b"\xffSMB",
    ],
    ids=["no SMB2", "2.0.2 only", "not a NEGOTIATE", "short"],
)
async def test_smb1_otherwise_is_refused(server, message) -> None:
    client = await server.connect()
    await client.send_frame(message)
    assert await client.ended()


async def test_smb1_after_smb2_is_refused(server) -> None:
    client = await server.negotiated()
    await client.send_frame(Smb1NegotiateRequest(("SMB 2.???",)).to_bytes())
    assert await client.ended()


# --- FSCTL_VALIDATE_NEGOTIATE_INFO


def claim(client: Client, **changes) -> bytes:
    request = client.request
    claimed = {
        "capabilities": request.capabilities,
        "guid": request.client_guid,
        "security_mode": request.security_mode,
        "dialects": request.dialects,
    }
    return ValidateNegotiateInfoRequest(**{**claimed, **changes}).to_bytes()


@pytest.mark.parametrize("dialect", [0x0210, 0x0300, 0x0302, 0x0311])
async def test_validate_negotiate(server, dialect) -> None:
    client, tree = await server.with_tree(dialects=(dialect,))
    response = await client.well(**vars(client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, claim(client))))
    answer = ValidateNegotiateInfoResponse.parse(response.parse(IoctlResponse).output)
    negotiated = client.negotiated
    assert (answer.dialect, answer.guid) == (dialect, negotiated.server_guid)
    assert (answer.capabilities, answer.security_mode) == (negotiated.capabilities, negotiated.security_mode)


@pytest.mark.parametrize(
    "changes",
    [{"capabilities": 1}, {"guid": bytes(16)}, {"security_mode": 3}, {"dialects": (0x0302,)}, {"dialects": ()}],
    ids=lambda changes: next(iter(changes)),
)
async def test_a_negotiate_that_was_changed_ends_the_connection(server, changes) -> None:
    client, tree = await server.with_tree(dialects=(0x0210, 0x0302))
    await client.send(client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, claim(client, **changes)))
    assert await client.ended()


async def test_a_changed_negotiate_in_a_task_ends_the_connection_alone(make_server) -> None:
    """Behind an element that waits, what ends the connection happens in a task: nobody else may notice."""
    server = await make_server()
    other, _ = await server.with_tree()
    client, tree = await server.with_tree(dialects=(0x0302,))
    file = await client.create(tree, "file")
    flush = client.flush_call(file)
    changed = claim(client, capabilities=9)
    await client.send(flush, client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, changed))
    assert await client.ended()
    await use(other)


@pytest.mark.parametrize(("most", "status"), [(23, STATUS_INVALID_PARAMETER), (24, 0)])
async def test_validate_negotiate_needs_room_for_its_answer(server, most, status) -> None:
    client, tree = await server.with_tree(dialects=(0x0302,))
    call = client.ioctl_call(tree, FSCTL_VALIDATE_NEGOTIATE_INFO, claim(client), most)
    assert (await client.call(**vars(call))).status == status


# --- ECHO


async def test_echo(server) -> None:
    client = await server.negotiated()
    assert (await client.call(Opcode.ECHO, EchoRequest())).status == 0
    await client.log_on()
    response = await client.call(Opcode.ECHO, EchoRequest())
    assert (response.status, response.signed) == (0, True)


async def test_echo_with_a_wrong_signature(server) -> None:
    client = await server.logged_on()
    frame = client.frame(Call(Opcode.ECHO, EchoRequest()))
    frame[50] ^= 1
    client.expects_unsigned(client.next_id - 1)
    await client.send_frame(frame)
    assert (await client.final(client.next_id - 1)).status == STATUS_ACCESS_DENIED
    assert (await client.call(Opcode.ECHO, EchoRequest())).status == 0
