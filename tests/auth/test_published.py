"""A log-on to Windows Server as Microsoft published it, and the examples of [MS-NLMP] 4.2 and RFC 1320."""

import pytest
from impacket import ntlm as impacket_ntlm

from gateway.auth.acceptor import Acceptor, AuthPolicy
from gateway.auth.accounts import Account
from gateway.auth.errors import AuthError
from gateway.auth.md4 import md4
from gateway.auth.ntlm import NtlmAcceptor
from gateway.auth.ntlm_keys import MessageSigner, hmac_md5, nt_hash_from_password, rc4, response_key
from gateway.auth.ntlm_messages import (
    NEGOTIATE_56,
    NEGOTIATE_128,
    NEGOTIATE_EXTENDED_SESSIONSECURITY,
    NEGOTIATE_KEY_EXCH,
)
from gateway.auth.spnego import NTLMSSP_OID, parse_init, parse_resp
from gateway.nt.status import STATUS_INVALID_PARAMETER
from gateway.nt.time import ns_from_filetime
from tests.crypto import vectors
from tests.crypto.vectors import unhex

NEGOTIATE = vectors.SESSION_SETUP_REQUEST_1[0x58:]
CHALLENGE = vectors.SESSION_SETUP_RESPONSE_1[0x48:]
AUTHENTICATE = vectors.SESSION_SETUP_REQUEST_2[0x58:]
ACCEPTED = vectors.SESSION_SETUP_RESPONSE_2[0x48:]
TIMESTAMP = int.from_bytes(unhex("A1A1F5ADCBAED001"), "little")
POLICY = AuthPolicy("SUT311", dns_name="SUT311", dns_domain="SUT311")


def lookup(user, domain):
    assert (user, domain) == ("administrator", "SUT311")
    return Account("Administrator", nt_hash_from_password("Password01!"))


def replay(monkeypatch, tokens):
    """Answers to *tokens* of a server that sent what Windows sent, which differs from ours by the version alone."""
    own = NtlmAcceptor._answer_negotiate

    def answer(self, token, now):
        published = parse_resp(CHALLENGE).token or b""
        ours = own(self, token, now)
        assert ours[:48] + ours[56:] == published[:48] + published[56:]
        self._challenge = published
        return published

    monkeypatch.setattr(NtlmAcceptor, "_answer_negotiate", answer)
    acceptor = Acceptor(POLICY, lookup, lambda count: unhex("0D1D8BA31179D008")[:count])
    return [acceptor.step(token, ns_from_filetime(TIMESTAMP)) for token in tokens]


def test_published_log_on(monkeypatch):
    first, last = replay(monkeypatch, [NEGOTIATE, AUTHENTICATE])
    assert first.token == CHALLENGE
    assert first.identity is None
    # Its mechListMIC is the one that the client would compute, too: signed with the derived key.
    assert last.token == ACCEPTED
    identity = last.identity
    assert identity.session_key == vectors.SESSION_KEY
    assert (identity.user, identity.domain, identity.workstation) == ("Administrator", "SUT311", "DRIVER311")
    assert not identity.is_guest
    assert not identity.is_anonymous


def test_every_change_to_the_published_log_on_is_seen(monkeypatch):
    """Every byte of the NTLM message is covered by the MIC, and the MIC of SPNEGO by itself."""
    inner = parse_resp(AUTHENTICATE).token or b""
    start = AUTHENTICATE.index(inner)
    end = AUTHENTICATE.index(unhex("A3120410")) + 4 + 16
    # MaxLen of the six fields and what surrounds the NTLM message is not looked at, but under the MIC.
    for at in [*range(start, start + len(inner)), *range(end - 16, end)]:
        changed = bytearray(AUTHENTICATE)
        changed[at] ^= 1
        with pytest.raises((AuthError, AssertionError)):
            replay(monkeypatch, [NEGOTIATE, bytes(changed)])


def test_a_changed_negotiate_message_is_seen(monkeypatch):
    with pytest.raises(AuthError, match="MIC") as caught:
        replay(monkeypatch, [NEGOTIATE[:-1] + b"\x0e", AUTHENTICATE])
    assert caught.value.status == STATUS_INVALID_PARAMETER


def test_published_tokens_parse():
    init = parse_init(NEGOTIATE)
    assert init.mechanisms == [NTLMSSP_OID]
    assert init.mechanism_list == unhex("300C060A2B06010401823702020A")
    windows = parse_init(vectors.NEGOTIATE_RESPONSE[0x80 : 0x80 + 0x140])
    assert windows.mechanisms == [unhex("2B06010401823702021E"), NTLMSSP_OID]


def test_published_hashes():
    assert nt_hash_from_password("Password01!") == unhex("7C4FE5EADA682714A036E39378362BAB")
    key = response_key(nt_hash_from_password("Password01!"), "ADMINISTRATOR", "SUT311")
    assert key == unhex("AEE3959B44A815F1EB28C9511B4F533B")
    base = hmac_md5(key, unhex("63078EB639FE03E20A231C3AE3BF2308"))
    assert base == unhex("B4CF22566926B1C069ACD80E4D73C814")
    assert rc4(base, unhex("3B9BDFF38F5EE8F9663F11A0F4C03A78")) == vectors.SESSION_KEY


def test_nlmp_4_2_4():
    """User "User" of "Domain" with "Password", server challenge 0123456789abcdef, client challenge aa..aa."""
    nt_hash = nt_hash_from_password("Password")
    assert nt_hash == unhex("a4f49c406510bdcab6824ee7c30fd852")
    key = response_key(nt_hash, "USER", "Domain")
    assert key == unhex("0c868a403bfd7a93a3001ef22ef02e3f")
    pairs = unhex("02000c0044006f006d00610069006e00 01000c00530065007200760065007200 00000000")
    temp = unhex("0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000") + pairs + bytes(4)
    proof = hmac_md5(key, unhex("0123456789abcdef") + temp)
    assert proof == unhex("68cd0ab851e51c96aabc927bebef6a1c")
    base = hmac_md5(key, proof)
    assert base == unhex("8de40ccadbc14a82f15cb0ad0de95ca3")
    assert rc4(base, unhex("c5dad2544fc9799094ce1ce90bc9d03e")) == b"U" * 16


def test_nlmp_4_2_4_4_signature():
    """The client's signature of "Plaintext" there is made after sealing; its checksum alone is the same here."""
    flags = 0xE28A8233
    signer = MessageSigner(b"U" * 16, flags)
    message = "Plaintext".encode("utf-16-le")
    signature = signer._signature(b"client-to-server", message)
    assert signature[:4] == b"\x01\x00\x00\x00"
    assert signature[12:] == bytes(4)
    # The stream went on from the 18 bytes of sealed text.
    sealing_key = signer._sealing_key(b"client-to-server")
    assert sealing_key == unhex("59f600973cc4960a25480a7c196e4c58")
    checksum = rc4(sealing_key, signature[4:12])
    assert rc4(sealing_key, bytes(18) + checksum)[18:] == unhex("7fb38ec5c55d4976")
    assert rc4(sealing_key, message) == unhex("54e50165bf1936dc996020c1811b0f06fb5f")


@pytest.mark.parametrize("strength", [0, NEGOTIATE_56, NEGOTIATE_128, NEGOTIATE_128 | NEGOTIATE_56])
@pytest.mark.parametrize("exchange", [0, NEGOTIATE_KEY_EXCH])
def test_signatures_agree_with_impacket(strength, exchange):
    flags = NEGOTIATE_EXTENDED_SESSIONSECURITY | strength | exchange
    key, message = bytes(range(16)), b"a list of mechanisms"
    signer = MessageSigner(key, flags)
    for mode, direction in [("Client", b"client-to-server"), ("Server", b"server-to-client")]:
        stream = impacket_ntlm.ARC4.new(impacket_ntlm.SEALKEY(flags, key, mode)).encrypt
        theirs = impacket_ntlm.MAC(flags, stream, impacket_ntlm.SIGNKEY(flags, key, mode), 0, message).getData()
        assert signer._signature(direction, message) == theirs
    assert signer.sign(message) == theirs
    assert not signer.verify(message, theirs)


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (b"", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        (b"a", "bde52cb31de33e46245e05fbdbd6fb24"),
        (b"abc", "a448017aaf21d8525fc10ae87aa6729d"),
        (b"message digest", "d9130a8164549fe818874806e1c7014b"),
        (b"abcdefghijklmnopqrstuvwxyz", "d79e1c308aa5bbcdeea8ed63df412da9"),
        (b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", "043f8582f241db351ce627e153e7f0e4"),
        (b"1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4_of_rfc_1320(text, digest):
    assert md4(text) == unhex(digest)


def test_md4_of_every_length_around_a_block():
    from Cryptodome.Hash import MD4

    for length in range(50, 135):
        assert md4(b"x" * length) == MD4.new(b"x" * length).digest()
