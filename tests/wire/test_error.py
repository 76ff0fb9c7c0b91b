"""The ERROR response."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.error import (
    SMB2_ERROR_ID_SHARE_REDIRECT,
    ErrorContext,
    ErrorResponse,
    SymbolicLinkError,
)
from tests.wire.helpers import check_truncation, data_round_trip, message, round_trip


def test_plain() -> None:
    assert round_trip(ErrorResponse()).error_data == b""
    assert ErrorResponse().to_bytes() == bytes.fromhex("0900 00 00 00000000 00")


def test_data() -> None:
    response = ErrorResponse.of(b"\x20\0\0\0", in_context=False)
    assert round_trip(response).error_data == b"\x20\0\0\0"
    check_truncation(response)


def test_context() -> None:
    response = ErrorResponse.of(b"\x20\0\0\0", in_context=True)
    assert round_trip(response).contexts == (ErrorContext(0, b"\x20\0\0\0"),)
    assert response.to_bytes() == bytes.fromhex("0900 01 00 0c000000 04000000 00000000 20000000")
    check_truncation(response)
    assert ErrorResponse.of(b"", in_context=True) == ErrorResponse()


def test_several_contexts() -> None:
    response = ErrorResponse(contexts=(ErrorContext(0, b"abc"), ErrorContext(SMB2_ERROR_ID_SHARE_REDIRECT, b"")))
    assert len(round_trip(response).contexts) == 2
    check_truncation(response)


@pytest.mark.parametrize(("count", "length"), [(2, 4), (255, 4), (1, 5), (1, 0xFFFFFFFF)])
def test_bad_contexts(count, length) -> None:
    body = bytearray(ErrorResponse.of(b"\x20\0\0\0", in_context=True).to_bytes())
    body[2] = count
    struct.pack_into("<I", body, 8, length)
    with pytest.raises(WireError):
        ErrorResponse.parse(message(bytes(body)))


def test_symbolic_link() -> None:
    error = SymbolicLinkError(unparsed_path_length=8, flags=1, substitute_name="..\\target", print_name="target")
    parsed = data_round_trip(error)
    data = error.to_bytes()
    assert parsed.sym_link_length == len(data) - 4
    assert parsed.reparse_data_length == 12 + 18 + 12
    check_truncation(error, header=0)
    for place in (4, 8):
        with pytest.raises(WireError):
            SymbolicLinkError.parse(data[:place] + b"\xaa" + data[place + 1 :])
