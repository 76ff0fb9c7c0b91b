"""Keys of a session, derived from what authentication left ([MS-SMB2] 3.1.4.2, 3.3.5.5.3)."""

import hashlib
import hmac
from dataclasses import dataclass, field

AES128_CCM = 0x0001
AES128_GCM = 0x0002
AES256_CCM = 0x0003
AES256_GCM = 0x0004
"""Ciphers of SMB2_ENCRYPTION_CAPABILITIES, [MS-SMB2] 2.2.3.1.2."""

SESSION_KEY_LENGTH = 16
"""Length of Session.SessionKey; keys for signing have it too."""

_DIALECT_3_0 = 0x0300
_DIALECT_3_1_1 = 0x0311
_KEY_LENGTHS = {0: 16, AES128_CCM: 16, AES128_GCM: 16, AES256_CCM: 32, AES256_GCM: 32}


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """The keys of one session, named from the server's side.

    Below 3.0 only signing exists, and ``encryption_key`` and ``decryption_key`` are empty.
    """

    signing_key: bytes = field(repr=False)
    encryption_key: bytes = field(repr=False)
    """Server to client."""
    decryption_key: bytes = field(repr=False)
    """Client to server."""
    application_key: bytes = field(repr=False)


def kdf(key: bytes, label: bytes, context: bytes, length: int = SESSION_KEY_LENGTH) -> bytes:
    """SP800-108 in counter mode with HMAC-SHA256 and 32-bit counter and length: *length* (at most 32) bytes.

    *label* and *context* carry the terminating zero that [MS-SMB2] gives them.
    """
    if not 0 < length <= hashlib.sha256().digest_size:
        raise ValueError(f"one block of HMAC-SHA256 cannot give {length} bytes")
    block = b"\x00\x00\x00\x01" + label + b"\x00" + context + (length * 8).to_bytes(4, "big")
    return hmac.digest(key, block, "sha256")[:length]


def session_key_from(full_session_key: bytes) -> bytes:
    """Session.SessionKey: the first 16 bytes of the authentication's key, zeros appended if it is shorter."""
    return full_session_key[:SESSION_KEY_LENGTH].ljust(SESSION_KEY_LENGTH, b"\x00")


def derive_keys(
    dialect: int, session_key: bytes, full_session_key: bytes, preauth_hash: bytes, cipher_id: int
) -> SessionKeys:
    """The keys of a session that was just authenticated, [MS-SMB2] 3.3.5.5.3.

    *preauth_hash* is the session's, up to the last request (3.1.1 only). *cipher_id* is 0 where no cipher was
    negotiated; 256-bit ciphers take their keys from *full_session_key*.
    """
    if dialect < _DIALECT_3_0:
        return SessionKeys(session_key, b"", b"", session_key)
    if dialect < _DIALECT_3_1_1:
        return SessionKeys(
            signing_key=kdf(session_key, b"SMB2AESCMAC\x00", b"SmbSign\x00"),
            encryption_key=kdf(session_key, b"SMB2AESCCM\x00", b"ServerOut\x00"),
            decryption_key=kdf(session_key, b"SMB2AESCCM\x00", b"ServerIn \x00"),
            application_key=kdf(session_key, b"SMB2APP\x00", b"SmbRpc\x00"),
        )
    length = _KEY_LENGTHS[cipher_id]
    sealing = session_key if length == SESSION_KEY_LENGTH else full_session_key
    return SessionKeys(
        signing_key=kdf(session_key, b"SMBSigningKey\x00", preauth_hash),
        encryption_key=kdf(sealing, b"SMBS2CCipherKey\x00", preauth_hash, length),
        decryption_key=kdf(sealing, b"SMBC2SCipherKey\x00", preauth_hash, length),
        application_key=kdf(session_key, b"SMBAppKey\x00", preauth_hash),
    )
