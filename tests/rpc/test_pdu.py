import pytest

from gateway.rpc import pdu
from gateway.rpc.errors import FaultStatus, RpcError
from gateway.rpc.pdu import PacketFlag
from tests.rpc.client import bind


def test_a_fragment_has_to_be_whole() -> None:
    frame = bind()
    assert pdu.frag_length(frame) == len(frame)
    assert pdu.frag_length(frame[:9]) is None
    assert pdu.parse_header(memoryview(frame)).has(PacketFlag.LAST_FRAG)
    for bad in (frame + b"\0", frame[:-1], frame[:12]):
        with pytest.raises(RpcError):
            pdu.parse_header(memoryview(bad))


def test_an_empty_response_is_one_fragment() -> None:
    (fragment,) = pdu.responses(7, 1, b"", 4280)
    assert fragment == bytes.fromhex("05000203 10000000 1800 0000 07000000 00000000 0100 00 00")


def test_faults() -> None:
    fragment = pdu.fault(1, 2, FaultStatus.OP_RNG_ERROR, executed=False)
    assert fragment == bytes.fromhex("05000323 10000000 2000 0000 01000000 00000000 0200 0000 0200011c 00000000")
    assert pdu.fault(1, 2, FaultStatus.BAD_STUB_DATA, executed=True)[3] == 3
