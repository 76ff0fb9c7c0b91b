"""The TRANSFORM header and the SMB1 NEGOTIATE."""

import pytest

from gateway.wire import WireError
from gateway.wire.smb1 import SMB1_DIALECT_202, SMB1_DIALECT_WILDCARD, Smb1NegotiateRequest
from gateway.wire.transform import TRANSFORM_HEADER_SIZE, TransformHeader
from tests.wire.helpers import check_truncation, data_round_trip

# What smbclient of Samba 4.17 sends with `client min protocol = NT1`.
SMB1 = (
    bytes.fromhex("ff534d42 72 00000000 18 43c8 0000 0000000000000000 0000 0000 feff 0000 0000 00 2200")
    + b"\x02NT LM 0.12\0\x02SMB 2.002\0\x02SMB 2.???\0"
)


def test_transform() -> None:
    header = TransformHeader(
        signature=b"s" * 16, nonce=b"n" * 12 + bytes(4), original_message_size=100, session_id=0x1122334455667788
    )
    data_round_trip(header)
    data = header.to_bytes()
    assert len(data) == TRANSFORM_HEADER_SIZE
    assert data == b"\xfdSMB" + b"s" * 16 + b"n" * 12 + bytes.fromhex("00000000 64000000 0000 0100 8877665544332211")
    check_truncation(header, header=0)


def test_no_transform() -> None:
    with pytest.raises(WireError):
        TransformHeader.parse(b"\xfeSMB" + bytes(60))


def test_smb1() -> None:
    request = Smb1NegotiateRequest.parse(memoryview(SMB1))
    assert request.dialects == ("NT LM 0.12", SMB1_DIALECT_202, SMB1_DIALECT_WILDCARD)
    assert Smb1NegotiateRequest.parse(memoryview(request.to_bytes())) == request
    for length in range(len(SMB1)):
        with pytest.raises(WireError):
            Smb1NegotiateRequest.parse(memoryview(SMB1)[:length])


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 0xFE), (4, 0x73), (9, 0x98), (32, 1), (33, 0), (33, 0x21), (34, 1), (35, 1), (47, 1)],
)
def test_bad_smb1(place, value) -> None:
    frame = bytearray(SMB1)
    frame[place] = value
    with pytest.raises(WireError):
        Smb1NegotiateRequest.parse(memoryview(frame))


def test_smb1_with_too_many_dialects() -> None:
    frame = Smb1NegotiateRequest(("x",) * 65).to_bytes()
    with pytest.raises(WireError):
        Smb1NegotiateRequest.parse(memoryview(frame))
