"""The pre-authentication integrity hash of SMB 3.1.1 ([MS-SMB2] 3.3.5.4, 3.3.5.5).

A connection chains its NEGOTIATE messages; each SESSION_SETUP starts from a copy of that and chains its own.
"""

import hashlib

from cryptography.utils import Buffer

SHA512 = 0x0001
"""HashAlgorithms of SMB2_PREAUTH_INTEGRITY_CAPABILITIES, [MS-SMB2] 2.2.3.1.1."""

HASH_LENGTH = 64


class PreauthHash:
    """A running hash: SHA-512 over the previous value and the next message, from 64 zero bytes on."""

    __slots__ = ("value",)

    def __init__(self, value: bytes = bytes(HASH_LENGTH)) -> None:
        """Continue from *value*, 64 bytes."""
        if len(value) != HASH_LENGTH:
            raise ValueError(f"a preauth hash has {HASH_LENGTH} bytes, not {len(value)}")
        self.value = value

    def update(self, message: Buffer) -> None:
        """Chain *message*: one whole SMB2 message as on the wire, without the transport's length."""
        digest = hashlib.sha512(self.value)
        digest.update(message)
        self.value = digest.digest()

    def copy(self) -> "PreauthHash":
        """An independent hash that goes on from here."""
        return PreauthHash(self.value)
