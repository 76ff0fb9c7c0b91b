"""Whatever a client sends instead of a token, AuthError comes out and nothing else, soon."""

import contextlib
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.auth.acceptor import Acceptor
from gateway.auth.accounts import AccountDatabase
from gateway.auth.errors import AccountsError, AuthError
from gateway.auth.imports import parse_ksmbdpwd, parse_smbpasswd
from gateway.auth.ntlm_messages import parse_authenticate, parse_av_pairs, parse_ntlmv2_response
from gateway.auth.policy import AuthPolicy, Identity, MapToGuest
from gateway.auth.spnego import parse_init, parse_resp
from tests.auth.conftest import DATABASE, NOW
from tests.auth.peers import spnego_client

POLICY = AuthPolicy("FILES", allow_anonymous=True, map_to_guest=MapToGuest.BAD_USER)
CHALLENGE = b"\x07" * 8


def new_acceptor():
    return Acceptor(POLICY, DATABASE.lookup, lambda count: CHALLENGE[:count])


def conversation(protocol, user="alice"):
    """The tokens of a log-on that succeeds, and succeeds again at a server that is not random."""
    acceptor, client = new_acceptor(), spnego_client(user, "Secret-1", protocol)
    first = client.step()
    last = client.step(acceptor.step(first, NOW).token)
    assert acceptor.step(last, NOW).identity
    return [first, last]


CORPUS = {
    f"{protocol}-{user}": conversation(protocol, user)
    for protocol in ("ntlm", "negotiate")
    for user in ("alice", "bob")
}


def take(tokens):
    """Who logs on by *tokens*, if anybody; any exception but AuthError is a failure of the test."""
    acceptor = new_acceptor()
    with contextlib.suppress(AuthError):
        for token in tokens:
            step = acceptor.step(token, NOW)
            assert isinstance(step.token, bytes)
            if step.identity is not None:
                return step.identity
    return None


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("which", [0, 1])
def test_truncated_at_every_length(name, which):
    for length in range(len(CORPUS[name][which])):
        tokens = list(CORPUS[name])
        tokens[which] = tokens[which][:length]
        identity = take(tokens)
        assert identity is None or identity.is_guest


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("which", [0, 1])
def test_mutated_at_every_byte(name, which):
    for at in range(len(CORPUS[name][which])):
        for change in (0x01, 0x80, 0xFF):
            tokens = list(CORPUS[name])
            changed = bytearray(tokens[which])
            changed[at] ^= change
            tokens[which] = bytes(changed)
            identity = take(tokens)
            # What nobody looks at may change: somebody else than who knows the password must not come out.
            assert identity is None or identity.user in {"alice", "nobody"}


@pytest.mark.parametrize("name", ["ntlm-alice", "negotiate-alice"])
def test_the_log_on_itself_still_works(name):
    identity = take(CORPUS[name])
    assert isinstance(identity, Identity)
    assert identity.user == "alice"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=400), max_size=4))
def test_any_bytes(tokens):
    take(tokens)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(sorted(CORPUS)), st.integers(0, 1), st.integers(0, 2000), st.binary(max_size=12), st.integers(0, 12)
)
def test_spliced(name, which, at, inserted, removed):
    tokens = list(CORPUS[name])
    at %= len(tokens[which])
    tokens[which] = tokens[which][:at] + inserted + tokens[which][at + removed :]
    take(tokens)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([12, 20, 28, 36, 44, 52]),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
)
def test_any_field_of_authenticate(at, length, max_length, offset):
    first, last = CORPUS["ntlm-alice"]
    field = length.to_bytes(2, "little") + max_length.to_bytes(2, "little") + offset.to_bytes(4, "little")
    take([first, last[:at] + field + last[at + 8 :]])


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([parse_init, parse_resp, parse_authenticate, parse_av_pairs, parse_ntlmv2_response]),
    st.sampled_from([b"", b"\x60", b"\xa1\x30\x30", b"NTLMSSP\x00\x03\x00\x00\x00", b"\x00" * 16 + b"\x01\x01"]),
    st.binary(max_size=200),
)
def test_parsers_alone(parse, start, data):
    with contextlib.suppress(AuthError):
        parse(start + data)


def test_deep_nesting_and_long_lists_are_cheap():
    take([b"\x60\x82\xff\xf0" * 16_000])
    take([os.urandom(65_536)])
    pairs = b"\x01\x00\x00\x00" * 16_000
    with pytest.raises(AuthError):
        parse_av_pairs(pairs)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=300), st.booleans())
def test_any_text_as_a_file_of_accounts(text, header):
    with contextlib.suppress(AccountsError):
        AccountDatabase.parse("smbgate accounts 1\n" + text if header else text)
    for parse in (parse_smbpasswd, parse_ksmbdpwd):
        parse(text)
