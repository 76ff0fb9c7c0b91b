"""QUERY_INFO and SET_INFO."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.query_info import QueryInfoRequest, QueryInfoResponse
from gateway.wire.set_info import SetInfoRequest, SetInfoResponse
from tests.wire.helpers import check_truncation, message, round_trip


def test_query() -> None:
    request = QueryInfoRequest(
        info_type=1,
        file_info_class=15,
        output_buffer_length=65536,
        additional_information=7,
        flags=3,
        persistent_file_id=5,
        volatile_file_id=6,
        input=memoryview(b"list of names"),
    )
    assert round_trip(request).input_buffer_offset == 104
    check_truncation(request)
    plain = QueryInfoRequest(info_type=1)
    assert round_trip(plain).input == b""
    assert len(plain.to_bytes()) == 41


@pytest.mark.parametrize(("offset", "length"), [(103, 4), (104, 5), (104, 0xFFFFFFFF), (0xFFFF, 1)])
def test_bad_query(offset, length) -> None:
    body = bytearray(QueryInfoRequest(input=memoryview(b"list")).to_bytes())
    struct.pack_into("<HHI", body, 8, offset, 0, length)
    with pytest.raises(WireError):
        QueryInfoRequest.parse(message(bytes(body)))


def test_query_response() -> None:
    round_trip(QueryInfoResponse(output=b"information"))
    check_truncation(QueryInfoResponse(output=b"information"))


def test_set() -> None:
    request = SetInfoRequest(
        info_type=3,
        file_info_class=20,
        additional_information=4,
        persistent_file_id=5,
        volatile_file_id=6,
        buffer=memoryview(b"information"),
    )
    assert round_trip(request).buffer_offset == 96
    check_truncation(request)
    assert round_trip(SetInfoRequest()).buffer == b""


@pytest.mark.parametrize(("offset", "length"), [(95, 4), (96, 5), (96, 0xFFFFFFFF), (0xFFFF, 1)])
def test_bad_set(offset, length) -> None:
    body = bytearray(SetInfoRequest(buffer=memoryview(b"list")).to_bytes())
    struct.pack_into("<IH", body, 4, length, offset)
    with pytest.raises(WireError):
        SetInfoRequest.parse(message(bytes(body)))


def test_set_response() -> None:
    round_trip(SetInfoResponse())
    assert SetInfoResponse().to_bytes() == b"\2\0"
    check_truncation(SetInfoResponse())
