"""Log-ons of other people's clients: pyspnego and impacket."""

import dataclasses
from typing import Any

import pytest
import spnego
from impacket import ntlm as impacket_ntlm
from spnego._ntlm_raw.messages import AvId, Challenge, NegotiateFlags

from gateway.auth.acceptor import MapToGuest, initial_token
from gateway.auth.errors import AuthError
from gateway.auth.ntlm_keys import nt_hash_from_password
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_ACCOUNT_DISABLED,
    STATUS_INVALID_PARAMETER,
    STATUS_LOGON_FAILURE,
)
from gateway.nt.time import filetime_from_ns
from tests.auth.conftest import NOW, POLICY
from tests.auth.peers import impacket_log_on, log_on, spnego_client

PROTOCOLS = ["ntlm", "negotiate"]
INTEGRITY = spnego.ContextReq.default | spnego.ContextReq.integrity


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("flags", [spnego.ContextReq.default, INTEGRITY, INTEGRITY | spnego.ContextReq.confidentiality])
@pytest.mark.parametrize(
    ("user", "domain"),
    [
        ("alice", ""),
        ("ALICE", ""),
        ("WORKGROUP\\alice", "WORKGROUP"),
        ("DESKTOP-1\\aLiCe", "DESKTOP-1"),
        ("nirgendwo.example\\alice", "nirgendwo.example"),
        ("alice@example.com", ""),
    ],
)
def test_pyspnego_logs_on(make_acceptor, protocol, flags, user, domain):
    result = log_on(make_acceptor(), spnego_client(user, "Secret-1", protocol, flags))
    assert result.client.complete
    assert result.identity.session_key == result.key
    assert len(result.key) == 16
    assert result.identity.user == "alice"
    assert result.identity.domain == domain
    assert not result.identity.is_guest
    assert "session_key" not in repr(result.identity)


def test_pyspnego_begins_with_the_servers_token(make_acceptor):
    client = spnego_client("alice", "Secret-1")
    token = client.step(initial_token(POLICY))
    acceptor = make_acceptor()
    answer = acceptor.step(token, NOW).token
    step = acceptor.step(client.step(answer), NOW)
    client.step(step.token)
    assert client.complete
    assert step.identity.session_key == client.session_key


@pytest.mark.parametrize("user", ["Straße", "STRAßE", "straße"])
def test_letters_whose_upper_case_is_disputed(make_acceptor, user):
    result = log_on(make_acceptor(), spnego_client(user, "pässword €\U0001f511"))
    assert result.identity.user == "Straße"
    assert result.identity.session_key == result.key


def test_an_empty_password_is_one(make_acceptor):
    assert impacket_log_on(make_acceptor(), "empty", "").identity.user == "empty"
    with pytest.raises(AuthError):
        impacket_log_on(make_acceptor(), "alice", "")


@pytest.mark.parametrize("signing", [True, False])
@pytest.mark.parametrize("domain", ["", "FILES", "DESKTOP-1"])
def test_impacket_logs_on(make_acceptor, signing, domain):
    """impacket makes no MIC, and without *signing* exchanges no key."""
    result = impacket_log_on(make_acceptor(), "Alice", "Secret-1", domain, signing=signing)
    assert result.identity.user == "alice"
    assert result.identity.domain == domain
    assert result.identity.session_key == result.key
    assert result.answers[1] == b""


def test_impacket_logs_on_with_the_hash(make_acceptor):
    result = impacket_log_on(make_acceptor(), "alice", "", nt_hash=nt_hash_from_password("Secret-1"))
    assert result.identity.session_key == result.key


@pytest.mark.parametrize("domain", ["", "desktop-1"])
def test_clients_that_compute_over_another_domain(make_acceptor, monkeypatch, domain):
    """As some do: the domain in upper case, or none, where the message names another."""
    own = impacket_ntlm.NTOWFv2
    for computed in (domain.upper(), ""):
        monkeypatch.setattr(impacket_ntlm, "NTOWFv2", lambda u, p, d, h="", over=computed: own(u, p, over, h))
        assert impacket_log_on(make_acceptor(), "alice", "Secret-1", domain).identity.user == "alice"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("user", "password"), [("alice", "secret-1"), ("bob", "Secret-1"), ("off", "wrong"), ("x" * 200, "")]
)
def test_wrong_passwords_and_unknown_users_look_alike(make_acceptor, protocol, user, password):
    acceptor = make_acceptor()
    with pytest.raises(AuthError) as caught:
        log_on(acceptor, spnego_client(user, password, protocol))
    assert caught.value.status == STATUS_LOGON_FAILURE
    assert caught.value.account == user
    with pytest.raises(AuthError) as caught:
        acceptor.step(b"NTLMSSP\x00", NOW)
    assert caught.value.status == STATUS_INVALID_PARAMETER


def test_a_disabled_account_is_told_only_to_who_knows_its_password(make_acceptor):
    with pytest.raises(AuthError) as caught:
        log_on(make_acceptor(), spnego_client("off", "Secret-2"))
    assert caught.value.status == STATUS_ACCOUNT_DISABLED


def test_ntlmv1_and_lm_are_refused(make_acceptor, monkeypatch):
    with pytest.raises(AuthError, match="version 1") as caught:
        impacket_log_on(make_acceptor(), "alice", "Secret-1", ntlmv2=False)
    assert caught.value.status == STATUS_LOGON_FAILURE
    for level in "012":
        monkeypatch.setenv("LM_COMPAT_LEVEL", level)
        with pytest.raises(AuthError, match="version 1") as caught:
            log_on(make_acceptor(), spnego_client("alice", "Secret-1", "ntlm"))
        assert caught.value.status == STATUS_LOGON_FAILURE


def test_anonymous_needs_a_policy_that_says_so(make_acceptor):
    with pytest.raises(AuthError) as caught:
        impacket_log_on(make_acceptor(), "", "")
    assert caught.value.status == STATUS_ACCESS_DENIED
    result = impacket_log_on(make_acceptor(dataclasses.replace(POLICY, allow_anonymous=True)), "", "", "SOMEWHERE")
    assert result.identity.is_anonymous
    assert not result.identity.is_guest
    assert (result.identity.user, result.identity.domain) == ("", "SOMEWHERE")
    assert result.identity.session_key == result.key


def test_guests_need_a_policy_that_says_so(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, map_to_guest=MapToGuest.BAD_USER, guest_account="ftp"))
    identity = impacket_log_on(acceptor, "bob", "whatever").identity
    assert identity.is_guest
    assert not identity.is_anonymous
    assert identity.user == "ftp"
    assert identity.session_key == bytes(16)


def test_a_guest_gets_no_mic(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, map_to_guest=MapToGuest.BAD_USER))
    client = spnego_client("bob", "whatever")
    step = acceptor.step(client.step(acceptor.step(client.step(), NOW).token), NOW)
    assert step.identity.is_guest
    assert step.token == bytes.fromhex("a1073005a0030a0100")


def test_no_guest_for_a_wrong_password(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, map_to_guest=MapToGuest.BAD_USER))
    with pytest.raises(AuthError) as caught:
        impacket_log_on(acceptor, "alice", "wrong")
    assert caught.value.status == STATUS_LOGON_FAILURE


def test_what_the_server_says_about_itself(make_acceptor):
    result = impacket_log_on(make_acceptor(), "alice", "Secret-1")
    challenge = Challenge.unpack(result.answers[0])
    assert challenge.target_name == "FILES"
    assert challenge.flags & NegotiateFlags.target_type_server
    info: dict[AvId, Any] = dict(challenge.target_info or {})
    assert info[AvId.nb_computer_name] == "FILES"
    assert info[AvId.nb_domain_name] == "WORKGROUP"
    assert info[AvId.dns_computer_name] == "files.example.com"
    assert info[AvId.dns_domain_name] == "example.com"
    assert info[AvId.timestamp].pack() == filetime_from_ns(NOW).to_bytes(8, "little")


def test_defaults_of_what_the_server_says_about_itself(make_acceptor):
    from gateway.auth.acceptor import AuthPolicy

    result = impacket_log_on(make_acceptor(AuthPolicy("ALONE")), "alice", "Secret-1")
    info: dict[AvId, Any] = dict(Challenge.unpack(result.answers[0]).target_info or {})
    assert info[AvId.nb_domain_name] == "ALONE"
    assert info[AvId.dns_computer_name] == "alone"
    assert AvId.dns_domain_name not in info


def test_a_missing_mic_can_be_refused(make_acceptor):
    strict = dataclasses.replace(POLICY, require_mic=True)
    with pytest.raises(AuthError, match="without a MIC") as caught:
        impacket_log_on(make_acceptor(strict), "alice", "Secret-1")
    assert caught.value.status == STATUS_INVALID_PARAMETER
    assert log_on(make_acceptor(strict), spnego_client("alice", "Secret-1")).identity.user == "alice"


@pytest.mark.parametrize("at", [40, 65, 72, 87])
def test_a_tampered_mic_is_refused(make_acceptor, at):
    def change(number, token):
        return token if number == 0 else token[:at] + bytes((token[at] ^ 1,)) + token[at + 1 :]

    with pytest.raises(AuthError):
        log_on(make_acceptor(), spnego_client("alice", "Secret-1", "ntlm"), change)


def test_a_tampered_negotiate_message_is_refused(make_acceptor):
    def change(number, token):
        return token + b"\x00" if number == 0 else token

    with pytest.raises(AuthError, match="MIC"):
        log_on(make_acceptor(), spnego_client("alice", "Secret-1", "ntlm"), change)


def test_the_session_key_of_a_log_on_is_not_the_next_ones(make_acceptor):
    keys = {log_on(make_acceptor(), spnego_client("alice", "Secret-1")).key for _ in range(3)}
    assert len(keys) == 3
