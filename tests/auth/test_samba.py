"""Log-ons of Samba's own client library, which smbclient and libsmbclient are made of."""

import dataclasses
import subprocess
from pathlib import Path

import pytest

from gateway.auth.acceptor import MapToGuest, initial_token
from gateway.auth.errors import AuthError
from gateway.nt.status import STATUS_LOGON_FAILURE
from tests.auth.conftest import NOW, POLICY
from tests.requirements import SYSTEM_PYTHON, Need, needs

CLIENT = Path(__file__).with_name("samba_client.py")

pytestmark = [pytest.mark.interop, needs(Need.PYTHON3_SAMBA)]


def samba_log_on(acceptor, user, password, domain="", mechanism="spnego", features="SESSION_KEY,SIGN", first=b""):
    """The identity that the server made out, and the key that the client ended up with."""
    command = [SYSTEM_PYTHON, str(CLIENT), user, password, domain, mechanism, features]
    identity, token = None, first
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin
        assert client.stdout
        try:
            while True:
                client.stdin.write(token.hex() + "\n")
                client.stdin.flush()
                state, _space, answer = client.stdout.readline().strip().partition(" ")
                if answer:
                    step = acceptor.step(bytes.fromhex(answer), NOW)
                    token, identity = step.token, step.identity
                if state == "done":
                    return identity, bytes.fromhex(client.stdout.readline().split()[1])
                assert state == "more", "the client refused what the server said"
        finally:
            client.kill()


@pytest.mark.parametrize("first", [b"", initial_token(POLICY)])
@pytest.mark.parametrize("features", ["SESSION_KEY", "SESSION_KEY,SIGN", "SESSION_KEY,SEAL"])
def test_spnego(make_acceptor, first, features):
    """It verifies the server's mechListMIC, and fails without one."""
    identity, key = samba_log_on(make_acceptor(), "alice", "Secret-1", "DESKTOP-1", features=features, first=first)
    assert (identity.user, identity.domain, identity.workstation) == ("alice", "DESKTOP-1", "CLIENT")
    assert identity.session_key == key


def test_bare_ntlm(make_acceptor):
    identity, key = samba_log_on(make_acceptor(), "ALICE", "Secret-1", mechanism="ntlmssp")
    assert identity.user == "alice"
    assert identity.session_key == key


def test_letters_beyond_ascii(make_acceptor):
    identity, key = samba_log_on(make_acceptor(), "straße", "pässword €\U0001f511")
    assert identity.user == "Straße"
    assert identity.session_key == key


def test_anonymous(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, allow_anonymous=True))
    identity, key = samba_log_on(acceptor, "", "", first=initial_token(POLICY))
    assert identity.is_anonymous
    assert identity.session_key == key


def test_a_mic_can_be_required(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, require_mic=True))
    assert samba_log_on(acceptor, "alice", "Secret-1")[0].user == "alice"


def test_wrong_password(make_acceptor):
    with pytest.raises(AuthError) as caught:
        samba_log_on(make_acceptor(), "alice", "wrong")
    assert caught.value.status == STATUS_LOGON_FAILURE


def test_guest(make_acceptor):
    acceptor = make_acceptor(dataclasses.replace(POLICY, map_to_guest=MapToGuest.BAD_USER))
    identity, _key = samba_log_on(acceptor, "nobody-knows", "x", features="SESSION_KEY")
    assert identity.is_guest
