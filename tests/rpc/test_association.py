import struct
from uuid import UUID

import pytest

from gateway.nt.status import STATUS_PIPE_DISCONNECTED, StatusError
from gateway.rpc.association import MAX_CONTEXTS, MAX_STUB, MAX_XMIT_FRAG, MIN_FRAG
from gateway.rpc.errors import FaultStatus
from gateway.rpc.interface import Interface, ShareInfo
from gateway.rpc.pdu import NDR20, NDR64, NO_SYNTAX
from tests.rpc import client
from tests.rpc.client import (
    SRVSVC_ID,
    WKSSVC_ID,
    bind,
    bound,
    context,
    fault_status,
    ndr20,
    pipe,
    request,
    results,
    syntax,
)

SERVER_GET_INFO = 21
LEVEL_100 = bytes.fromhex("00000000 64000000")
FEATURES = syntax(UUID(bytes_le=bytes.fromhex("2c1cb76c129840450300000000000000")), 1)
SRVSVC = syntax(SRVSVC_ID, 3)


def answer_of(opened, data: bytes) -> bytes:
    fragment: bytes
    fragment, more = opened.transact(data, 65536)
    assert not more
    assert struct.unpack_from("<H", fragment, 8) == (len(fragment),)
    return fragment


def assert_over(opened) -> None:
    assert not opened.available
    with pytest.raises(StatusError) as error:
        opened.read(100)
    assert error.value.status == STATUS_PIPE_DISCONNECTED
    with pytest.raises(StatusError) as error:
        opened.write(b"")
    assert error.value.status == STATUS_PIPE_DISCONNECTED


def test_bind_is_acknowledged() -> None:
    ack = answer_of(pipe(), bind(call_id=77))
    assert ack[:4] == bytes([5, 0, 12, 3])
    assert struct.unpack_from("<HHI", ack, 16)[:2] == (4280, 4280)
    assert struct.unpack_from("<I", ack, 20)[0] != 0
    assert struct.unpack_from("<I", ack, 12) == (77,)
    assert ack[24:40] == b"\x0d\0\\PIPE\\srvsvc\0\0"
    assert results(ack) == [(0, 0, NDR20)]


def test_the_association_group_asked_for_is_kept() -> None:
    assert struct.unpack_from("<I", answer_of(pipe(), bind(group=0x1234)), 20) == (0x1234,)


@pytest.mark.parametrize(
    ("xmit", "recv", "expected"),
    [(5840, 5840, (MAX_XMIT_FRAG, MAX_XMIT_FRAG)), (2000, 3000, (3000, 2000)), (0, 10, (MIN_FRAG, MIN_FRAG))],
)
def test_fragment_sizes_are_negotiated(xmit, recv, expected) -> None:
    assert struct.unpack_from("<HH", answer_of(pipe(), bind(xmit=xmit, recv=recv)), 16) == expected


def test_contexts_are_answered_one_by_one() -> None:
    ndr64 = syntax(NDR64.uuid, 1)
    ack = answer_of(
        pipe(),
        bind(
            context(0, SRVSVC, ndr20()),
            context(1, SRVSVC, ndr64),
            context(2, SRVSVC, FEATURES),
            context(3, syntax(WKSSVC_ID, 1), ndr20()),
            context(4, syntax(SRVSVC_ID, 4), ndr20()),
            context(5, syntax(SRVSVC_ID, 3, 1), ndr20()),
            context(6, SRVSVC, ndr64, ndr20()),
            context(7, SRVSVC),
        ),
    )
    none = NO_SYNTAX
    assert results(ack) == [
        (0, 0, NDR20),
        (2, 2, none),
        (3, 0, none),
        (2, 1, none),
        (2, 1, none),
        (2, 1, none),
        (0, 0, NDR20),
        (2, 2, none),
    ]


def test_an_altered_context_is_added() -> None:
    opened = bound()
    assert fault_status(answer_of(opened, request(SERVER_GET_INFO, LEVEL_100, context_id=9))) == FaultStatus.UNK_IF
    response = answer_of(opened, bind(context(9, SRVSVC, ndr20()), packet_type=14, call_id=5))
    assert response[2] == 15
    assert struct.unpack_from("<H", response, 24) == (0,)
    assert results(response) == [(0, 0, NDR20)]
    assert client.call(opened, SERVER_GET_INFO, LEVEL_100, context_id=9)
    assert client.call(opened, SERVER_GET_INFO, LEVEL_100, context_id=0)


def test_a_context_id_keeps_its_interface() -> None:
    opened = bound()
    assert results(answer_of(opened, bind(packet_type=14))) == [(0, 0, NDR20)]
    opened._association._contexts[1] = Interface("other", NDR20, {})
    assert results(answer_of(opened, bind(context(1, SRVSVC, ndr20()), packet_type=14)))[0][:2] == (2, 0)


def test_contexts_are_limited() -> None:
    contexts = [context(number, SRVSVC, ndr20()) for number in range(MAX_CONTEXTS + 1)]
    answers = results(answer_of(pipe(), bind(*contexts)))
    assert {answer[:2] for answer in answers[:-1]} == {(0, 0)}
    assert answers[-1][:2] == (2, 3)


def test_authentication_is_refused() -> None:
    opened = pipe()
    nak = answer_of(opened, bind(auth=16))
    assert nak[2] == 13
    assert struct.unpack_from("<HB4B", nak, 16) == (8, 2, 5, 0, 5, 1)
    assert answer_of(opened, bind())[2] == 12
    assert fault_status(answer_of(opened, bind(packet_type=14, auth=16))) == FaultStatus.ACCESS_DENIED
    fragment = answer_of(opened, request(SERVER_GET_INFO, LEVEL_100, auth=16))
    assert fault_status(fragment) == FaultStatus.PROTO_ERROR
    assert_over(opened)


def test_auth3_and_cancel_have_no_answer() -> None:
    opened = bound()
    for packet_type in (16, 18, 19):
        opened.write(client.pdu(packet_type, bytes(20)))
        assert not opened.available
    assert client.call(opened, SERVER_GET_INFO, LEVEL_100)


def test_a_second_bind_ends_the_association() -> None:
    opened = bound()
    nak = answer_of(opened, bind())
    assert nak[2] == 13
    assert_over(opened)


@pytest.mark.parametrize(
    "data",
    [
        request(0),
        bind(packet_type=14),
        client.pdu(2, bytes(8)),
        client.pdu(99, b""),
        client.pdu(11, b""),
        client.pdu(11, bytes(12)),
    ],
    ids=["request", "alter", "response", "unknown", "empty bind", "bind without contexts"],
)
def test_what_no_client_sends_before_bind_is_a_protocol_error(data) -> None:
    opened = pipe()
    assert fault_status(answer_of(opened, data)) == FaultStatus.PROTO_ERROR
    assert_over(opened)


@pytest.mark.parametrize(
    "header",
    [
        "04000b0310000000 1000 0000 01000000",
        "05020b0310000000 1000 0000 01000000",
        "05000b0311000000 1000 0000 01000000",  # EBCDIC
        "05000b0310010000 1000 0000 01000000",  # VAX floats
        "05000b0320000000 1000 0000 01000000",
    ],
)
def test_headers_of_something_else_end_the_association(header) -> None:
    opened = pipe()
    opened.write(bytes.fromhex(header))
    assert_over(opened)


@pytest.mark.parametrize("length", [0, 15, 5841, 65535])
def test_fragments_of_impossible_length_end_the_association(length) -> None:
    opened = pipe()
    opened.write(bytes.fromhex("05000b0310000000") + struct.pack("<H", length))
    assert_over(opened)


def test_big_endian_clients_are_answered() -> None:
    opened = pipe()
    assert answer_of(opened, bind(order=">"))[2] == 12
    stub = client.call(opened, SERVER_GET_INFO, struct.pack(">II", 0, 100), order=">")
    assert struct.unpack_from("<I", stub) == (100,)


def test_an_object_uuid_is_skipped() -> None:
    assert client.call(bound(), SERVER_GET_INFO, LEVEL_100, flags=0x83, object_uuid=bytes(16))


def test_the_minor_version_of_the_bind_is_kept() -> None:
    body = bind()[16:]
    assert answer_of(pipe(), client.pdu(11, body, minor=1))[:3] == bytes([5, 1, 12])


def test_unknown_operations_and_contexts_are_faults_that_harm_nothing() -> None:
    opened = bound()
    fragment = answer_of(opened, request(99, call_id=1234))
    assert fault_status(fragment) == FaultStatus.OP_RNG_ERROR
    assert struct.unpack_from("<I", fragment, 12) == (1234,)
    assert fragment[3] == 0x23
    assert fault_status(answer_of(opened, request(SERVER_GET_INFO, LEVEL_100, context_id=3))) == FaultStatus.UNK_IF
    assert fault_status(answer_of(opened, request(SERVER_GET_INFO, b"\1"))) == FaultStatus.BAD_STUB_DATA
    assert client.call(opened, SERVER_GET_INFO, LEVEL_100)


def test_a_request_in_fragments_is_put_together() -> None:
    opened = bound()
    opened.write(request(SERVER_GET_INFO, LEVEL_100[:4], flags=1))
    opened.write(request(SERVER_GET_INFO, b"", flags=0))
    assert not opened.available
    assert client.call(opened, SERVER_GET_INFO, LEVEL_100[4:], flags=2)


def test_an_orphaned_request_is_forgotten() -> None:
    opened = bound()
    opened.write(request(SERVER_GET_INFO, LEVEL_100[:4], flags=1))
    opened.write(client.pdu(19, b"", call_id=3))
    opened.write(client.pdu(19, b"", call_id=2))
    assert client.call(opened, SERVER_GET_INFO, LEVEL_100)


@pytest.mark.parametrize(
    "fragments",
    [
        [request(SERVER_GET_INFO, flags=2)],
        [request(SERVER_GET_INFO, flags=0)],
        [request(SERVER_GET_INFO, flags=1), request(SERVER_GET_INFO, flags=1)],
        [request(SERVER_GET_INFO, flags=1), request(SERVER_GET_INFO, flags=2, call_id=3)],
        [request(SERVER_GET_INFO, flags=1), request(SERVER_GET_INFO, flags=2, order=">")],
        [client.pdu(0, b"")],
        [client.pdu(0, bytes(8), flags=0x83)],
    ],
)
def test_fragments_out_of_order_end_the_association(fragments) -> None:
    opened = bound()
    for fragment in fragments:
        opened.write(fragment)
    data, _ = opened.read(100)
    assert fault_status(data) == FaultStatus.PROTO_ERROR
    assert_over(opened)


def test_a_request_above_the_limit_ends_the_association() -> None:
    opened = bound()
    opened.write(request(SERVER_GET_INFO, bytes(5000), flags=1))
    for _ in range(MAX_STUB // 5000 - 1):
        opened.write(request(SERVER_GET_INFO, bytes(5000), flags=0))
    assert not opened.available
    opened.write(request(SERVER_GET_INFO, bytes(5000), flags=0))
    data, _ = opened.read(100)
    assert fault_status(data) == FaultStatus.REMOTE_NO_MEMORY
    assert_over(opened)


def test_a_long_answer_is_cut_into_fragments_as_negotiated() -> None:
    shares = [ShareInfo(f"share{number:04}", comment="c" * 40) for number in range(300)]
    opened = bound(shares=shares, recv=2001)
    stub = struct.pack("<IIIIIIIII", 0, 1, 1, 0x20000, 0, 0, 0xFFFFFFFF, 0, 0)
    opened.write(request(15, stub))
    fragments = []
    while opened.available:
        fragment, more = opened.read(65536)
        assert not more
        fragments.append(fragment)
    assert {len(fragment) for fragment in fragments[:-1]} == {24 + (2001 - 24) // 8 * 8}
    assert [fragment[3] for fragment in fragments] == [1] + [0] * (len(fragments) - 2) + [2]
    total = sum(len(fragment) - 24 for fragment in fragments)
    assert struct.unpack_from("<I", fragments[0], 16) == (total,)
    assert struct.unpack_from("<I", fragments[-1], 16) == (len(fragments[-1]) - 24,)
