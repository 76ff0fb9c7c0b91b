"""The header in front of a sealed message ([MS-SMB2] 2.2.41)."""

from typing import Final, Self

from gateway.wire.codec import Data, b4, b16, u16, u32, u64, wire
from gateway.wire.errors import WireError

__all__ = ["SMB2_TRANSFORM_ENCRYPTED", "TRANSFORM_HEADER_SIZE", "TRANSFORM_MAGIC", "TransformHeader"]

TRANSFORM_MAGIC: Final = b"\xfdSMB"
TRANSFORM_HEADER_SIZE: Final = 52

SMB2_TRANSFORM_ENCRYPTED: Final = 0x0001
"""In 3.0 and 3.0.2 the same bit, and the same field, name the only cipher: AES-128-CCM."""


@wire
class TransformHeader(Data):
    """[MS-SMB2] 2.2.41. A nonce is padded with zeros: 11 bytes of it count for CCM, 12 for GCM."""

    protocol_id: b4 = TRANSFORM_MAGIC
    signature: b16 = bytes(16)
    nonce: b16 = bytes(16)
    original_message_size: u32 = 0
    reserved: u16 = 0
    flags: u16 = SMB2_TRANSFORM_ENCRYPTED
    session_id: u64 = 0

    @classmethod
    def parse(cls, message: memoryview | bytes) -> Self:
        """Read the header that `message` begins with; raises `WireError` if it is short or another one."""
        self = cls.unpack_from(message)
        if self.protocol_id != TRANSFORM_MAGIC:
            raise WireError(f"no transform header: {self.protocol_id.hex()}")
        return self
