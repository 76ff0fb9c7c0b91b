"""Sealed messages: SMB2 TRANSFORM_HEADER and AES in an authenticated mode ([MS-SMB2] 2.2.41, 3.1.4.3)."""

import struct
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import GCM

from gateway.crypto.errors import CryptoError
from gateway.crypto.keys import AES128_CCM, AES128_GCM, AES256_CCM, AES256_GCM
from gateway.wire.transform import SMB2_TRANSFORM_ENCRYPTED, TRANSFORM_HEADER_SIZE, TRANSFORM_MAGIC

TAG_LENGTH: Final = 16

_MAGIC: Final = TRANSFORM_MAGIC
_view_of: Final = memoryview
# ProtocolId, Signature, Nonce, OriginalMessageSize, Flags, SessionId
_header_of: Final = struct.Struct("<4s16s16sIxxHQ").unpack_from
_pack_associated: Final = struct.Struct("<16sIHHQ").pack
_SIGNED_FROM: Final = 20
_BLOCK: Final = 16
ONE_BUFFER: Final = 4096 + 256
"""Up to so many bytes, a page of data and what goes before it, are cheaper to copy than to send from another buffer."""
# From this size on, sparing a copy outweighs the setting up of a cipher context.
_LARGE: Final = 128 * 1024

Frame = bytes | bytearray | memoryview

_CIPHERS: dict[int, tuple[type[AESCCM | AESGCM], int, int]] = {
    AES128_CCM: (AESCCM, 16, 11),
    AES128_GCM: (AESGCM, 16, 12),
    AES256_CCM: (AESCCM, 32, 11),
    AES256_GCM: (AESGCM, 32, 12),
}


def nonce_length(cipher_id: int) -> int:
    """How many bytes of nonce a cipher takes: 11 for CCM, 12 for GCM."""
    return _CIPHERS[cipher_id][2]


def transform_header(frame: Frame) -> tuple[int, bytes, bytes]:
    """SessionId, Nonce and Signature of a sealed message: whose key opens it, and how. Nothing vouches for them yet.

    *frame* is a transform header and everything behind it, without the transport's length. Raises CryptoError if the
    header is malformed, or the message of another size than it says.
    """
    if len(frame) <= TRANSFORM_HEADER_SIZE:
        raise CryptoError("a sealed message is too short")
    protocol_id: bytes
    signature: bytes
    nonce: bytes
    size: int
    flags: int
    session_id: int
    protocol_id, signature, nonce, size, flags, session_id = _header_of(frame)
    if protocol_id != _MAGIC or flags != SMB2_TRANSFORM_ENCRYPTED:
        raise CryptoError("not a sealed message")
    if size != len(frame) - TRANSFORM_HEADER_SIZE:
        raise CryptoError("a sealed message of another size than it says")
    return session_id, nonce, signature


class Sealer:
    """Seals or unseals with one key. Holds no state between messages; nonces are the caller's business."""

    __slots__ = ("_decrypt", "_encrypt", "_large", "nonce_length")

    def __init__(self, cipher_id: int, key: bytes) -> None:
        """Raises ValueError for an unknown cipher or a key of the wrong length."""
        if cipher_id not in _CIPHERS:
            raise ValueError(f"no cipher {cipher_id}")
        algorithm, key_length, self.nonce_length = _CIPHERS[cipher_id]
        if len(key) != key_length:
            raise ValueError(f"cipher {cipher_id} takes a key of {key_length} bytes, not {len(key)}")
        aead = algorithm(key)
        self._encrypt, self._decrypt = aead.encrypt, aead.decrypt
        self._large = AES(key) if algorithm is AESGCM else None

    def seal(self, message: Frame, session_id: int, nonce: bytes, before: bytes = b"") -> list[Frame]:
        """*message* (one SMB2 message or a whole compound), sealed: its transform header and the rest, as buffers.

        A small one is in a single buffer. *before* is put in front of all. *nonce* has ``nonce_length`` bytes and was
        never used with this key.
        """
        length = len(message)
        associated = _pack_associated(nonce, length, 0, SMB2_TRANSFORM_ENCRYPTED, session_id)
        sealed = self._encrypt(nonce, message, associated)
        # The library puts the tag behind the text; SMB has it in the header's Signature field.
        if length <= ONE_BUFFER:
            return [b"".join((before, _MAGIC, sealed[length:], associated, sealed[:length]))]
        return [b"".join((before, _MAGIC, sealed[length:], associated)), _view_of(sealed)[:length]]

    def unseal(self, frame: Frame, nonce: bytes, signature: bytes) -> bytes | bytearray:
        """The message in *frame*, with what `transform_header` has found there.

        Raises CryptoError if it was not sealed with this key.
        """
        nonce = nonce[: self.nonce_length]
        text, associated = frame[TRANSFORM_HEADER_SIZE:], frame[_SIGNED_FROM:TRANSFORM_HEADER_SIZE]
        try:
            if self._large is not None and len(text) >= _LARGE:
                return _unseal_large(self._large, nonce, signature, associated, text)
            return self._decrypt(nonce, b"".join((text, signature)), associated)
        except InvalidTag:
            raise CryptoError("a sealed message does not open with the session's key") from None


def _unseal_large(key: AES, nonce: bytes, tag: bytes, associated: Frame, text: Frame) -> bytearray:
    """GCM with the tag beside the text, not behind it: spares the copy that would join them."""
    decryptor = Cipher(key, GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(associated)
    # The library wants room for one block more, less a byte, than it writes.
    message = bytearray(len(text) + _BLOCK - 1)
    decryptor.update_into(text, message)
    decryptor.finalize()
    del message[len(text) :]
    return message


def make_sealer(cipher_id: int, key: bytes) -> Sealer:
    """A sealer for one of the four ciphers. Raises ValueError for another, or a key of the wrong length."""
    return Sealer(cipher_id, key)


class NonceSequence:
    """Nonces for one key in one direction, none of them twice.

    One object goes with one key: all channels of a session share it, and it lives as long as the key is used, across
    re-authentications. A counter cannot collide where random nonces some day would.
    """

    __slots__ = ("_limit", "_next", "_suffix")

    def __init__(self, cipher_id: int, suffix: bytes, *, limit: int = 1 << 64) -> None:
        """*suffix*: random bytes that follow the counter of 8 bytes, 3 for CCM and 4 for GCM."""
        length = nonce_length(cipher_id) - 8
        if len(suffix) != length:
            raise ValueError(f"cipher {cipher_id} takes a suffix of {length} bytes, not {len(suffix)}")
        self._suffix = suffix
        self._next = 0
        self._limit = limit

    def next(self) -> bytes:
        """A nonce that was not used before. Raises CryptoError when there is none left."""
        value = self._next
        if value >= self._limit:
            raise CryptoError("no nonce is left for this key")
        self._next = value + 1
        return value.to_bytes(8, "little") + self._suffix
