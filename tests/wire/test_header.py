"""The SMB2 header."""

import pytest

from gateway.wire import WireError
from gateway.wire.header import (
    SMB2_FLAGS_ASYNC_COMMAND,
    SMB2_FLAGS_SERVER_TO_REDIR,
    Header,
    Opcode,
    opcode_name,
)

# A READ request as it stands in [MS-SMB2] 4.4 in form: charge 1, 31 credits, message 6, tree 1.
FRAME = bytes.fromhex(
    "fe534d42 4000 0100 03000000 0800 1f00 00000000 00000000 0600000000000000 fffe0000 01000000 1900000000040000"
    "00112233445566778899aabbccddeeff"
)


def test_parse() -> None:
    header = Header.parse(memoryview(FRAME))
    same = Header(
        credit_charge=1,
        status=3,
        command=Opcode.READ,
        credits=31,
        message_id=6,
        process_id=0xFEFF,
        tree_id=1,
        session_id=0x400_0000_0019,
        signature=bytes.fromhex("00112233445566778899aabbccddeeff"),
    )
    assert header.to_bytes() == same.to_bytes() == FRAME
    assert header.channel_sequence == 3


def test_async() -> None:
    header = Header(flags=SMB2_FLAGS_ASYNC_COMMAND | SMB2_FLAGS_SERVER_TO_REDIR, async_id=0x1122334455667788)
    frame = header.to_bytes()
    assert frame[32:40] == bytes.fromhex("8877665544332211")
    parsed = Header.parse(memoryview(frame))
    assert (parsed.async_id, parsed.process_id, parsed.tree_id) == (header.async_id, 0, 0)
    assert parsed.to_bytes() == frame


def test_pack_into() -> None:
    buffer = bytearray(b"x" * 70)
    Header.parse(memoryview(FRAME)).pack_into(buffer, 4)
    assert buffer == b"xxxx" + FRAME + b"xx"


@pytest.mark.parametrize("length", range(64))
def test_short(length) -> None:
    with pytest.raises(WireError):
        Header.parse(memoryview(FRAME)[:length])


@pytest.mark.parametrize(("at", "value"), [(0, 0xFF), (0, 0xFD), (3, 0), (4, 63), (5, 1)])
def test_not_a_header(at, value) -> None:
    frame = bytearray(FRAME)
    frame[at] = value
    with pytest.raises(WireError):
        Header.parse(memoryview(frame))


def test_opcode_names() -> None:
    assert opcode_name(Opcode.OPLOCK_BREAK) == "OPLOCK_BREAK"
    assert opcode_name(0x1234) == "command 0x1234"
