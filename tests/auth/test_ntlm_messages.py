import pytest

from gateway.auth.errors import AuthError
from gateway.auth.ntlm_messages import (
    AV_FLAGS,
    AV_TIMESTAMP,
    message_type,
    pack_av_pairs,
    parse_authenticate,
    parse_av_pairs,
    parse_ntlmv2_response,
)
from gateway.nt.status import STATUS_INVALID_PARAMETER

UNICODE = 1


def authenticate(*fields, flags=UNICODE):
    """An AUTHENTICATE_MESSAGE of *fields*: LM and NT response, domain, user, workstation, session key."""
    header, payload = b"", b""
    for field in fields:
        size = len(field).to_bytes(2, "little")
        header += size + b"\xff\xff" + (64 + len(payload)).to_bytes(4, "little")
        payload += field
    return b"NTLMSSP\x00\x03\x00\x00\x00" + header + flags.to_bytes(4, "little") + payload


def name(text):
    return text.encode("utf-16-le", "surrogatepass")


def test_authenticate():
    got = parse_authenticate(
        authenticate(b"lm", b"nt", name("Dom"), name("Ünï"), name("WS"), b"k" * 16, flags=0x80000001)
    )
    assert (got.lm_response, got.nt_response, got.encrypted_session_key) == (b"lm", b"nt", b"k" * 16)
    assert (got.domain, got.user, got.workstation) == ("Dom", "Ünï", "WS")
    assert got.flags == 0x80000001
    assert not got.is_anonymous


@pytest.mark.parametrize(
    ("lm", "nt", "user", "anonymous"),
    [
        (b"", b"", "", True),
        (b"\x00", b"", "", True),
        (b"\x01", b"", "", False),
        (b"\x00\x00", b"", "", False),
        (b"", b"x", "", False),
        (b"", b"", "u", False),
    ],
)
def test_who_is_anonymous(lm, nt, user, anonymous):
    assert parse_authenticate(authenticate(lm, nt, b"", name(user), b"", b"")).is_anonymous is anonymous


@pytest.mark.parametrize(
    "token",
    [
        authenticate(b"", b"", b"", name("u"), b"", b"", flags=2),
        authenticate(b"", b"", b"", b"odd", b"", b""),
        authenticate(b"", b"", b"", name("\ud800"), b"", b""),
        authenticate(b"", b"", b"", name("u" * 257), b"", b""),
        authenticate(b"", b"", b"", name("u"), b"", b"")[:-1],
        authenticate(b"", b"", b"", name("u"), b"", b"").replace(b"\x02\x00\xff\xff\x40", b"\x02\x00\xff\xff\x3f"),
        authenticate(b"", b"", b"", b"", b"", b"")[:-1],
        b"NTLMSSP\x00\x01" + authenticate(b"", b"", b"", b"", b"", b"")[9:],
    ],
)
def test_what_is_no_authenticate(token):
    with pytest.raises(AuthError) as caught:
        parse_authenticate(token)
    assert caught.value.status == STATUS_INVALID_PARAMETER


def test_an_empty_field_may_point_anywhere():
    token = authenticate(b"", b"", b"", name("u"), b"", b"")
    assert parse_authenticate(token[:16] + b"\xff\xff\xff\xff" + token[20:]).user == "u"


def test_message_type():
    assert message_type(authenticate(b"", b"", b"", b"", b"", b"")) == 3
    for token in (b"NTLMSSP\x00\x03\x00\x00", b"NTLMSSQ\x00\x03\x00\x00\x00"):
        with pytest.raises(AuthError):
            message_type(token)


def test_av_pairs():
    packed = pack_av_pairs([(AV_TIMESTAMP, b"12345678"), (1, b""), (1, b"second")])
    assert parse_av_pairs(packed + b"what follows the end") == {AV_TIMESTAMP: b"12345678", 1: b""}
    for length in range(len(packed)):
        with pytest.raises(AuthError):
            parse_av_pairs(packed[:length])


@pytest.mark.parametrize(
    ("value", "has_mic"),
    [(b"\x02\x00\x00\x00", True), (b"\x07\x00\x00\x00", True), (b"\x01\x00\x00\x00", False), (b"\x02", False)],
)
def test_the_flag_of_the_mic(value, has_mic):
    response = bytes(16) + b"\x01\x01" + bytes(26) + pack_av_pairs([(AV_FLAGS, value)])
    assert parse_ntlmv2_response(response).has_mic is has_mic


def test_what_is_no_ntlmv2_response():
    good = bytes(16) + b"\x01\x01" + bytes(26) + pack_av_pairs([])
    assert not parse_ntlmv2_response(good).has_mic
    for bad in (good[:-1], good[:43], bytes(16) + b"\x01\x02" + good[18:], bytes(16) + b"\x02\x01" + good[18:]):
        with pytest.raises(AuthError):
            parse_ntlmv2_response(bad)
