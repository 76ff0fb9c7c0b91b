import os
import struct
from types import SimpleNamespace

import pytest
from smbprotocol.connection import Connection, Dialects, SMB2TransformHeader

from gateway.crypto.errors import CryptoError
from gateway.crypto.keys import AES128_CCM, AES128_GCM, AES256_CCM, AES256_GCM, derive_keys
from gateway.crypto.sealing import ONE_BUFFER, NonceSequence, make_sealer, nonce_length, transform_header
from tests.crypto.vectors import unhex

KEY_LENGTHS = {AES128_CCM: 16, AES128_GCM: 16, AES256_CCM: 32, AES256_GCM: 32}
CIPHERS = list(KEY_LENGTHS)

REQUEST_3_0 = unhex("""
    FE534D4240000100000000000900400008000000000000000400000000000000
    FFFE0000010000001100001400E4080000000000000000000000000000000000
    3100700017000000000000000000000015010000390000020100000039020000
    00000000000000007000000000000000536D623320656E6372797074696F6E20
    74657374696E67""")
SEALED_REQUEST_3_0 = unhex("""
    FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A
    744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5
    2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4
    4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5
    AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6
    C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB""")
RESPONSE_3_0 = unhex("""
    FE534D4240000100000000000900210009000000000000000400000000000000
    FFFE0000010000001100001400E4080000000000000000000000000000000000
    11000000170000000000000000000000""")
SEALED_RESPONSE_3_0 = unhex("""
    FD534D42A6015530A18F6D9AFFE22AFAE8E66484860000000000000011000014
    00E4080050000000000001001100001400E40800DBF46435C5F14169293CE079
    E344479BF670227E49873F458672C3098DAC467DD5809F369D67409166515787
    1483E01F7BECD02064EAC3E235F913668BBC2F097980D4B378F1993EFF6E60D1
    77309E5B""")
REQUEST_3_1_1 = unhex("""
    FE534D4240000100000000000900010008000000000000000500000000000000FFFE000001000000
    25000000001000000000000000000000000000000000000031007000170000000000000000000000
    0600000004000000010000000400000000000000000000007000000000000000536D623320656E63
    72797074696F6E2074657374696E67""")
SEALED_REQUEST_3_1_1 = unhex("""
    FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C0000000087000000
    0000010025000000001000006ECDD2A7AFC7B47763057A041B8FD4DAFFE990B70C9E09D36C084E02
    D14EF247F8BDE38ACF6256F8B1D3B56F77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB4
    4576545567C24D4C014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9
    1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8""")
RESPONSE_3_1_1 = unhex("""
    FE534D4240000100000000000900010001000000000000000500000000000000FFFE000001000000
    25000000001000000000000000000000000000000000000011000000170000000000000000000000""")
SEALED_RESPONSE_3_1_1 = unhex("""
    FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B4000000000000000050000000
    00000100250000000010000026BBBF949983A6C1C796559D0F2C510CB651D1F7B6AC8DED32A2A0B8
    F2D793A815C6F6B848D69767A215841A42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B
    82E03C9E18A050FF0EA1C967""")
PREAUTH_3_1_1 = unhex("""
    B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDBA7DB256BA2EA30E9
    77F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770""")


def test_published_sealed_messages_of_3_0():
    keys = derive_keys(0x0300, unhex("B4546771B515F766A86735532DD6C4F0"), b"", b"", AES128_CCM)
    assert keys.decryption_key == unhex("261B72350558F2E9DCF613070383EDBF")
    assert keys.encryption_key == unhex("8FE2B57EC34D2DB5B1A9727F526BBDB5")
    # This client filled all of the Nonce field; what CCM does not use is authenticated all the same.
    assert unseal(make_sealer(AES128_CCM, keys.decryption_key), SEALED_REQUEST_3_0) == REQUEST_3_0
    assert transform_header(SEALED_REQUEST_3_0)[0] == 0x8E40014000011
    assert unseal(make_sealer(AES128_CCM, keys.encryption_key), memoryview(SEALED_RESPONSE_3_0)) == RESPONSE_3_0


def test_published_sealed_messages_of_3_1_1():
    keys = derive_keys(0x0311, unhex("419FDDF34C1E001909D362AE7FB6AF79"), b"", PREAUTH_3_1_1, AES128_GCM)
    assert keys.decryption_key == unhex("A2F5E80E5D59103034F32E52F698E5EC")
    assert keys.encryption_key == unhex("748C50868C90F302962A5C35F5F9A8BF")
    client, server = (make_sealer(AES128_GCM, key) for key in (keys.decryption_key, keys.encryption_key))
    session_id = 0x100000000025
    assert unseal(client, SEALED_REQUEST_3_1_1) == REQUEST_3_1_1
    assert seal(client, REQUEST_3_1_1, session_id, unhex("C7D6822D269CAF48904C664C")) == SEALED_REQUEST_3_1_1
    assert unseal(server, SEALED_RESPONSE_3_1_1) == RESPONSE_3_1_1
    assert seal(server, RESPONSE_3_1_1, session_id, unhex("E06831DD2E8EB7B400000000")) == SEALED_RESPONSE_3_1_1


@pytest.mark.parametrize(("length", "buffers"), [(1, 1), (ONE_BUFFER, 1), (ONE_BUFFER + 1, 2), (300_000, 2)])
def test_what_is_to_stand_in_front(length, buffers):
    sealer, message = make_sealer(AES128_GCM, bytes(16)), os.urandom(length)
    sealed = sealer.seal(message, 1, bytes(12), b"before")
    assert len(sealed) == buffers
    assert b"".join(sealed) == b"before" + seal(sealer, message, 1, bytes(12))
    assert unseal(sealer, b"".join(sealed)[6:]) == message


def peer(cipher, key):
    """As much of smbprotocol as seals and unseals."""
    session = SimpleNamespace(session_id=77, encryption_key=key, decryption_key=key)
    return SimpleNamespace(dialect=Dialects.SMB_3_1_1, cipher_id=cipher, session_table={77: session}), session


def seal(sealer, message, session_id, nonce):
    return bytearray(b"".join(sealer.seal(message, session_id, nonce)))


def unseal(sealer, frame):
    _, nonce, signature = transform_header(frame)
    return sealer.unseal(frame, nonce, signature)


@pytest.mark.parametrize("cipher", CIPHERS)
@pytest.mark.parametrize("length", [1, 64, 5000, 300_000])
def test_smbprotocol_opens_and_seals_the_same(cipher, length):
    key, message = os.urandom(KEY_LENGTHS[cipher]), os.urandom(length)
    connection, session = peer(cipher, key)
    sealer = make_sealer(cipher, key)
    theirs = Connection._encrypt(connection, message, session).pack()
    assert unseal(sealer, theirs) == message
    frame = seal(sealer, bytearray(message), 77, os.urandom(sealer.nonce_length))
    assert len(frame) == 52 + length
    header = SMB2TransformHeader()
    header.unpack(bytes(frame))
    assert Connection._decrypt(connection, header) == message


@pytest.mark.parametrize("cipher", CIPHERS)
def test_every_changed_byte_and_every_cut_is_seen(cipher):
    sealer = make_sealer(cipher, os.urandom(KEY_LENGTHS[cipher]))
    frame = seal(sealer, b"m" * 70, 1, bytes(sealer.nonce_length))
    for at in range(len(frame)):
        frame[at] ^= 1
        with pytest.raises(CryptoError):
            unseal(sealer, frame)
        frame[at] ^= 1
        with pytest.raises(CryptoError):
            unseal(sealer, frame[:at])
    assert unseal(sealer, frame) == b"m" * 70
    with pytest.raises(CryptoError):
        unseal(sealer, frame + b"\x00")
    with pytest.raises(CryptoError):
        unseal(make_sealer(cipher, bytes(KEY_LENGTHS[cipher])), frame)


def test_nothing_sealed_is_refused():
    sealer = make_sealer(AES128_GCM, bytes(16))
    with pytest.raises(CryptoError, match="short"):
        unseal(sealer, seal(sealer, b"", 1, bytes(12)))


def test_session_id_needs_a_transform_header():
    frame = seal(make_sealer(AES128_GCM, bytes(16)), b"abc", 0xFFFF_FFFF_FFFF_FFFE, bytes(12))
    assert transform_header(memoryview(frame))[0] == 0xFFFF_FFFF_FFFF_FFFE
    frame[0] = 0xFE
    with pytest.raises(CryptoError):
        transform_header(frame)
    frame[0] = 0xFD
    struct.pack_into("<H", frame, 42, 2)
    with pytest.raises(CryptoError):
        transform_header(frame)


def test_unknown_ciphers_and_wrong_keys():
    for cipher in (0, 5):
        with pytest.raises(ValueError, match="no cipher"):
            make_sealer(cipher, bytes(16))
    with pytest.raises(ValueError, match="32 bytes"):
        make_sealer(AES256_GCM, bytes(16))


@pytest.mark.parametrize("cipher", CIPHERS)
def test_nonces_differ_until_they_run_out(cipher):
    suffix = os.urandom(nonce_length(cipher) - 8)
    sequence = NonceSequence(cipher, suffix, limit=300)
    nonces = [sequence.next() for _ in range(300)]
    assert len(set(nonces)) == 300
    assert {len(nonce) for nonce in nonces} == {nonce_length(cipher)}
    assert {nonce[8:] for nonce in nonces} == {suffix}
    for _ in range(2):
        with pytest.raises(CryptoError, match="nonce"):
            sequence.next()
    with pytest.raises(ValueError, match="suffix"):
        NonceSequence(cipher, suffix + b"x")


@pytest.mark.parametrize("cipher", CIPHERS)
def test_changes_of_a_large_message_are_seen(cipher):
    sealer = make_sealer(cipher, os.urandom(KEY_LENGTHS[cipher]))
    frame = seal(sealer, bytes(300_000), 1, bytes(sealer.nonce_length))
    for at in (4, 20, 30, 44, 52, 200_000, len(frame) - 1):
        frame[at] ^= 0x80
        with pytest.raises(CryptoError):
            unseal(sealer, frame)
        frame[at] ^= 0x80
    assert unseal(sealer, frame) == bytes(300_000)
