"""SESSION_SETUP ([MS-SMB2] 2.2.5, 2.2.6)."""

from typing import Final, Self, TypeVar

from gateway.wire.codec import BODY, Body, take, u8, u16, u32, u64, wire

__all__ = [
    "SMB2_SESSION_FLAG_BINDING",
    "SMB2_SESSION_FLAG_ENCRYPT_DATA",
    "SMB2_SESSION_FLAG_IS_GUEST",
    "SMB2_SESSION_FLAG_IS_NULL",
    "SessionSetupRequest",
    "SessionSetupResponse",
]

SMB2_SESSION_FLAG_BINDING: Final = 0x01
"""Of a request."""

SMB2_SESSION_FLAG_IS_GUEST: Final = 0x0001
SMB2_SESSION_FLAG_IS_NULL: Final = 0x0002
SMB2_SESSION_FLAG_ENCRYPT_DATA: Final = 0x0004


@wire
class SessionSetupRequest(Body):
    """[MS-SMB2] 2.2.5."""

    structure_size: u16 = 25
    flags: u8 = 0
    security_mode: u8 = 0
    capabilities: u32 = 0
    channel: u32 = 0
    security_buffer_offset: u16 = 0
    security_buffer_length: u16 = 0
    previous_session_id: u64 = 0
    security_buffer: bytes = b""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.5; raises `WireError`."""
        return _read_token(cls.unpack_from(message, BODY), message)

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in."""
        return _pack_token(self)


@wire
class SessionSetupResponse(Body):
    """[MS-SMB2] 2.2.6."""

    structure_size: u16 = 9
    session_flags: u16 = 0
    security_buffer_offset: u16 = 0
    security_buffer_length: u16 = 0
    security_buffer: bytes = b""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.6; raises `WireError`."""
        return _read_token(cls.unpack_from(message, BODY), message)

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in."""
        return _pack_token(self)


_T = TypeVar("_T", bound=SessionSetupRequest | SessionSetupResponse)


def _read_token(body: _T, message: memoryview) -> _T:
    token = take(message, body.security_buffer_offset, body.security_buffer_length, at_least=body.END)
    body.security_buffer = bytes(token)
    return body


def _pack_token(body: SessionSetupRequest | SessionSetupResponse) -> bytes:
    body.security_buffer_offset = body.END
    body.security_buffer_length = len(body.security_buffer)
    return body.pack() + body.security_buffer
