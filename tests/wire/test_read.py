"""READ."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.read import READ_HEADROOM, ReadRequest, ReadResponse
from tests.wire.helpers import check_truncation, message, round_trip


def test_request() -> None:
    request = ReadRequest(
        padding=0x50,
        flags=1,
        length=4096,
        offset=1 << 40,
        persistent_file_id=5,
        volatile_file_id=6,
        minimum_count=7,
        channel=8,
        remaining_bytes=9,
        read_channel_info_offset=10,
        read_channel_info_length=11,
    )
    round_trip(request)
    assert len(request.to_bytes()) == 49
    check_truncation(request, needed=64 + 48)


def test_response() -> None:
    response = ReadResponse(data=memoryview(b"content"))
    assert round_trip(response).data_offset == 80
    check_truncation(response)
    assert round_trip(ReadResponse()).data == b""


def test_response_in_place() -> None:
    buffer = bytearray(READ_HEADROOM) + b"content"
    ReadResponse.pack_into(buffer, 64, 7)
    assert buffer[64:] == ReadResponse(data=memoryview(b"content")).to_bytes()
    assert buffer[:64] == bytes(64)


@pytest.mark.parametrize(("offset", "length"), [(79, 7), (80, 8), (0, 1), (255, 1), (80, 0xFFFFFFFF)])
def test_bad_response(offset, length) -> None:
    body = bytearray(ReadResponse(data=memoryview(b"content")).to_bytes())
    struct.pack_into("<BBI", body, 2, offset, 0, length)
    with pytest.raises(WireError):
        ReadResponse.parse(message(bytes(body)))
