"""SPNEGO's negotiation, with tokens in another library's encoding, and the limits of a log-on."""

import dataclasses
import os
import time
import timeit

import pytest
import spnego
from impacket import ntlm as impacket_ntlm
from spnego._spnego import NegState, NegTokenInit, NegTokenResp, pack_mech_type_list, unpack_token

from gateway.auth import ntlm, ntlm_keys
from gateway.auth.acceptor import Acceptor, MapToGuest, initial_token
from gateway.auth.errors import AuthError
from gateway.auth.ntlm import NtlmAcceptor
from gateway.auth.policy import AuthPolicy
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_LOGON_FAILURE,
    STATUS_NOT_SUPPORTED,
)
from tests.auth.conftest import DATABASE, NOW, POLICY
from tests.auth.peers import log_on, spnego_client

KERBEROS = "1.2.840.113554.1.2.2"
NEGOEX = "1.3.6.1.4.1.311.2.2.30"
NTLM = "1.3.6.1.4.1.311.2.2.10"
INTEGRITY = spnego.ContextReq.default | spnego.ContextReq.integrity


def ntlm_client(user="alice", password="Secret-1"):
    return spnego_client(user, password, "ntlm", INTEGRITY)


def after_challenge(acceptor, client, mechanisms, mech_token=None):
    """Up to the AUTHENTICATE_MESSAGE, with what the server answered on the way."""
    first = NegTokenInit(mech_types=mechanisms, mech_token=mech_token or client.step()).pack()
    answer = unpack_token(acceptor.step(first, NOW).token)
    answers = [answer]
    if not answer.response_token:
        answer = unpack_token(acceptor.step(NegTokenResp(response_token=client.step()).pack(), NOW).token)
        answers.append(answer)
    return client.step(answer.response_token), answers


def downgraded(acceptor, client):
    """A client that prefers Kerberos and sent a ticket along."""
    return after_challenge(acceptor, client, [KERBEROS, NEGOEX, NTLM], b"a ticket")


def test_initial_token_is_what_clients_expect():
    init = unpack_token(initial_token(POLICY))
    assert init.mech_types == [NTLM]
    assert init.hint_name == b"not_defined_in_RFC4178@please_ignore"
    assert initial_token(POLICY) == bytes.fromhex(
        "604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b24"
    ) + (b"not_defined_in_RFC4178@please_ignore")


def test_preferred_mechanism_needs_no_mic(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    token, answers = after_challenge(acceptor, client, [NTLM, KERBEROS])
    assert len(answers) == 1
    assert answers[0].neg_state == NegState.accept_incomplete
    assert answers[0].supported_mech == NTLM
    step = acceptor.step(NegTokenResp(response_token=token).pack(), NOW)
    last = unpack_token(step.token)
    assert last.neg_state == NegState.accept_complete
    assert last.mech_list_mic is None
    assert step.identity.session_key == client.session_key


def test_preferred_mechanism_without_a_token(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    answer = unpack_token(acceptor.step(NegTokenInit(mech_types=[NTLM]).pack(), NOW).token)
    assert (answer.neg_state, answer.supported_mech) == (NegState.accept_incomplete, NTLM)
    challenge = unpack_token(acceptor.step(NegTokenResp(response_token=client.step()).pack(), NOW).token)
    token = client.step(challenge.response_token)
    assert acceptor.step(NegTokenResp(response_token=token).pack(), NOW).identity.user == "alice"


def test_another_mechanism_than_the_preferred_one_needs_both_mics(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    token, answers = downgraded(acceptor, client)
    assert (answers[0].neg_state, answers[0].supported_mech) == (NegState.request_mic, NTLM)
    assert answers[0].response_token is None
    covered = pack_mech_type_list([KERBEROS, NEGOEX, NTLM])
    step = acceptor.step(NegTokenResp(response_token=token, mech_list_mic=client.sign(covered)).pack(), NOW)
    last = unpack_token(step.token)
    assert last.neg_state == NegState.accept_complete
    client.verify(covered, last.mech_list_mic)
    assert step.identity.user == "alice"


def test_the_clients_mic_may_come_last(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    token, _answers = downgraded(acceptor, client)
    covered = pack_mech_type_list([KERBEROS, NEGOEX, NTLM])
    step = acceptor.step(NegTokenResp(response_token=token).pack(), NOW)
    assert step.identity is None
    answer = unpack_token(step.token)
    assert answer.neg_state == NegState.accept_incomplete
    client.verify(covered, answer.mech_list_mic)
    step = acceptor.step(NegTokenResp(mech_list_mic=client.sign(covered)).pack(), NOW)
    assert step.identity.user == "alice"
    assert unpack_token(step.token).neg_state == NegState.accept_complete


def test_a_mic_that_is_due_must_come(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    token, _answers = downgraded(acceptor, client)
    acceptor.step(NegTokenResp(response_token=token).pack(), NOW)
    with pytest.raises(AuthError) as caught:
        acceptor.step(NegTokenResp(neg_state=NegState.accept_complete).pack(), NOW)
    assert caught.value.status == STATUS_INVALID_PARAMETER


@pytest.mark.parametrize("covered", [[NTLM], [KERBEROS, NTLM], [NTLM, KERBEROS, NEGOEX]])
def test_a_changed_list_of_mechanisms_is_seen(make_acceptor, covered):
    acceptor, client = make_acceptor(), ntlm_client()
    token, _answers = downgraded(acceptor, client)
    mic = client.sign(pack_mech_type_list(covered))
    with pytest.raises(AuthError, match="list of mechanisms") as caught:
        acceptor.step(NegTokenResp(response_token=token, mech_list_mic=mic).pack(), NOW)
    assert caught.value.status == STATUS_ACCESS_DENIED


def test_a_wrong_mic_of_a_log_on_that_needs_none(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    token, _answers = after_challenge(acceptor, client, [NTLM])
    with pytest.raises(AuthError, match="list of mechanisms"):
        acceptor.step(NegTokenResp(response_token=token, mech_list_mic=b"\x01" + bytes(15)).pack(), NOW)


def test_a_guest_cannot_be_asked_for_a_mic(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, map_to_guest=MapToGuest.BAD_USER))
    client = ntlm_client("bob", "whatever")
    token, _answers = downgraded(acceptor, client)
    step = acceptor.step(NegTokenResp(response_token=token, mech_list_mic=bytes(16)).pack(), NOW)
    assert step.identity.is_guest
    assert unpack_token(step.token).mech_list_mic is None


@pytest.mark.parametrize("mic", [None, bytes(16)])
def test_without_extended_session_security_no_mic_can_be_made(make_acceptor, mic):
    acceptor = make_acceptor()
    first = impacket_ntlm.getNTLMSSPType1("WS", "", signingRequired=True)
    first["flags"] &= ~impacket_ntlm.NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY
    init = NegTokenInit(mech_types=[NTLM], mech_token=first.getData())
    challenge = unpack_token(acceptor.step(init.pack(), NOW).token).response_token
    last, key = impacket_ntlm.getNTLMSSPType3(first, challenge, "alice", "Secret-1", "")
    resp = NegTokenResp(response_token=last.getData(), mech_list_mic=mic).pack()
    if mic is None:
        assert acceptor.step(resp, NOW).identity.session_key == key
        return
    with pytest.raises(AuthError) as caught:
        acceptor.step(resp, NOW)
    assert caught.value.status == STATUS_NOT_SUPPORTED


def test_no_mechanism_in_common(make_acceptor):
    with pytest.raises(AuthError) as caught:
        make_acceptor().step(NegTokenInit(mech_types=[KERBEROS, NEGOEX], mech_token=b"x").pack(), NOW)
    assert caught.value.status == STATUS_NOT_SUPPORTED


def test_a_client_that_rejects(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    after_challenge(acceptor, client, [NTLM])
    with pytest.raises(AuthError) as caught:
        acceptor.step(NegTokenResp(neg_state=NegState.reject).pack(), NOW)
    assert caught.value.status == STATUS_LOGON_FAILURE


def test_a_client_that_says_nothing(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    after_challenge(acceptor, client, [NTLM])
    with pytest.raises(AuthError) as caught:
        acceptor.step(NegTokenResp(neg_state=NegState.accept_incomplete).pack(), NOW)
    assert caught.value.status == STATUS_INVALID_PARAMETER


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b"N",
        b"NTLMSSP\x00",
        b"NTLMSSP\x00\x01\x00\x00\x00",
        b"NTLMSSP\x00\x02\x00\x00\x00" + bytes(60),
        b"NTLMSSP\x00\x03\x00\x00\x00" + bytes(80),
        b"\x60\x00",
        b"\x60\x80" + bytes(20),
        b"\x60\x85\x00\x00\x00\x00\x01\x00",
        b"\x60\x84\xff\xff\xff\xff\x00",
        b"\x60\x02\x06\x00",
        bytes.fromhex("6008 0606 2b0601050502"),
        bytes.fromhex("600c 0606 2b0601050502 a002 3000"),
        bytes.fromhex("6010 0606 2b0601050502 a006 3004 a002 3000"),
        bytes.fromhex("6012 0606 2b0601050502 a008 3006 a004 3002 0400"),
        bytes.fromhex("a1073005a0030a0100"),
        bytes.fromhex("60060604 2a864886"),
    ],
)
def test_first_tokens_that_are_none(make_acceptor, token):
    acceptor = make_acceptor()
    with pytest.raises(AuthError) as caught:
        acceptor.step(token, NOW)
    assert caught.value.status == STATUS_INVALID_PARAMETER


def test_too_many_mechanisms(make_acceptor):
    with pytest.raises(AuthError, match="too many"):
        make_acceptor().step(NegTokenInit(mech_types=[KERBEROS] * 40).pack(), NOW)


def test_tokens_are_bounded_in_all(make_acceptor):
    acceptor, client = make_acceptor(), ntlm_client()
    with pytest.raises(AuthError, match="too long"):
        acceptor.step(client.step() + bytes(65_536), NOW)
    acceptor, client = make_acceptor(), ntlm_client()
    challenge = acceptor.step(client.step() + bytes(40_000), NOW).token
    with pytest.raises(AuthError, match="too long"):
        acceptor.step(client.step(challenge) + bytes(30_000), NOW)


def test_nothing_goes_on_after_the_end(make_acceptor):
    acceptor = make_acceptor()
    log_on(acceptor, spnego_client("alice", "Secret-1"))
    with pytest.raises(AuthError):
        acceptor.step(ntlm_client().step(), NOW)


def test_a_mechanism_that_never_ends_is_cut_short(make_acceptor, monkeypatch):
    monkeypatch.setattr(
        NtlmAcceptor, "step", lambda self, token, now: type("Step", (), {"token": b"", "identity": None})
    )
    acceptor = make_acceptor()
    acceptor.step(NegTokenInit(mech_types=[NTLM], mech_token=b"x").pack(), NOW)
    for _ in range(7):
        acceptor.step(NegTokenResp(response_token=b"x").pack(), NOW)
    with pytest.raises(AuthError, match="too long"):
        acceptor.step(NegTokenResp(response_token=b"x").pack(), NOW)


def test_ntlm_ends_with_its_last_message():
    acceptor = NtlmAcceptor(AuthPolicy("FILES"), lambda user, domain: None, os.urandom)
    client = ntlm_client("bob", "x")
    authenticate = client.step(acceptor.step(client.step(), NOW).token)
    for expected in (STATUS_LOGON_FAILURE, STATUS_INVALID_PARAMETER):
        with pytest.raises(AuthError) as caught:
            acceptor.step(authenticate, NOW)
        assert caught.value.status == expected
    assert acceptor.sign(b"x") is None
    assert not acceptor.verify(b"x", bytes(16))


def test_clients_without_unicode_are_refused(make_acceptor):
    with pytest.raises(AuthError) as caught:
        make_acceptor().step(b"NTLMSSP\x00\x01\x00\x00\x00\x02\x82\x08\x00", NOW)
    assert caught.value.status == STATUS_NOT_SUPPORTED


def test_an_unknown_user_costs_what_a_wrong_password_costs(make_acceptor, monkeypatch):
    """Whoever measures the answers must not learn which accounts there are."""
    calls = []
    own = ntlm_keys.hmac_md5

    def counted(key, data):
        calls.append(len(data))
        return own(key, data)

    monkeypatch.setattr(ntlm_keys, "hmac_md5", counted)
    monkeypatch.setattr(ntlm, "hmac_md5", counted)
    counts = []
    for user in ("alice", "nobod"):
        calls.clear()
        acceptor, client = make_acceptor(), spnego_client(f"DESKTOP\\{user}", "wrong", "ntlm")
        authenticate = client.step(acceptor.step(client.step(), NOW).token)
        with pytest.raises(AuthError):
            acceptor.step(authenticate, NOW)
        counts.append(list(calls))
    assert counts[0] == counts[1]
    assert counts[0]


def test_a_log_on_costs_less_than_a_millisecond():
    """It runs on the event loop, where everybody else waits meanwhile. The best of many runs: a machine may be busy."""
    challenge = bytes(8)

    def acceptor():
        return Acceptor(POLICY, DATABASE.lookup, lambda count: challenge[:count])

    client, recorder = spnego_client("alice", "Secret-1"), acceptor()
    first = client.step()
    last = client.step(recorder.step(first, NOW).token)

    def run():
        one = acceptor()
        one.step(first, NOW)
        assert one.step(last, NOW).identity

    assert min(timeit.repeat(run, number=5, repeat=20, timer=time.process_time)) / 5 < 0.001
