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

from gateway.wire.header import NO_SIGNATURE, Header, Opcode

HMAC_SHA256: Final = 0
AES_CMAC: Final = 1
AES_GMAC: Final = 2
"""Algorithms of SMB2_SIGNING_CAPABILITIES, [MS-SMB2] 2.2.3.1.7."""

SIGNATURE_AT: Final = 48
"""Where the Signature field lies in a message."""

# All that is called for every message has a name of its own: to find a method takes as long as some of them take.
_put_signature: Final = struct.Struct("16s").pack_into
_nonce: Final = struct.Struct("<QI").pack
_are_equal: Final = hmac.compare_digest
_hmac: Final = hmac.digest


class Signer(ABC):
    """Signs and verifies with one key. Holds no state between messages."""

    __slots__ = ()

    @abstractmethod
    def _compute(self, message: bytearray | memoryview, header: Header, server: bool) -> bytes:
        """The signature of *message*, whose Signature field is zero."""

    def sign(self, message: bytearray | memoryview, header: Header, *, server: bool) -> None:
        """Write the signature of *message*, whole and with SMB2_FLAGS_SIGNED set, into its Signature field, now zero.

        *header* is its own or that of the request it answers: both have the same Command and MessageId. *server* says
        who sends it.
        """
        _put_signature(message, SIGNATURE_AT, self._compute(message, header, server))

    def verify(self, message: bytearray | memoryview, header: Header, *, server: bool = False) -> bool:
        """Whether *message* carries its right signature; *header* is what was read of it, *server* says who sent it.

        The Signature field is zeroed meanwhile, so *message* must be writable; it is put back.
        """
        _put_signature(message, SIGNATURE_AT, NO_SIGNATURE)
        expected = self._compute(message, header, server)
        _put_signature(message, SIGNATURE_AT, header.signature)
        return _are_equal(header.signature, expected)


class _HmacSigner(Signer):
    __slots__ = ("_key",)

    def __init__(self, key: bytes) -> None:
        self._key = key

    def _compute(self, message: bytearray | memoryview, header: Header, server: bool) -> bytes:
        return _hmac(self._key, message, "sha256")[:16]


class _CmacSigner(Signer):
    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        # Copying a keyed object is several times cheaper than scheduling the key again for each message.
        self._keyed = CMAC(AES(key))

    def _compute(self, message: bytearray | memoryview, header: Header, server: bool) -> bytes:
        mac = self._keyed.copy()
        mac.update(message)  # type: ignore[arg-type]  # its stub says bytes; any buffer works
        return mac.finalize()


class _GmacSigner(Signer):
    __slots__ = ("_encrypt",)

    def __init__(self, key: bytes) -> None:
        self._encrypt = AESGCM(key).encrypt

    def _compute(self, message: bytearray | memoryview, header: Header, server: bool) -> bytes:
        role = _SERVER if server else 0
        if header.command == Opcode.CANCEL:
            role += _CANCEL
        return self._encrypt(_nonce(header.message_id, role), b"", message)


_SERVER: Final = 1
_CANCEL: Final = 2
"""How the nonce of a signature ends. A CANCEL shares the MessageId of the request it cancels: so it has a bit."""


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
