"""SESSION_SETUP and LOGOFF."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.logoff import LogoffRequest, LogoffResponse
from gateway.wire.session_setup import SessionSetupRequest, SessionSetupResponse
from tests.wire.helpers import check_truncation, message, round_trip


def test_request() -> None:
    request = SessionSetupRequest(
        flags=1, security_mode=2, capabilities=3, channel=4, previous_session_id=5, security_buffer=b"token"
    )
    assert round_trip(request).security_buffer_offset == 88
    assert request.to_bytes() == bytes.fromhex("1900 01 02 03000000 04000000 5800 0500 0500000000000000") + b"token"
    check_truncation(request)
    assert round_trip(SessionSetupRequest()).security_buffer == b""


@pytest.mark.parametrize(("offset", "length"), [(87, 5), (88, 6), (0, 1), (0xFFFF, 0xFFFF), (92, 2)])
def test_bad_buffer(offset, length) -> None:
    body = bytearray(SessionSetupRequest(security_buffer=b"token").to_bytes())
    struct.pack_into("<HH", body, 12, offset, length)
    with pytest.raises(WireError):
        SessionSetupRequest.parse(message(bytes(body)))


def test_response() -> None:
    response = SessionSetupResponse(session_flags=4, security_buffer=b"token")
    assert round_trip(response).security_buffer_offset == 72
    check_truncation(response)
    round_trip(SessionSetupResponse())


def test_logoff() -> None:
    for structure in (LogoffRequest(), LogoffResponse()):
        round_trip(structure)
        assert structure.to_bytes() == b"\4\0\0\0"
        check_truncation(structure)
