"""WRITE."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.write import WriteRequest, WriteResponse
from tests.wire.helpers import check_truncation, message, round_trip


def test_request() -> None:
    request = WriteRequest(
        offset=1 << 40,
        persistent_file_id=5,
        volatile_file_id=6,
        channel=7,
        remaining_bytes=8,
        write_channel_info_offset=9,
        write_channel_info_length=10,
        flags=1,
        data=memoryview(b"content"),
    )
    assert round_trip(request).data_offset == 112
    check_truncation(request)
    assert round_trip(WriteRequest()).data == b""


def test_data_is_not_copied() -> None:
    frame = bytearray(message(WriteRequest(data=memoryview(b"content"))))
    request = WriteRequest.parse(memoryview(frame))
    frame[-7:] = b"CONTENT"
    assert bytes(request.data) == b"CONTENT"


@pytest.mark.parametrize(("offset", "length"), [(111, 7), (0, 7), (112, 8), (113, 7), (112, 0xFFFFFFFF), (0xFFFF, 1)])
def test_bad_data(offset, length) -> None:
    body = bytearray(WriteRequest(data=memoryview(b"content")).to_bytes())
    struct.pack_into("<HI", body, 2, offset, length)
    with pytest.raises(WireError):
        WriteRequest.parse(message(bytes(body)))


def test_response() -> None:
    response = WriteResponse(count=65536)
    round_trip(response)
    assert response.to_bytes() == bytes.fromhex("1100 0000 00000100 00000000 0000 0000")
    check_truncation(response)
