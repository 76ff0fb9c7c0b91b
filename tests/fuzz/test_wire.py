"""Malformed bytes: nothing but `WireError` leaves a parser, and it leaves soon."""

import struct
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.wire.codec import utf16
from gateway.wire.contexts import parse_contexts
from gateway.wire.create_contexts import CreateContext, pack_create_contexts, parse_create_contexts
from gateway.wire.error import ErrorContext, ErrorResponse
from gateway.wire.header import HEADER_SIZE, SMB2_FLAGS_SERVER_TO_REDIR, Header
from gateway.wire.lock import LockElement, LockRequest
from gateway.wire.negotiate import NegotiateContext, NegotiateRequest
from gateway.wire.smb1 import Smb1NegotiateRequest
from gateway.wire.transform import TransformHeader
from tests.fuzz.frames import CORPUS, CREATE_DATA, NEGOTIATE_DATA, OTHER_DATA, attempt, parse_data, parse_frame

MUTATIONS = (lambda byte: 0, lambda byte: 0xFF, lambda byte: byte ^ 0x80, lambda byte: (byte + 1) & 0xFF)
FRAMES = {path.stem: path.read_bytes() for path in CORPUS}
frames = pytest.mark.parametrize("name", FRAMES)


def try_frame(frame: bytes | bytearray) -> Any:
    """Parse all of it, contexts too; build again what was understood."""
    parsed = attempt(parse_frame, memoryview(frame))
    for structure in parsed or ():
        parse_data(structure)
        structure.to_bytes()
    return parsed


def test_corpus_is_there() -> None:
    assert len(FRAMES) > 48


@frames
def test_real_frames(name) -> None:
    """They are understood, and survive being built and parsed again."""
    for structure in parse_frame(memoryview(FRAMES[name])):
        body = structure.to_bytes()
        kind = type(structure)
        whole = body if kind in (TransformHeader, Smb1NegotiateRequest) else bytes(HEADER_SIZE) + body
        again = kind.parse(memoryview(whole))
        assert again == structure
        assert again.to_bytes() == body
        parse_data(structure)


SAID: dict[str, dict[str, Any]] = {
    "negotiate-request-311-signing": {"dialects": (0x0202, 0x0210, 0x0300, 0x0302, 0x0311), "security_mode": 1},
    "negotiate-response-311-signing": {"dialect_revision": 0x0311, "max_read_size": 8388608, "security_mode": 1},
    "negotiate-request-210": {"contexts": ()},
    "smb1-negotiate": {"dialects": ("NT LANMAN 1.0", "NT LM 0.12", "SMB 2.002", "SMB 2.???")},
    "tree-connect-request": {"path": "\\\\127.0.0.1\\IPC$"},
    "create-request-alsi-dhnq-mxac-twrp": {"name": "test_create.dat", "create_disposition": 5},
    "create-request-secd": {"name": "torture_maximum_allowed"},
    "create-response-mxac": {"create_action": 3},
    "query-directory-request": {"pattern": "*", "file_information_class": 37},
    "ioctl-request-validate-negotiate": {"ctl_code": 0x00140204, "volatile_file_id": 2**64 - 1},
    "lease-break-notification": {"current_lease_state": 5, "new_lease_state": 1},
    "oplock-break-notification": {"oplock_level": 1},
    "error-pending-5": {"byte_count": 0},
    "cancel-request": {"structure_size": 4},
}


@pytest.mark.parametrize("name", SAID)
def test_what_real_frames_say(name) -> None:
    structure = parse_frame(memoryview(FRAMES[name]))[0]
    assert {field: getattr(structure, field) for field in SAID[name]} == SAID[name]


@frames
def test_truncated_frames(name) -> None:
    frame = FRAMES[name]
    for length in range(len(frame)):
        try_frame(frame[:length])


@frames
def test_mutated_frames(name) -> None:
    frame = bytearray(FRAMES[name])
    for place, byte in enumerate(frame):
        for mutate in MUTATIONS:
            frame[place] = mutate(byte)
            try_frame(frame)
        frame[place] = byte


@given(
    name=st.sampled_from(sorted(FRAMES)),
    changes=st.lists(st.tuples(st.integers(0, 600), st.sampled_from("BHIQ"), st.integers(0, 2**64 - 1)), max_size=6),
    tail=st.binary(max_size=40),
)
@settings(max_examples=400, deadline=None)
def test_several_changes(name, changes, tail) -> None:
    """Fields of all widths overwritten at once, and bytes added."""
    frame = bytearray(FRAMES[name] + tail)
    for place, code, value in changes:
        size = struct.calcsize(code)
        struct.pack_into("<" + code, frame, place % (len(frame) - size), value & ((1 << 8 * size) - 1))
    try_frame(frame)


@given(
    command=st.integers(0, 0x14),
    response=st.booleans(),
    status=st.sampled_from([0, 0x103, 0xC0000022]),
    message_id=st.sampled_from([1, 2**64 - 1]),
    size=st.sampled_from([2, 4, 9, 16, 17, 24, 25, 33, 36, 41, 44, 48, 49, 57, 60, 65, 89]),
    body=st.binary(max_size=200),
)
@settings(max_examples=400, deadline=None)
def test_any_body(command, response, status, message_id, size, body) -> None:
    flags = SMB2_FLAGS_SERVER_TO_REDIR if response else 0
    header = Header(command=command, status=status, flags=flags, message_id=message_id)
    try_frame(header.to_bytes() + struct.pack("<H", size) + body)


@given(data=st.binary(max_size=120))
@settings(max_examples=300, deadline=None)
def test_any_data(data) -> None:
    for parse in (*CREATE_DATA, *NEGOTIATE_DATA, *OTHER_DATA, TransformHeader.parse):
        attempt(parse, data)
    attempt(parse_create_contexts, memoryview(data))
    attempt(utf16, memoryview(data))
    attempt(Smb1NegotiateRequest.parse, memoryview(data))
    attempt(lambda view: parse_contexts(view, 0, 32, at_least=0), memoryview(data))


@given(
    contexts=st.lists(st.tuples(st.binary(min_size=4, max_size=20), st.binary(max_size=40)), max_size=8),
    padding=st.integers(0, 7),
)
@settings(max_examples=200, deadline=None)
def test_create_contexts_survive(contexts, padding) -> None:
    """Any list is found again, also with padding at its end."""
    area = pack_create_contexts(contexts) + bytes(padding if contexts else 0)
    assert parse_create_contexts(memoryview(area)) == tuple(CreateContext(*context) for context in contexts)


@given(text=st.text(st.characters(codec="utf-16-le", exclude_categories=[]), max_size=20))
@settings(max_examples=100, deadline=None)
def test_text_survives(text) -> None:
    assert utf16(memoryview(text.encode("utf-16-le", "surrogatepass"))) == text


CONTEXTS = tuple(NegotiateContext(99, b"") for _ in range(32))
LARGE = [
    (NegotiateRequest, NegotiateRequest(dialects=(0x0311,) * 64, contexts=CONTEXTS).to_bytes()),
    (LockRequest, LockRequest(locks=(LockElement(1, 2, 3),) * 0xFFFF).to_bytes()),
    (ErrorResponse, ErrorResponse(contexts=(ErrorContext(0, bytes(65536)),) * 255).to_bytes()),
]


@pytest.mark.parametrize(("kind", "body"), LARGE, ids=lambda value: getattr(value, "__name__", ""))
def test_large_counts(kind, body) -> None:
    """The most that a count can ask for costs no more than the bytes that came with it."""
    message = memoryview(bytes(HEADER_SIZE) + body)
    began = time.process_time()
    kind.parse(message)
    assert time.process_time() - began < 1


def test_endless_create_contexts() -> None:
    """A list that fills 8 MiB is given up early."""
    element = struct.pack("<IHHHHI", 24, 16, 4, 0, 0, 0) + b"NAME" + bytes(4)
    area = memoryview(element * (8 * 1024 * 1024 // 24))
    began = time.process_time()
    assert attempt(parse_create_contexts, area) is None
    assert time.process_time() - began < 0.1
