"""Named pipes under malformed input: only faults and statuses come out, in bounded time."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.nt.status import StatusError
from gateway.rpc.errors import RpcError, RpcFault
from gateway.rpc.interface import Call
from gateway.rpc.lsarpc import GRANTED, LSARPC, Policy
from gateway.rpc.ndr import NdrReader, NdrWriter
from gateway.rpc.ndr_types import read_sid, read_strings
from gateway.rpc.pipe import MAX_INPUT, Pipe
from gateway.rpc.srvsvc import SRVSVC
from tests.rpc import test_lsarpc as lsa
from tests.rpc.client import ADMINISTRATOR, bind, pipe, request, server
from tests.rpc.test_srvsvc import enum, wide

STUBS = {
    15: enum(502, resume=0),
    16: bytes(4) + wide("data") + struct.pack("<I", 502),
    20: struct.pack("<I", 1) + wide("\\\\server") + wide("C:\\srv\\data"),
    21: struct.pack("<II", 0, 102),
    28: struct.pack("<I", 1) + wide("\\\\server"),
    33: struct.pack("<I", 1) + wide("\\\\server") + wide("name") + struct.pack("<II", 9, 0),
    36: enum(1),
}
HANDLE = bytes(19) + b"\1"
LSA_STUBS = {
    lsa.CLOSE: HANDLE,
    lsa.OPEN: bytes(4) + lsa.ATTRIBUTES + struct.pack("<I", GRANTED),
    lsa.OPEN2: lsa.opening(),
    lsa.QUERY: HANDLE + struct.pack("<H", 5),
    lsa.LOOKUP_SIDS: HANDLE + lsa.sids(lsa.USER_SID, lsa.UNKNOWN_SID),
    lsa.LOOKUP_SIDS2: HANDLE + lsa.sids(lsa.USER_SID, tail=lsa.EX),
    lsa.LOOKUP_NAMES: HANDLE + lsa.names("SMBGATE\\staff", "other"),
    lsa.LOOKUP_NAMES3: HANDLE + lsa.names("SMBGATE\\staff", tail=lsa.EX),
}
OPERATIONS = [(SRVSVC, opnum, stub) for opnum, stub in STUBS.items()]
OPERATIONS += [(LSARPC, opnum, stub) for opnum, stub in LSA_STUBS.items()]
FRAMES = [
    bind(),
    *(request(opnum, stub, call_id=number) for number, (opnum, stub) in enumerate(STUBS.items(), 2)),
    bind(packet_type=14),
    request(21, STUBS[21][:4], flags=1),
    request(21, STUBS[21][4:], flags=2),
]
CORPUS = b"".join(FRAMES)
PACKET_TYPES_OF_A_SERVER = {2, 3, 12, 13, 15}
MUTATIONS = (0x00, 0x01, 0x7F, 0x80, 0xFF)


def drain(opened: Pipe) -> None:
    """Read all answers; each has to be one whole fragment that a server may send."""
    while opened.available:
        fragment, more = opened.read(65536)
        assert not more
        assert fragment[2] in PACKET_TYPES_OF_A_SERVER
        assert struct.unpack_from("<H", fragment, 8) == (len(fragment),)


def feed(opened: Pipe, data: bytes) -> None:
    for start in range(0, len(data), MAX_INPUT):
        try:
            opened.write(data[start : start + MAX_INPUT])
        except StatusError:
            break
        drain(opened)


@pytest.mark.parametrize(("interface", "opnum", "stub"), OPERATIONS, ids=lambda value: getattr(value, "pipe_name", ""))
@pytest.mark.parametrize("order", ["little", "big"])
def test_stubs_truncated_and_mutated(interface, opnum, stub, order) -> None:
    operation = interface.operations[opnum]
    mutants = [stub[:length] for length in range(len(stub))]
    mutants += [stub[:at] + bytes([value]) + stub[at + 1 :] for at in range(len(stub)) for value in MUTATIONS]
    for mutant in mutants:
        writer = NdrWriter()
        call = Call(server(), ADMINISTRATOR)
        call.handles.open(Policy(GRANTED))
        try:
            operation(call, NdrReader(mutant, order), writer)
        except (RpcError, RpcFault):
            continue
        assert writer.to_bytes()


def test_streams_truncated_at_every_length() -> None:
    for length in range(len(CORPUS)):
        feed(pipe(), CORPUS[:length])


@pytest.mark.parametrize("value", MUTATIONS)
def test_streams_mutated_at_every_byte(value) -> None:
    for at in range(len(CORPUS)):
        feed(pipe(), CORPUS[:at] + bytes([value]) + CORPUS[at + 1 :])


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(FRAMES), st.binary(max_size=64)), max_size=12))
def test_frames_in_any_order(frames) -> None:
    opened = pipe()
    feed(opened, FRAMES[0])
    for frame in frames:
        feed(opened, frame)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 21), st.integers(0, 255), st.integers(0, 40), st.binary(max_size=80)), max_size=8)
)
def test_well_formed_headers_with_any_body(pdus) -> None:
    opened = pipe()
    feed(opened, FRAMES[0])
    for packet_type, flags, opnum, stub in pdus:
        frame = bytearray(request(opnum, stub, flags=flags))
        frame[2] = packet_type
        feed(opened, bytes(frame))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 40), st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=6))
def test_any_stub_cut_anywhere(opnum, stub, cuts) -> None:
    opened = pipe()
    feed(opened, FRAMES[0])
    edges = [0, *sorted(min(cut, len(stub)) for cut in cuts), len(stub)]
    parts = [stub[start:end] for start, end in pairwise(edges)]
    for number, part in enumerate(parts):
        flags = (number == 0) | (number == len(parts) - 1) << 1
        feed(opened, request(opnum, part, flags=flags))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.sampled_from(["little", "big"]), st.lists(st.integers(0, 12), max_size=12))
def test_the_reader_raises_only_its_error(data, order, steps) -> None:
    reader = NdrReader(data, order)
    reads = (
        reader.u8,
        reader.u16,
        reader.u32,
        reader.u64,
        reader.uuid,
        reader.wide_string,
        reader.unique_wide_string,
        reader.conformant_bytes,
        reader.conformance,
        reader.referent,
        lambda: reader.counted_string(4),
        lambda: read_sid(reader),
        lambda: read_strings(reader, 2),
    )
    for step in steps:
        before = reader.remaining
        try:
            reads[step]()
        except RpcError:
            break
        assert reader.remaining <= before
