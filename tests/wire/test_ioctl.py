"""IOCTL and FSCTL_VALIDATE_NEGOTIATE_INFO."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.ioctl import NO_FILE_ID, IoctlRequest, IoctlResponse
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from tests.wire.helpers import check_truncation, data_round_trip, message, round_trip


def test_request() -> None:
    request = IoctlRequest(
        ctl_code=0x00140204,
        persistent_file_id=NO_FILE_ID,
        volatile_file_id=NO_FILE_ID,
        max_output_response=24,
        flags=1,
        input=memoryview(b"input"),
    )
    assert round_trip(request).input_offset == 120
    check_truncation(request)
    assert round_trip(IoctlRequest()).input == b""


@pytest.mark.parametrize(
    ("place", "offset", "length"), [(24, 119, 5), (24, 120, 6), (24, 0xFFFFFFFF, 1), (36, 119, 1), (36, 120, 6)]
)
def test_bad_request(place, offset, length) -> None:
    body = bytearray(IoctlRequest(input=memoryview(b"input")).to_bytes())
    struct.pack_into("<II", body, place, offset, length)
    with pytest.raises(WireError):
        IoctlRequest.parse(message(bytes(body)))


@pytest.mark.parametrize("sent", [b"", b"input"])
@pytest.mark.parametrize("output", [b"", b"output"])
def test_response(sent, output) -> None:
    response = IoctlResponse(ctl_code=0x0011C017, persistent_file_id=1, volatile_file_id=2, input=sent, output=output)
    parsed = round_trip(response)
    assert (parsed.input, parsed.output) == (sent, output)
    assert parsed.output_offset % 8 == 0
    check_truncation(response)


def test_validate_negotiate() -> None:
    request = ValidateNegotiateInfoRequest(
        capabilities=0x7F, guid=b"0123456789abcdef", security_mode=1, dialects=(0x0300, 0x0302)
    )
    data_round_trip(request)
    check_truncation(request, header=0)
    response = ValidateNegotiateInfoResponse(capabilities=1, guid=b"0123456789abcdef", security_mode=3, dialect=0x0302)
    data_round_trip(response)
    assert len(response.to_bytes()) == 24
    check_truncation(response, header=0)
