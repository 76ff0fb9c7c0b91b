"""NEGOTIATE and its contexts."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.negotiate import DIALECT_311, NegotiateContext, NegotiateRequest, NegotiateResponse
from gateway.wire.negotiate_contexts import (
    AES_128_CCM,
    AES_128_GCM,
    COMPRESSION_LZ77,
    POSIX_EXTENSIONS_GUID,
    SHA_512,
    SIGNING_AES_CMAC,
    SIGNING_AES_GMAC,
    SMB2_COMPRESSION_CAPABILITIES_FLAG_CHAINED,
    Capability,
    CompressionCapabilities,
    EncryptionCapabilities,
    NetnameNegotiateContextId,
    PosixExtensionsAvailable,
    PreauthIntegrityCapabilities,
    RdmaTransformCapabilities,
    SigningCapabilities,
    TransportCapabilities,
)
from tests.wire.helpers import check_truncation, data_round_trip, message, round_trip

CAPABILITIES: tuple[Capability, ...] = (
    PreauthIntegrityCapabilities((SHA_512,), b"salt" * 8),
    EncryptionCapabilities((AES_128_GCM, AES_128_CCM)),
    CompressionCapabilities((COMPRESSION_LZ77,), SMB2_COMPRESSION_CAPABILITIES_FLAG_CHAINED),
    NetnameNegotiateContextId("server.example"),
    TransportCapabilities(1),
    RdmaTransformCapabilities((1, 2)),
    SigningCapabilities((SIGNING_AES_GMAC, SIGNING_AES_CMAC)),
    PosixExtensionsAvailable(),
)
DATA = (
    "0100 2000 0100" + "73616c74" * 8,
    "0200 0200 0100",
    "0100 0000 01000000 0200",
    "7300650072007600650072002e006500780061006d0070006c006500",
    "01000000",
    "0200 0000 00000000 0100 0200",
    "0200 0200 0100",
    "93ad25509cb411e7b42383de968bcd7c",
)


@pytest.mark.parametrize(("capability", "data"), list(zip(CAPABILITIES, DATA, strict=True)))
def test_context_data(capability, data) -> None:
    assert capability.to_bytes() == bytes.fromhex(data.replace(" ", ""))
    data_round_trip(capability)
    assert capability.context() == (capability.TYPE, capability.to_bytes())


@pytest.mark.parametrize("capability", CAPABILITIES, ids=lambda value: type(value).__name__)
def test_context_data_truncated(capability) -> None:
    data = capability.to_bytes()
    for length in range(len(data)):
        if isinstance(capability, NetnameNegotiateContextId) and length % 2 == 0:
            continue
        if isinstance(capability, PosixExtensionsAvailable) and length == 0:
            continue
        with pytest.raises(WireError):
            type(capability).parse(data[:length])


def test_posix_versions() -> None:
    other = b"0123456789abcdef"
    assert PosixExtensionsAvailable.parse(other + POSIX_EXTENSIONS_GUID).guids == (other, POSIX_EXTENSIONS_GUID)


def test_request_311() -> None:
    request = NegotiateRequest(
        security_mode=1,
        capabilities=0x7F,
        client_guid=b"0123456789abcdef",
        dialects=(0x0202, 0x0210, 0x0300, 0x0302, 0x0311),
        contexts=tuple(capability.context() for capability in CAPABILITIES),
    )
    parsed = round_trip(request)
    assert parsed.negotiate_context_offset == 112
    assert [
        type(capability).parse(context.data) for capability, context in zip(CAPABILITIES, parsed.contexts, strict=True)
    ]
    check_truncation(request)


def test_request_before_311() -> None:
    """ClientStartTime is where the contexts would be located, and may be anything."""
    request = NegotiateRequest(
        negotiate_context_offset=0xFFFFFFFF,
        negotiate_context_count=0xFFFF,
        dialects=(0x0202, 0x0210),
    )
    assert round_trip(request).contexts == ()
    check_truncation(request)


def test_request_without_dialects() -> None:
    assert round_trip(NegotiateRequest()).dialects == ()


def test_request_with_too_many_dialects() -> None:
    with pytest.raises(WireError):
        NegotiateRequest.parse(message(NegotiateRequest(dialects=(0x0202,) * 65).to_bytes()))


def broken_contexts(**changes: int) -> memoryview:
    request = NegotiateRequest(dialects=(DIALECT_311,), contexts=(NegotiateContext(1, b"12345678"),) * 2)
    body = bytearray(request.to_bytes())
    places = {"offset": ("<I", 28), "count": ("<H", 32), "first_length": ("<H", 42), "second_length": ("<H", 58)}
    for name, value in changes.items():
        layout, place = places[name]
        struct.pack_into(layout, body, place, value)
    return message(bytes(body))


def test_context_list() -> None:
    assert len(NegotiateRequest.parse(broken_contexts()).contexts) == 2
    assert len(NegotiateRequest.parse(broken_contexts(count=1)).contexts) == 1
    assert not NegotiateRequest.parse(broken_contexts(count=0, offset=0)).contexts
    assert NegotiateRequest.parse(broken_contexts(first_length=3)).contexts[0].data == b"123"


@pytest.mark.parametrize(
    "changes",
    [
        {"count": 3},
        {"count": 33},
        {"count": 0xFFFF},
        {"offset": 0},
        {"offset": 101},
        {"offset": 120},
        {"offset": 0xFFFFFFF8},
        {"first_length": 9},
        {"first_length": 0xFFFF},
        {"second_length": 9},
    ],
)
def test_broken_context_list(changes) -> None:
    with pytest.raises(WireError):
        NegotiateRequest.parse(broken_contexts(**changes))


def test_response_311() -> None:
    response = NegotiateResponse(
        security_mode=3,
        dialect_revision=DIALECT_311,
        server_guid=b"0123456789abcdef",
        capabilities=0x2F,
        max_transact_size=1 << 23,
        max_read_size=1 << 23,
        max_write_size=1 << 23,
        system_time=132_000_000_000_000_000,
        security_buffer=b"\x60\x28" + bytes(40),
        contexts=(CAPABILITIES[0].context(), CAPABILITIES[1].context()),
    )
    parsed = round_trip(response)
    assert parsed.security_buffer_offset == 128
    assert parsed.negotiate_context_offset % 8 == 0
    check_truncation(response)


def test_response_before_311() -> None:
    response = NegotiateResponse(
        dialect_revision=0x0302, security_buffer=b"token", contexts=(CAPABILITIES[0].context(),)
    )
    body = response.to_bytes()
    assert NegotiateResponse.parse(message(body)).contexts == ()
    assert len(body) == 69
    check_truncation(response)
