"""The three messages of NTLM and their attribute-value pairs ([MS-NLMP] 2.2)."""

import struct
from dataclasses import dataclass
from typing import Final

from gateway.auth.errors import AuthError
from gateway.nt.status import STATUS_INVALID_PARAMETER

SIGNATURE: Final = b"NTLMSSP\x00"

NEGOTIATE_UNICODE: Final = 0x00000001
REQUEST_TARGET: Final = 0x00000004
NEGOTIATE_SIGN: Final = 0x00000010
NEGOTIATE_SEAL: Final = 0x00000020
NEGOTIATE_NTLM: Final = 0x00000200
NEGOTIATE_ALWAYS_SIGN: Final = 0x00008000
TARGET_TYPE_SERVER: Final = 0x00020000
NEGOTIATE_EXTENDED_SESSIONSECURITY: Final = 0x00080000
NEGOTIATE_TARGET_INFO: Final = 0x00800000
NEGOTIATE_VERSION: Final = 0x02000000
NEGOTIATE_128: Final = 0x20000000
NEGOTIATE_KEY_EXCH: Final = 0x40000000
NEGOTIATE_56: Final = 0x80000000

AV_EOL: Final = 0
AV_NB_COMPUTER_NAME: Final = 1
AV_NB_DOMAIN_NAME: Final = 2
AV_DNS_COMPUTER_NAME: Final = 3
AV_DNS_DOMAIN_NAME: Final = 4
AV_FLAGS: Final = 6
AV_TIMESTAMP: Final = 7

AV_FLAG_MIC_PRESENT: Final = 0x00000002

MIC: Final = slice(72, 88)
"""Where the MIC lies in an AUTHENTICATE_MESSAGE that has one."""

_NEGOTIATE = 1
_CHALLENGE = 2
_AUTHENTICATE = 3
_TYPE = struct.Struct("<8sI")
_U32 = struct.Struct("<I")
_FIELDS = struct.Struct("<HHI")
_AV_PAIR = struct.Struct("<HH")
_CHALLENGE_HEADER = struct.Struct("<8sI HHI I 8s 8x HHI 8s")
_NEGOTIATE_MIN = 16
_AUTHENTICATE_MIN = 64
# Windows 7's number and NTLMSSP_REVISION_W2K3: clients only show it, but Windows sends one whenever asked.
_VERSION = bytes((6, 1, 0, 0, 0, 0, 0, 15))
# RespType, HiRespType, 6 reserved, TimeStamp, ChallengeFromClient, 4 reserved
_CLIENT_CHALLENGE_HEADER = 28
_PROOF = 16
_MAX_NAME = 512


def malformed(reason: str) -> AuthError:
    """The error for a token that breaks its format."""
    return AuthError(STATUS_INVALID_PARAMETER, reason)


def message_type(token: bytes) -> int:
    """MessageType of an NTLM message. Raises AuthError if *token* is none."""
    if len(token) < _TYPE.size:
        raise malformed("an NTLM message is too short")
    signature, number = _TYPE.unpack_from(token)
    if signature != SIGNATURE:
        raise malformed("not an NTLM message")
    return int(number)


def negotiate_flags(token: bytes) -> int:
    """NegotiateFlags of a NEGOTIATE_MESSAGE, the only part of it that matters. Raises AuthError."""
    if message_type(token) != _NEGOTIATE or len(token) < _NEGOTIATE_MIN:
        raise malformed("no NTLM NEGOTIATE_MESSAGE where one is due")
    return int(_U32.unpack_from(token, 12)[0])


def pack_av_pairs(pairs: list[tuple[int, bytes]]) -> bytes:
    """A list of AV_PAIR with its end, [MS-NLMP] 2.2.2.1."""
    packed = [_AV_PAIR.pack(number, len(value)) + value for number, value in pairs]
    return b"".join(packed) + _AV_PAIR.pack(AV_EOL, 0)


def parse_av_pairs(data: bytes) -> dict[int, bytes]:
    """AV_PAIRs up to MsvAvEOL; of two with the same number the first counts. Raises AuthError."""
    pairs: dict[int, bytes] = {}
    at = 0
    while at + _AV_PAIR.size <= len(data):
        number, length = _AV_PAIR.unpack_from(data, at)
        at += _AV_PAIR.size
        if number == AV_EOL:
            return pairs
        if length > len(data) - at:
            break
        pairs.setdefault(number, data[at : at + length])
        at += length
    raise malformed("NTLM attribute-value pairs without an end")


def pack_challenge(flags: int, target_name: str, server_challenge: bytes, target_info: bytes) -> bytes:
    """A CHALLENGE_MESSAGE, [MS-NLMP] 2.2.1.2."""
    name = target_name.encode("utf-16-le")
    start = _CHALLENGE_HEADER.size
    header = _CHALLENGE_HEADER.pack(
        SIGNATURE,
        _CHALLENGE,
        len(name),
        len(name),
        start,
        flags,
        server_challenge,
        len(target_info),
        len(target_info),
        start + len(name),
        _VERSION if flags & NEGOTIATE_VERSION else bytes(8),
    )
    return header + name + target_info


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE_MESSAGE, [MS-NLMP] 2.2.1.3."""

    flags: int
    lm_response: bytes
    nt_response: bytes
    domain: str
    user: str
    workstation: str
    encrypted_session_key: bytes

    @property
    def is_anonymous(self) -> bool:
        """Whether the client names nobody and proves nothing, [MS-NLMP] 3.2.5.1.2."""
        return not self.user and not self.nt_response and self.lm_response in {b"", b"\x00"}


def parse_authenticate(token: bytes) -> Authenticate:
    """Parse an AUTHENTICATE_MESSAGE. Raises AuthError.

    The version and the MIC are not looked for here: whether they exist, only the NTLMv2 response says.
    """
    if message_type(token) != _AUTHENTICATE or len(token) < _AUTHENTICATE_MIN:
        raise malformed("no NTLM AUTHENTICATE_MESSAGE where one is due")
    flags = _U32.unpack_from(token, 60)[0]
    if not flags & NEGOTIATE_UNICODE:
        raise malformed("an NTLM AUTHENTICATE_MESSAGE that is not in Unicode")
    return Authenticate(
        flags=flags,
        lm_response=_field(token, 12),
        nt_response=_field(token, 20),
        domain=_name(token, 28),
        user=_name(token, 36),
        workstation=_name(token, 44),
        encrypted_session_key=_field(token, 52),
    )


def _field(token: bytes, at: int) -> bytes:
    """What a (Len, MaxLen, BufferOffset) at *at* points to. MaxLen is to be ignored, [MS-NLMP] 2.2.1.3."""
    length, _max_length, offset = _FIELDS.unpack_from(token, at)
    if not length:
        return b""
    if offset < _AUTHENTICATE_MIN or offset + length > len(token):
        raise malformed("an NTLM field points out of its message")
    return token[offset : offset + length]


def _name(token: bytes, at: int) -> str:
    raw = _field(token, at)
    if len(raw) > _MAX_NAME:
        raise malformed("a name in an NTLM message is too long")
    try:
        return raw.decode("utf-16-le")
    except UnicodeDecodeError:
        raise malformed("a name in an NTLM message is not UTF-16") from None


@dataclass(frozen=True, slots=True)
class Ntlmv2Response:
    """NTLMv2_RESPONSE, [MS-NLMP] 2.2.2.8: a proof over the client's challenge, which holds the AV pairs."""

    proof: bytes
    client_challenge: bytes
    av_pairs: dict[int, bytes]

    @property
    def has_mic(self) -> bool:
        """Whether the client says that its AUTHENTICATE_MESSAGE carries a MIC."""
        flags = self.av_pairs.get(AV_FLAGS, b"")
        return len(flags) == _U32.size and bool(_U32.unpack(flags)[0] & AV_FLAG_MIC_PRESENT)


def parse_ntlmv2_response(data: bytes) -> Ntlmv2Response:
    """Parse an NTLMv2_RESPONSE. Raises AuthError."""
    challenge = data[_PROOF:]
    if len(challenge) < _CLIENT_CHALLENGE_HEADER or challenge[:2] != b"\x01\x01":
        raise malformed("an NTLMv2 response without its client challenge")
    return Ntlmv2Response(data[:_PROOF], challenge, parse_av_pairs(challenge[_CLIENT_CHALLENGE_HEADER:]))
