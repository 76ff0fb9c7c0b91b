"""SPNEGO tokens in DER ([MS-SPNG] 2.2, RFC 4178 4.2)."""

from dataclasses import dataclass
from enum import IntEnum

from gateway.auth.ntlm_messages import malformed

SPNEGO_OID = bytes.fromhex("2b0601050502")
NTLMSSP_OID = bytes.fromhex("2b06010401823702020a")
"""1.3.6.1.4.1.311.2.2.10."""

_INITIAL = 0x60  # [APPLICATION 0], RFC 2743 3.1
_SEQUENCE = 0x30
_OID = 0x06
_OCTETS = 0x04
_ENUMERATED = 0x0A
_GENERAL_STRING = 0x1B
_INIT = 0xA0
_RESP = 0xA1
_HINT = b"not_defined_in_RFC4178@please_ignore"
_MAX_MECHANISMS = 32


class NegState(IntEnum):
    """NegState, RFC 4178 4.2.2."""

    ACCEPT_COMPLETED = 0
    ACCEPT_INCOMPLETE = 1
    REJECT = 2
    REQUEST_MIC = 3


@dataclass(frozen=True, slots=True)
class NegTokenInit:
    """What a client starts with."""

    mechanisms: list[bytes]
    """Object identifiers, the preferred one first."""
    mechanism_list: bytes
    """The list as it was sent, in DER: what a mechListMIC covers."""
    token: bytes | None
    """The first token of the preferred mechanism."""


@dataclass(frozen=True, slots=True)
class NegTokenResp:
    """What either side goes on with."""

    state: int | None = None
    mechanism: bytes | None = None
    token: bytes | None = None
    mic: bytes | None = None


def _tlv(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _element(data: bytes, at: int) -> tuple[int, int, int]:
    """Tag of the element at *at*, and where its content starts and ends."""
    if at + 2 > len(data):
        raise malformed("an SPNEGO token ends too early")
    tag, size = data[at], data[at + 1]
    at += 2
    if size >= 0x80:
        count = size & 0x7F
        # Indefinite lengths do not exist in DER, and nothing here has one of more than four bytes.
        if not 0 < count <= 4 or at + count > len(data):
            raise malformed("an SPNEGO token with a length that cannot be")
        size = int.from_bytes(data[at : at + count], "big")
        at += count
    if size > len(data) - at:
        raise malformed("an SPNEGO token ends too early")
    return tag, at, at + size


def _content(data: bytes, tag: int) -> bytes:
    """Content of the element that *data* starts with, which must be of *tag*."""
    found, start, end = _element(data, 0)
    if found != tag:
        raise malformed(f"an SPNEGO token with tag {found:#04x} where {tag:#04x} is due")
    return data[start:end]


def _elements(data: bytes, limit: int) -> list[tuple[int, bytes]]:
    """Tag and content of each element in *data*."""
    elements: list[tuple[int, bytes]] = []
    at = 0
    while at < len(data):
        if len(elements) == limit:
            raise malformed("an SPNEGO token with too many elements")
        tag, start, at = _element(data, at)
        elements.append((tag, data[start:at]))
    return elements


def _fields(data: bytes) -> dict[int, bytes]:
    """The tagged fields of a SEQUENCE, by number."""
    return {tag & 0x1F: content for tag, content in _elements(_content(data, _SEQUENCE), 8) if tag & 0xE0 == 0xA0}


def _octets(fields: dict[int, bytes], number: int) -> bytes | None:
    return _content(fields[number], _OCTETS) if number in fields else None


def pack_init(mechanisms: list[bytes]) -> bytes:
    """A NegTokenInit2, by which a server says what it offers, [MS-SPNG] 2.2.1."""
    offered = _tlv(0xA0, _tlv(_SEQUENCE, *(_tlv(_OID, mechanism) for mechanism in mechanisms)))
    # Windows sends this hint in place of a principal, and clients skip it.
    hints = _tlv(0xA3, _tlv(_SEQUENCE, _tlv(0xA0, _tlv(_GENERAL_STRING, _HINT))))
    return _tlv(_INITIAL, _tlv(_OID, SPNEGO_OID), _tlv(_INIT, _tlv(_SEQUENCE, offered, hints)))


def parse_init(token: bytes) -> NegTokenInit:
    """Parse a client's first token. Raises AuthError."""
    body = _content(token, _INITIAL)
    tag, start, end = _element(body, 0)
    if tag != _OID or body[start:end] != SPNEGO_OID:
        raise malformed("a first token that is neither SPNEGO nor NTLM")
    fields = _fields(_content(body[end:], _INIT))
    if 0 not in fields:
        raise malformed("an SPNEGO token without mechanisms")
    mechanisms = _elements(_content(fields[0], _SEQUENCE), _MAX_MECHANISMS)
    if not mechanisms or any(tag != _OID for tag, _content_ in mechanisms):
        raise malformed("an SPNEGO token without mechanisms")
    # [3] would be a mechListMIC, which means nothing before the mechanism has a key.
    return NegTokenInit([oid for _tag, oid in mechanisms], fields[0], _octets(fields, 2))


def parse_resp(token: bytes) -> NegTokenResp:
    """Parse a client's further token. Raises AuthError."""
    fields = _fields(_content(token, _RESP))
    state = None
    if 0 in fields:
        state = int.from_bytes(_content(fields[0], _ENUMERATED)[:2], "big")
    mechanism = _content(fields[1], _OID) if 1 in fields else None
    return NegTokenResp(state, mechanism, _octets(fields, 2), _octets(fields, 3))


def pack_resp(resp: NegTokenResp) -> bytes:
    """A NegTokenResp, RFC 4178 4.2.2."""
    fields: list[bytes] = []
    if resp.state is not None:
        fields.append(_tlv(0xA0, _tlv(_ENUMERATED, bytes((resp.state,)))))
    if resp.mechanism is not None:
        fields.append(_tlv(0xA1, _tlv(_OID, resp.mechanism)))
    if resp.token is not None:
        fields.append(_tlv(0xA2, _tlv(_OCTETS, resp.token)))
    if resp.mic is not None:
        fields.append(_tlv(0xA3, _tlv(_OCTETS, resp.mic)))
    return _tlv(_RESP, _tlv(_SEQUENCE, *fields))
