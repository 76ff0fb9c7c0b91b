import hashlib
import hmac
import os
import struct
from types import SimpleNamespace

import pytest
from Cryptodome.Cipher import AES as OtherAES
from impacket import crypto as impacket_crypto
from smbprotocol.connection import Commands, Connection, Dialects

from gateway.crypto.keys import derive_keys
from gateway.crypto.signing import AES_CMAC, AES_GMAC, HMAC_SHA256, make_signer, signing_algorithm
from gateway.wire.header import Header
from tests.crypto import vectors
from tests.crypto.vectors import unhex

ALGORITHMS = [HMAC_SHA256, AES_CMAC, AES_GMAC]
RFC_4493_KEY = unhex("2b7e151628aed2a6abf7158809cf4f3c")
RFC_4493_MESSAGE = unhex("""
    6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
    30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710""")


def message(command=8, message_id=7, length=200):
    """One that is not signed, with anything in the fields that do not matter here."""
    header = bytearray(b"\xfeSMB\x40\0" + os.urandom(length - 6))
    struct.pack_into("<H", header, 12, command)
    struct.pack_into("<Q", header, 24, message_id)
    header[48:64] = bytes(16)
    return header


def sign(signer, message, *, server=False):
    signer.sign(message, Header.parse(message), server=server)


def verify(signer, message, *, server=False):
    return signer.verify(message, Header.parse(message), server=server)


def test_published_signature_of_3_1_1():
    keys = derive_keys(0x0311, vectors.SESSION_KEY, b"", vectors.PREAUTH_VALUES[-1], 2)
    signer = make_signer(AES_CMAC, keys.signing_key)
    response = bytearray(vectors.SESSION_SETUP_RESPONSE_2)
    assert verify(signer, response, server=True)
    assert response == vectors.SESSION_SETUP_RESPONSE_2
    response[48:64] = bytes(16)
    sign(signer, memoryview(response), server=True)
    assert response == vectors.SESSION_SETUP_RESPONSE_2


def test_cmac_of_rfc_4493():
    signer = make_signer(AES_CMAC, RFC_4493_KEY)
    for length, expected in [
        (0, "bb1d6929e95937287fa37d129b756746"),
        (16, "070a16b46b4d4144f79bdd9dd04a287c"),
        (40, "dfa66747de9ae63030ca32611497c827"),
        (64, "51f0bebf7e3b9d92fc49741779363cfe"),
    ]:
        assert signer._compute(bytearray(RFC_4493_MESSAGE[:length]), Header(), True) == unhex(expected)


def test_gmac_of_nist():
    """Case 1 of McGrew and Viega's GCM paper, with nothing to authenticate, and another library's GMAC with much."""
    key = bytes(16)
    unsigned = message(message_id=0)
    other = OtherAES.new(key, OtherAES.MODE_GCM, nonce=bytes(12))
    other.update(bytes(unsigned))
    assert make_signer(AES_GMAC, key)._compute(unsigned, Header(command=8), False) == other.digest()
    assert OtherAES.new(key, OtherAES.MODE_GCM, nonce=bytes(12)).digest() == unhex("58e2fccefa7e3061367f1d57a4e7455a")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("server", [True, False])
@pytest.mark.parametrize("command", [Commands.SMB2_READ, Commands.SMB2_CANCEL])
def test_smbprotocol_computes_the_same(algorithm, server, command):
    key = os.urandom(16)
    mine = message(command, message_id=0x1122334455667788)
    sign(make_signer(algorithm, key), mine, server=server)
    connection = SimpleNamespace(dialect=Dialects.SMB_3_1_1, signing_algorithm_id=algorithm)
    theirs = Connection._generate_signature(connection, bytes(mine), key, 0x1122334455667788, server, command)
    assert bytes(mine[48:64]) == theirs


def test_impacket_computes_the_same():
    key = os.urandom(16)
    mine = message()
    sign(make_signer(AES_CMAC, key), mine, server=True)
    zeroed = bytes(mine[:48]) + bytes(16) + bytes(mine[64:])
    assert bytes(mine[48:64]) == impacket_crypto.AES_CMAC(key, zeroed, len(zeroed))
    mine = bytearray(zeroed)
    sign(make_signer(HMAC_SHA256, key), mine, server=True)
    assert bytes(mine[48:64]) == hmac.new(key, zeroed, hashlib.sha256).digest()[:16]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_changed_byte_is_seen(algorithm):
    signer = make_signer(algorithm, os.urandom(16))
    signed = message(length=96)
    sign(signer, signed)
    assert verify(signer, memoryview(signed))
    for at in range(6, len(signed)):  # where it has no magic number, it has no header
        signed[at] ^= 0x40
        before = bytes(signed)
        assert not verify(signer, signed)
        assert signed == before
        signed[at] ^= 0x40
    assert verify(signer, signed)
    assert not verify(make_signer(algorithm, os.urandom(16)), signed)


def test_gmac_tells_the_sender():
    signer = make_signer(AES_GMAC, os.urandom(16))
    signed = message()
    sign(signer, signed, server=True)
    assert verify(signer, signed, server=True)
    assert not verify(signer, signed)


def test_unknown_algorithm():
    with pytest.raises(ValueError, match="algorithm 3"):
        make_signer(3, bytes(16))


def test_algorithm_of_a_dialect():
    assert [signing_algorithm(d) for d in (0x202, 0x210, 0x300, 0x302, 0x311)] == [0, 0, 1, 1, 1]
