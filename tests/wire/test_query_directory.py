"""QUERY_DIRECTORY and CHANGE_NOTIFY."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.change_notify import SMB2_WATCH_TREE, ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.query_directory import SMB2_RESTART_SCANS, QueryDirectoryRequest, QueryDirectoryResponse
from tests.wire.helpers import check_truncation, message, round_trip


def test_request() -> None:
    request = QueryDirectoryRequest(
        file_information_class=37,
        flags=SMB2_RESTART_SCANS,
        file_index=3,
        persistent_file_id=5,
        volatile_file_id=6,
        output_buffer_length=65536,
        pattern="*.t<t",
    )
    assert round_trip(request).file_name_offset == 96
    check_truncation(request)
    assert round_trip(QueryDirectoryRequest()).pattern == ""


@pytest.mark.parametrize(("offset", "length"), [(95, 2), (96, 1), (96, 4), (0xFFFF, 2)])
def test_bad_pattern(offset, length) -> None:
    body = bytearray(QueryDirectoryRequest(pattern="*").to_bytes())
    struct.pack_into("<HH", body, 24, offset, length)
    with pytest.raises(WireError):
        QueryDirectoryRequest.parse(message(bytes(body)))


@pytest.mark.parametrize("kind", [QueryDirectoryResponse, ChangeNotifyResponse])
def test_response(kind) -> None:
    response = kind(output=b"entries")
    assert round_trip(response).output_buffer_offset == 72
    check_truncation(response)
    empty = kind()
    assert round_trip(empty).output == b""
    assert kind.body(b"entries") == response.to_bytes()


def test_change_notify() -> None:
    request = ChangeNotifyRequest(
        flags=SMB2_WATCH_TREE,
        output_buffer_length=4096,
        persistent_file_id=5,
        volatile_file_id=6,
        completion_filter=0x17,
    )
    round_trip(request)
    assert len(request.to_bytes()) == 32
    check_truncation(request)
