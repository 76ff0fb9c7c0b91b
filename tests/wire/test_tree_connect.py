"""TREE_CONNECT and TREE_DISCONNECT."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.contexts import TypedContext
from gateway.wire.tree_connect import SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT, TreeConnectRequest, TreeConnectResponse
from gateway.wire.tree_disconnect import TreeDisconnectRequest, TreeDisconnectResponse
from tests.wire.helpers import check_truncation, message, round_trip

PATH = "\\\\server\\share"


def test_request() -> None:
    request = TreeConnectRequest(path=PATH)
    assert round_trip(request).path_offset == 72
    check_truncation(request)
    assert round_trip(TreeConnectRequest()).path == ""


@pytest.mark.parametrize("path", [PATH, PATH + "s", "\\\\a\\b"])
def test_extension(path) -> None:
    """The path is located from the header as ever, the contexts from the body."""
    request = TreeConnectRequest(path=path, contexts=(TypedContext(1, b"identity"), TypedContext(9, b"x")))
    body = request.to_bytes()
    parsed = round_trip(request)
    assert parsed.flags == SMB2_TREE_CONNECT_FLAG_EXTENSION_PRESENT
    assert parsed.path_offset == 88
    assert parsed.path == path
    (offset,) = struct.unpack_from("<I", body, 8)
    assert body[offset : offset + 16] == bytes.fromhex("0100 0800 00000000") + b"identity"
    check_truncation(request)


def test_extension_flag_without_extension() -> None:
    body = TreeConnectRequest(path="ab").to_bytes()
    with pytest.raises(WireError):
        TreeConnectRequest.parse(message(body[:2] + b"\4\0" + body[4:]))


@pytest.mark.parametrize(("offset", "length"), [(71, 2), (72, 3), (72, 100), (0xFFFF, 2), (0, 26), (74, 28)])
def test_bad_path(offset, length) -> None:
    body = bytearray(TreeConnectRequest(path=PATH).to_bytes())
    struct.pack_into("<HH", body, 4, offset, length)
    with pytest.raises(WireError):
        TreeConnectRequest.parse(message(bytes(body)))


def test_response() -> None:
    response = TreeConnectResponse(share_type=2, share_flags=0x30, capabilities=8, maximal_access=0x1F01FF)
    round_trip(response)
    assert response.to_bytes() == bytes.fromhex("1000 02 00 30000000 08000000 ff011f00")
    check_truncation(response)


def test_disconnect() -> None:
    for structure in (TreeDisconnectRequest(), TreeDisconnectResponse()):
        round_trip(structure)
        assert structure.to_bytes() == b"\4\0\0\0"
        check_truncation(structure)
