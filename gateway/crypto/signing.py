"""Signatures of SMB2 messages ([MS-SMB2] 3.1.4.1, 3.1.5.1).

A signature covers the message from its header to the end, padding between compound elements included, with the
Signature field as zeros.
"""

import hmac
import struct
from abc import ABC, abstractmethod
from typing import Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

HMAC_SHA256: Final = 0
AES_CMAC: Final = 1
AES_GMAC: Final = 2
"""Algorithms of SMB2_SIGNING_CAPABILITIES, [MS-SMB2] 2.2.3.1.7."""

HEADER_LENGTH: Final = 64
SIGNATURE_AT: Final = 48
"""Where the Signature field lies in a message."""

_NO_SIGNATURE: Final = bytes(16)
# Command, MessageId, Signature: the fields of a header that matter here. All that is called for every message has a
# name of its own: to find a method takes as long as some of them take.
_fields_of: Final = struct.Struct("<12xH10x8s16x16s").unpack_from
_put_signature: Final = struct.Struct("16s").pack_into
_are_equal: Final = hmac.compare_digest
_hmac: Final = hmac.digest
_CANCEL: Final = 0x000C


class Signer(ABC):
    """Signs and verifies with one key. Holds no state between messages."""

    __slots__ = ()

    @abstractmethod
    def _compute(self, message: bytearray | memoryview, command: int, message_id: bytes, server: bool) -> bytes:
        """The signature of *message*, whose Signature field is zero; *command* and *message_id* are its header's."""

    def sign(self, message: bytearray | memoryview, *, server: bool) -> None:
        """Write the signature of *message*, whole and with SMB2_FLAGS_SIGNED set, into its Signature field.

        *server* says who sends it.
        """
        command, message_id, _ = _fields_of(message)
        _put_signature(message, SIGNATURE_AT, _NO_SIGNATURE)
        _put_signature(message, SIGNATURE_AT, self._compute(message, command, message_id, server))

    def verify(self, message: bytearray | memoryview, *, server: bool = False) -> bool:
        """Whether *message* carries its right signature; *server* says who sent it.

        The Signature field is zeroed meanwhile, so *message* must be writable; it is put back.
        """
        if len(message) < HEADER_LENGTH:
            return False
        command, message_id, signature = _fields_of(message)
        _put_signature(message, SIGNATURE_AT, _NO_SIGNATURE)
        expected = self._compute(message, command, message_id, server)
        _put_signature(message, SIGNATURE_AT, signature)
        return _are_equal(signature, expected)


class _HmacSigner(Signer):
    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _compute(self, message: bytearray | memoryview, command: int, message_id: bytes, server: bool) -> bytes:
        return _hmac(self._key, message, "sha256")[:16]


class _CmacSigner(Signer):
    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        # Copying a keyed object is several times cheaper than scheduling the key again for each message.
        self._keyed = CMAC(AES(key))

    def _compute(self, message: bytearray | memoryview, command: int, message_id: bytes, server: bool) -> bytes:
        mac = self._keyed.copy()
        mac.update(message)  # type: ignore[arg-type]  # its stub says bytes; any buffer works
        return mac.finalize()


class _GmacSigner(Signer):
    __slots__ = ("_encrypt",)

    def __init__(self, key: bytes) -> None:
        self._encrypt = AESGCM(key).encrypt

    def _compute(self, message: bytearray | memoryview, command: int, message_id: bytes, server: bool) -> bytes:
        # A CANCEL shares the MessageId of the request it cancels: it has a bit that keeps their nonces apart.
        roles = _CANCEL_ROLES if command == _CANCEL else _ROLES
        return self._encrypt(message_id + roles[server], b"", message)


_ROLES: Final = (b"\0\0\0\0", b"\1\0\0\0")
_CANCEL_ROLES: Final = (b"\2\0\0\0", b"\3\0\0\0")
"""How the nonce of a signature ends: in what a client sends, and in what a server sends."""


_SIGNERS: dict[int, type[_HmacSigner | _CmacSigner | _GmacSigner]] = {
    HMAC_SHA256: _HmacSigner,
    AES_CMAC: _CmacSigner,
    AES_GMAC: _GmacSigner,
}


def make_signer(algorithm_id: int, key: bytes) -> Signer:
    """A signer for one of HMAC_SHA256, AES_CMAC and AES_GMAC, with a signing key of 16 bytes.

    Raises ValueError for another algorithm.
    """
    try:
        signer = _SIGNERS[algorithm_id]
    except KeyError:
        raise ValueError(f"no signing algorithm {algorithm_id}") from None
    return signer(key)


def signing_algorithm(dialect: int) -> int:
    """What a dialect signs with where nothing was negotiated, [MS-SMB2] 3.1.4.1."""
    return HMAC_SHA256 if dialect < 0x0300 else AES_CMAC
