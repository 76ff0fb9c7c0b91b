import hashlib
import hmac
import os

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode
from impacket import crypto as impacket_crypto
from smbprotocol.session import Session

from gateway.crypto import keys
from gateway.crypto.keys import derive_keys, kdf, session_key_from
from gateway.crypto.preauth import PreauthHash
from tests.crypto import vectors
from tests.crypto.vectors import unhex


def test_published_keys_of_3_0():
    got = derive_keys(0x0300, unhex("7CD451825D0450D235424E44BA6E78CC"), b"", b"", 0)
    assert got.signing_key == unhex("0B7E9C5CAC36C0F6EA9AB275298CEDCE")
    # The publication names them from the client's side.
    assert got.decryption_key == unhex("FAD27796665B313EBB578F388632B4F7")
    assert got.encryption_key == unhex("B0F0427F7CEB416D1D9DCC0CD4F99447")
    assert got.application_key == unhex("BB23A4575AA26C721AF525AF15A87B4F")
    assert derive_keys(0x0302, unhex("7CD451825D0450D235424E44BA6E78CC"), b"", b"", keys.AES128_CCM) == got


def test_published_channel_key_of_3_0():
    # Derived as the one of a session.
    got = derive_keys(0x0300, unhex("4E01A2B313BCF660CC250BEF021AEDE6"), b"", b"", 0).signing_key
    assert got == unhex("BA1A17DBBFEC349BCA105563D598952F")


def test_published_keys_of_3_1_1():
    got = derive_keys(0x0311, vectors.SESSION_KEY, vectors.SESSION_KEY, vectors.PREAUTH_VALUES[-1], keys.AES128_GCM)
    assert got.signing_key == unhex("73FE7A9A77BEF0BDE49C650D8CCB5F76")
    assert got.decryption_key == unhex("629BCBC54422A0F572B97F45989B6073")
    assert got.encryption_key == unhex("E2AF0DCEFAC68DA71A0DFBD0D1350D74")
    assert got.application_key == unhex("6D7AD7954E9EC61E907B4D473DC178FF")


def test_published_chain_of_preauth_hashes():
    messages = [
        vectors.NEGOTIATE_REQUEST,
        vectors.NEGOTIATE_RESPONSE,
        vectors.SESSION_SETUP_REQUEST_1,
        vectors.SESSION_SETUP_RESPONSE_1,
        vectors.SESSION_SETUP_REQUEST_2,
    ]
    running = PreauthHash()
    for message, value in zip(messages, vectors.PREAUTH_VALUES, strict=True):
        before = running.copy()
        running.update(memoryview(bytearray(message)))
        assert running.value == value
        assert before.value != value


def test_a_preauth_hash_has_64_bytes():
    with pytest.raises(ValueError, match="64"):
        PreauthHash(b"short")


def test_2_x_signs_with_the_session_key_and_never_seals():
    for dialect in (0x0202, 0x0210):
        got = derive_keys(dialect, bytes(range(16)), b"", b"", 0)
        assert got.signing_key == got.application_key == bytes(range(16))
        assert got.encryption_key == got.decryption_key == b""


@pytest.mark.parametrize("length", [16, 32])
def test_kdf_agrees_with_cryptography_and_impacket(length):
    key, label, context = os.urandom(16), b"SMBC2SCipherKey\x00", os.urandom(64)
    theirs = KBKDFHMAC(
        algorithm=hashes.SHA256(),
        mode=Mode.CounterMode,
        length=length,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    ).derive(key)
    assert kdf(key, label, context, length) == theirs
    if length == 16:
        assert impacket_crypto.KDF_CounterMode(key, label, context, 128) == theirs


@pytest.mark.parametrize("cipher", [keys.AES256_CCM, keys.AES256_GCM])
def test_256_bit_ciphers_use_the_full_session_key(cipher):
    full, context = os.urandom(32), os.urandom(64)
    got = derive_keys(0x0311, full[:16], full, context, cipher)
    session = Session.__new__(Session)
    assert got.encryption_key == session._smb3kdf(full, b"SMBS2CCipherKey\x00", context, length=32)
    assert got.decryption_key == session._smb3kdf(full, b"SMBC2SCipherKey\x00", context, length=32)
    assert got.signing_key == session._smb3kdf(full[:16], b"SMBSigningKey\x00", context)
    assert len(got.encryption_key) == 32
    assert len(got.signing_key) == 16


def test_kdf_gives_no_more_than_one_block():
    block = b"\x00\x00\x00\x01l\x00c\x00\x00\x01\x00"
    assert kdf(b"k", b"l", b"c", 32) == hmac.digest(b"k", block, hashlib.sha256)
    for length in (0, 33):
        with pytest.raises(ValueError, match="block"):
            kdf(b"k", b"l", b"c", length)


def test_session_key_is_cut_or_filled_up():
    assert session_key_from(bytes(range(32))) == bytes(range(16))
    assert session_key_from(b"\x01" * 8) == b"\x01" * 8 + bytes(8)


def test_keys_do_not_show_in_a_repr():
    got = derive_keys(0x0300, b"\xab" * 16, b"", b"", 0)
    assert repr(got) == "SessionKeys()"
