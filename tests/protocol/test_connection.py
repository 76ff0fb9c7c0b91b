"""Frames in, requests out; replies in, frames out."""

import pytest

from gateway.crypto.preauth import PreauthHash
from gateway.crypto.sealing import make_sealer, transform_header
from gateway.crypto.signing import AES_CMAC, make_signer
from gateway.nt.status import STATUS_ACCESS_DENIED
from gateway.protocol.connection import Connection
from gateway.protocol.errors import ProtocolError
from gateway.protocol.message import HEADROOM, Batch, Reply
from gateway.wire.header import (
    SMB2_FLAGS_ASYNC_COMMAND,
    SMB2_FLAGS_RELATED_OPERATIONS,
    SMB2_FLAGS_SERVER_TO_REDIR,
    SMB2_FLAGS_SIGNED,
    Opcode,
)
from tests.protocol.messages import AES128_GCM, KEY, compound, connection, message, security, signed, split

SESSION = 0x1122334455667788
OTHER = 0x99
NONCE = bytes(range(12))


def receive(one: Connection, frame: bytes | bytearray) -> Batch:
    return one.receive(memoryview(bytearray(frame)))


def seal(frame: bytes | bytearray, session_id: int = SESSION, key: bytes = KEY) -> bytearray:
    return bytearray(b"".join(make_sealer(AES128_GCM, key).seal(frame, session_id, NONCE)))


def unseal(frame: bytes | bytearray) -> bytes | bytearray:
    assert frame[:4] == b"\xfdSMB"
    _, nonce, signature = transform_header(frame)
    return make_sealer(AES128_GCM, KEY).unseal(frame, nonce, signature)


def reply(batch: Batch, number: int = 0, status: int = 0, body: bytes = b"\x04\0\0\0") -> Reply:
    return Reply(batch.requests[number], status, body)


def pack(one: Connection, *replies: Reply, sealed_by=None) -> bytes:
    whole = b"".join(one.pack(list(replies), sealed_by))
    prefix, frame = whole[:4], whole[4:]
    assert int.from_bytes(prefix, "big") == len(frame)
    return bytes(frame)


# --- in: what is a message


@pytest.mark.parametrize("frame", [b"", b"\xfeSM", b"\xffSMB" + bytes(60), b"GET / HTTP/1.1\r\n\r\n", b"\xfcSMB"])
def test_what_is_no_message(frame) -> None:
    with pytest.raises(ProtocolError):
        receive(connection(), frame)


def test_truncated_headers() -> None:
    frame = message()
    for length in range(64):
        with pytest.raises(ProtocolError):
            receive(connection(), frame[:length])


def test_one_message() -> None:
    batch = receive(connection(), message(session_id=SESSION, body=b"body"))
    (request,) = batch.requests
    assert (request.header.command, request.header.session_id) == (Opcode.ECHO, SESSION)
    assert bytes(request.message[64:]) == b"body"
    assert (request.sealed, request.signed, request.refused, batch.sealed_by) == (False, False, 0, None)


def test_a_response_is_no_request() -> None:
    with pytest.raises(ProtocolError):
        receive(connection(), message(flags=SMB2_FLAGS_SERVER_TO_REDIR))
    with pytest.raises(ProtocolError):
        receive(connection(), compound(message(), message(message_id=1, flags=SMB2_FLAGS_SERVER_TO_REDIR)))


# --- in: credits


def test_message_ids_are_used_once() -> None:
    one = connection()
    receive(one, message(message_id=3))
    with pytest.raises(ProtocolError):
        receive(one, message(message_id=3))


def test_ids_that_were_not_granted() -> None:
    with pytest.raises(ProtocolError):
        receive(connection(), message(message_id=101))


def test_cancel_uses_no_id() -> None:
    one = connection()
    receive(one, message(message_id=3))
    receive(one, message(Opcode.CANCEL, message_id=3))
    receive(one, message(Opcode.CANCEL, message_id=77_777))
    assert one.window.available == 100


def test_the_charge_counts_from_2_1_on() -> None:
    one = connection()
    (request,) = receive(one, message(credit_charge=5)).requests
    assert request.charge == 5
    with pytest.raises(ProtocolError):
        receive(one, message(message_id=4))
    one = connection()
    one.multi_credit = False
    (request,) = receive(one, message(credit_charge=5)).requests
    assert request.charge == 1
    receive(one, message(message_id=1))


def test_a_charge_of_zero_is_one() -> None:
    (request,) = receive(connection(), message(credit_charge=0)).requests
    assert request.charge == 1


def test_too_few_credits_for_the_charge() -> None:
    with pytest.raises(ProtocolError):
        receive(connection(), message(message_id=99, credit_charge=3))


@pytest.mark.parametrize(("asked", "charge", "granted"), [(1, 1, 1), (10, 1, 10), (0, 1, 1), (0, 4, 4), (500, 1, 412)])
def test_grants(asked, charge, granted) -> None:
    one = connection()
    batch = receive(one, message(credits=asked, credit_charge=charge))
    (request,) = batch.requests
    assert one.grant(request) == granted
    assert one.grant(request) == granted
    header, _ = split(pack(one, reply(batch)))[0]
    assert (header.credits, header.credit_charge) == (granted, charge)


def test_nothing_is_granted_for_a_cancel() -> None:
    one = connection()
    (request,) = receive(one, message(Opcode.CANCEL, credits=10)).requests
    assert one.grant(request) == 0


# --- in: compounds


def test_elements() -> None:
    frame = compound(*(message(message_id=number, body=bytes(4 + number)) for number in range(8)))
    batch = receive(connection(), frame)
    assert [one.header.message_id for one in batch.requests] == list(range(8))
    assert [len(one.message) % 8 for one in batch.requests[:-1]] == [0] * 7
    assert len(batch.requests[7].message) == 64 + 11


def test_too_many_elements() -> None:
    with pytest.raises(ProtocolError):
        receive(connection(), compound(*(message(message_id=number) for number in range(9))))


@pytest.mark.parametrize("following", [1, 8, 56, 63, 68, 72 + 1, 144, 152, 0xFFFFFFF8])
def test_elements_that_end_in_the_wrong_place(following) -> None:
    """Not at a multiple of eight, within a header, or with less than a header behind it. The frame has 140 bytes."""
    frame = compound(message(), message(message_id=1))
    assert len(frame) == 140
    frame[20:24] = following.to_bytes(4, "little")
    with pytest.raises(ProtocolError):
        receive(connection(), frame)


def test_elements_that_overlap_in_size_only() -> None:
    """The smallest element is a header; what its body lacks is for its command to find."""
    frame = compound(message(body=b""), message(message_id=1))
    assert [len(one.message) for one in receive(connection(), frame).requests] == [64, 68]


def test_an_element_that_is_no_message() -> None:
    frame = compound(message(), message(message_id=1))
    frame[72] = 0
    with pytest.raises(ProtocolError):
        receive(connection(), frame)


def test_ids_of_elements() -> None:
    one = connection()
    with pytest.raises(ProtocolError):
        receive(one, compound(message(message_id=1), message(message_id=1)))


# --- in: signatures


def test_a_right_signature() -> None:
    batch = receive(connection(security(SESSION)), signed(message(session_id=SESSION)))
    (request,) = batch.requests
    assert (request.signed, request.refused) == (True, 0)


@pytest.mark.parametrize("place", [17, 24, 48, 63, 64, 67])
def test_a_wrong_signature(place) -> None:
    frame = signed(message(session_id=SESSION))
    frame[place] ^= 1
    (request,) = receive(connection(security(SESSION)), frame).requests
    assert (request.signed, request.refused) == (False, STATUS_ACCESS_DENIED)


def test_a_signature_is_checked_where_none_is_demanded() -> None:
    (request,) = receive(connection(security(SESSION)), signed(message(session_id=SESSION), bytes(16))).requests
    assert request.refused == STATUS_ACCESS_DENIED


@pytest.mark.parametrize("command", [Opcode.ECHO, Opcode.CANCEL, Opcode.SESSION_SETUP])
@pytest.mark.parametrize("demand", ["signing_required", "sealing_required"])
def test_no_signature_where_one_is_demanded(command, demand) -> None:
    """A log-on in a session that exists may be anybody's, too."""
    strict = security(SESSION)
    setattr(strict, demand, True)
    (request,) = receive(connection(strict), message(command, session_id=SESSION)).requests
    assert (request.signed, request.refused) == (False, STATUS_ACCESS_DENIED)


def test_no_signature_where_none_is_demanded() -> None:
    (request,) = receive(connection(security(SESSION)), message(session_id=SESSION)).requests
    assert (request.signed, request.refused) == (False, 0)


def test_signatures_of_sessions_without_keys() -> None:
    """Unknown here, or not authenticated yet: the session is refused later, and not for its signature."""
    frame = signed(message(session_id=SESSION))
    assert receive(connection(), frame).requests[0].refused == 0
    unfinished = security(SESSION)
    unfinished.signer = None
    assert receive(connection(unfinished), frame).requests[0].refused == 0


def test_each_element_is_signed_for_itself() -> None:
    frame = compound(
        message(session_id=SESSION, body=bytes(5)),
        message(message_id=1, session_id=SESSION),
        message(message_id=2, session_id=SESSION),
        sign=True,
    )
    frame[-1] ^= 1
    batch = receive(connection(security(SESSION)), frame)
    assert [one.refused for one in batch.requests] == [0, 0, STATUS_ACCESS_DENIED]
    assert [one.signed for one in batch.requests] == [True, True, False]


def test_related_elements_are_signed_by_the_session_before() -> None:
    strict = security(SESSION)
    strict.signing_required = True
    frame = compound(
        message(session_id=SESSION),
        message(message_id=1, session_id=2**64 - 1, flags=SMB2_FLAGS_RELATED_OPERATIONS),
        sign=True,
    )
    assert [one.signed for one in receive(connection(strict), frame).requests] == [True, True]
    plain = compound(
        signed(message(session_id=SESSION, body=bytes(8))),
        message(message_id=1, session_id=2**64 - 1, flags=SMB2_FLAGS_RELATED_OPERATIONS),
    )
    assert [one.refused for one in receive(connection(strict), plain).requests][1] == STATUS_ACCESS_DENIED


# --- in: sealing


def test_a_sealed_message() -> None:
    keys = security(SESSION, seals=True)
    keys.signing_required = keys.sealing_required = True
    batch = receive(connection(keys), seal(message(session_id=SESSION)))
    (request,) = batch.requests
    assert (request.sealed, request.signed, request.refused) == (True, False, 0)
    assert batch.sealed_by is keys


def test_a_sealed_compound() -> None:
    keys = security(SESSION, seals=True)
    frame = compound(
        message(session_id=SESSION),
        message(message_id=1, session_id=2**64 - 1, flags=SMB2_FLAGS_RELATED_OPERATIONS),
        message(message_id=2, session_id=SESSION),
    )
    batch = receive(connection(keys), seal(frame))
    assert [one.sealed for one in batch.requests] == [True] * 3


@pytest.mark.parametrize("place", [4, 20, 31, 32, 36, 42, 44, 52, -1])
def test_a_broken_transform(place) -> None:
    frame = seal(message(session_id=SESSION))
    frame[place] ^= 1
    with pytest.raises(ProtocolError):
        receive(connection(security(SESSION, seals=True)), frame)


def test_truncated_transforms() -> None:
    frame = seal(message(session_id=SESSION))
    for length in range(4, len(frame)):
        with pytest.raises(ProtocolError):
            receive(connection(security(SESSION, seals=True)), frame[:length])


def test_sealed_by_a_session_that_has_no_key() -> None:
    frame = seal(message(session_id=SESSION))
    with pytest.raises(ProtocolError):
        receive(connection(), frame)
    with pytest.raises(ProtocolError):
        receive(connection(security(SESSION)), frame)


def test_sealed_by_another_key() -> None:
    with pytest.raises(ProtocolError):
        receive(connection(security(SESSION, seals=True)), seal(message(session_id=SESSION), key=bytes(16)))


@pytest.mark.parametrize("inner", [OTHER, 0, 7])
def test_sealed_for_another_session(inner) -> None:
    """Known, none, or unknown: what a transform carries belongs to the session it names."""
    one = connection(security(SESSION, seals=True), security(OTHER, seals=True))
    with pytest.raises(ProtocolError):
        receive(one, seal(message(session_id=inner)))


def test_sealed_twice() -> None:
    frame = seal(seal(message(session_id=SESSION)))
    with pytest.raises(ProtocolError):
        receive(connection(security(SESSION, seals=True)), frame)


def test_a_compound_element_of_another_session() -> None:
    one = connection(security(SESSION, seals=True), security(OTHER, seals=True))
    frame = compound(message(session_id=SESSION), message(message_id=1, session_id=OTHER))
    with pytest.raises(ProtocolError):
        receive(one, seal(frame))


@pytest.mark.parametrize(
    ("command", "refused"),
    [(Opcode.ECHO, STATUS_ACCESS_DENIED), (Opcode.LOGOFF, STATUS_ACCESS_DENIED), (Opcode.SESSION_SETUP, 0)],
)
def test_plain_where_sealing_is_demanded(command, refused) -> None:
    """A signature does not help."""
    keys = security(SESSION, seals=True)
    keys.sealing_required = True
    frame = signed(message(command, session_id=SESSION))
    assert receive(connection(keys), frame).requests[0].refused == refused


def test_sealed_frames_have_their_own_bytes() -> None:
    """So that the buffer of the connection can be used again at once."""
    frame = seal(message(session_id=SESSION, body=b"content"))
    batch = connection(security(SESSION, seals=True)).receive(memoryview(frame))
    frame[:] = bytes(len(frame))
    assert bytes(batch.requests[0].message[64:]) == b"content"


# --- out


def test_a_reply() -> None:
    one = connection()
    batch = receive(one, message(message_id=7, session_id=SESSION, tree_id=5, process_id=0xFEFF, credits=3))
    header, element = split(pack(one, reply(batch, status=0x103)))[0]
    assert header.flags == SMB2_FLAGS_SERVER_TO_REDIR
    assert (header.command, header.message_id, header.session_id) == (Opcode.ECHO, 7, SESSION)
    assert (header.tree_id, header.process_id, header.status, header.credits) == (5, 0xFEFF, 0x103, 3)
    assert header.signature == bytes(16)
    assert element[64:] == b"\x04\0\0\0"


def test_headroom_spares_a_copy() -> None:
    one = connection()
    batch = receive(one, message())
    body = bytearray(HEADROOM) + b"content" * 1000
    (frame,) = one.pack([Reply(batch.requests[0], 0, body, headroom=True)], None)
    assert frame is body
    assert frame[:8] == (64 + 7000).to_bytes(4, "big") + b"\xfeSMB"
    assert frame[HEADROOM:] == b"content" * 1000


def test_an_asynchronous_reply() -> None:
    one = connection()
    batch = receive(one, message(tree_id=5, process_id=6))
    answer = reply(batch)
    answer.async_id = 0x1_0000_0002
    header, _ = split(pack(one, answer))[0]
    assert header.flags == SMB2_FLAGS_SERVER_TO_REDIR | SMB2_FLAGS_ASYNC_COMMAND
    assert header.async_id == 0x1_0000_0002


def test_a_signed_reply() -> None:
    keys = security(SESSION)
    one = connection(keys)
    batch = receive(one, signed(message(session_id=SESSION)))
    answer = reply(batch)
    answer.sign, answer.security = True, keys
    frame = pack(one, answer)
    header, _ = split(frame)[0]
    assert header.flags & SMB2_FLAGS_SIGNED
    assert make_signer(AES_CMAC, KEY).verify(bytearray(frame), header, server=True)


def test_nothing_signs_without_a_key() -> None:
    one = connection()
    batch = receive(one, message())
    answer = reply(batch)
    answer.sign = True
    assert not split(pack(one, answer))[0][0].flags & SMB2_FLAGS_SIGNED
    answer.security = security(SESSION)
    answer.security.signer = None
    assert not split(pack(one, answer))[0][0].flags & SMB2_FLAGS_SIGNED


def test_a_compound_reply() -> None:
    keys = security(SESSION)
    one = connection(keys)
    batch = receive(
        one,
        compound(
            message(session_id=SESSION),
            message(message_id=1, session_id=SESSION, flags=SMB2_FLAGS_RELATED_OPERATIONS),
            message(message_id=2, session_id=SESSION, flags=SMB2_FLAGS_RELATED_OPERATIONS),
            sign=True,
        ),
    )
    replies = [reply(batch, number, body=bytes(9)) for number in range(3)]
    for answer in replies:
        answer.sign, answer.security = True, keys
    elements = split(pack(one, *replies))
    assert [header.message_id for header, _ in elements] == [0, 1, 2]
    assert [len(element) for _, element in elements] == [80, 80, 80]
    assert [bool(header.flags & SMB2_FLAGS_RELATED_OPERATIONS) for header, _ in elements] == [False, True, True]
    for header, element in elements:
        assert make_signer(AES_CMAC, KEY).verify(bytearray(element), header, server=True)


@pytest.mark.parametrize("signs", [False, True])
def test_bodies_behind_headroom_in_a_compound(signs) -> None:
    """What is free before them is for a frame of their own: it is left out."""
    keys = security(SESSION)
    one = connection(keys)
    batch = receive(one, compound(*(message(message_id=number, session_id=SESSION) for number in range(3)), sign=signs))
    bodies: list[bytearray | memoryview] = [bytearray(HEADROOM) + b"first", memoryview(bytearray(HEADROOM) + b"second")]
    replies = [Reply(batch.requests[number], 0, body, headroom=True) for number, body in enumerate(bodies)]
    replies.append(reply(batch, 2, body=b"the last"))
    for answer in replies:
        answer.sign, answer.security = signs, keys
    elements = split(pack(one, *replies))
    assert [element[64:] for _, element in elements] == [b"first\0\0\0", b"second\0\0", b"the last"]
    assert [header.next_command for header, _ in elements] == [72, 72, 0]
    if signs:
        assert all(
            make_signer(AES_CMAC, KEY).verify(bytearray(element), header, server=True) for header, element in elements
        )


def test_a_sealed_reply_is_not_signed() -> None:
    keys = security(SESSION, seals=True)
    one = connection(keys)
    batch = receive(one, seal(message(session_id=SESSION)))
    answer = reply(batch)
    answer.sign, answer.security = True, keys
    frame = unseal(pack(one, answer, sealed_by=batch.sealed_by))
    header, _ = split(frame)[0]
    assert not header.flags & SMB2_FLAGS_SIGNED
    assert header.signature == bytes(16)


def test_a_sealed_compound_is_answered_by_one_transform() -> None:
    keys = security(SESSION, seals=True)
    one = connection(keys)
    batch = receive(one, seal(compound(message(session_id=SESSION), message(message_id=1, session_id=SESSION))))
    frame = unseal(pack(one, reply(batch, 0), reply(batch, 1), sealed_by=batch.sealed_by))
    assert [header.message_id for header, _ in split(frame)] == [0, 1]


def test_no_nonce_is_used_twice() -> None:
    keys = security(SESSION, seals=True)
    one = connection(keys)
    nonces = set()
    for number in range(50):
        batch = receive(one, message(message_id=number, session_id=SESSION))
        nonces.add(pack(one, reply(batch), sealed_by=keys)[20:36])
    assert len(nonces) == 50


def test_the_preauth_hash_takes_in_the_finished_message() -> None:
    """With its signature, as the client sees it."""
    keys = security(SESSION)
    one = connection(keys)
    batch = receive(one, signed(message(session_id=SESSION)))
    answer = reply(batch)
    answer.sign, answer.security, answer.hash = True, keys, PreauthHash()
    frame = pack(one, answer)
    expected = PreauthHash()
    expected.update(frame)
    assert answer.hash.value == expected.value
