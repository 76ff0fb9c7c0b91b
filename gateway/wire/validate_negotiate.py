"""FSCTL_VALIDATE_NEGOTIATE_INFO ([MS-SMB2] 2.2.31.4, 2.2.32.6)."""

import struct
from typing import Self

from gateway.wire.codec import Data, b16, take, u16, u32, wire

__all__ = ["ValidateNegotiateInfoRequest", "ValidateNegotiateInfoResponse"]


@wire
class ValidateNegotiateInfoRequest(Data):
    """[MS-SMB2] 2.2.31.4: what the client had sent in its NEGOTIATE."""

    capabilities: u32 = 0
    guid: b16 = bytes(16)
    security_mode: u16 = 0
    dialect_count: u16 = 0
    dialects: tuple[int, ...] = ()

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the input of the IOCTL; raises `WireError`."""
        self = cls.unpack_from(data)
        count = self.dialect_count
        self.dialects = struct.unpack(f"<{count}H", take(memoryview(data), cls.SIZE, 2 * count))
        return self

    def to_bytes(self) -> bytes:
        """The input of the IOCTL, with its count filled in."""
        self.dialect_count = len(self.dialects)
        return self.pack() + struct.pack(f"<{self.dialect_count}H", *self.dialects)


@wire
class ValidateNegotiateInfoResponse(Data):
    """[MS-SMB2] 2.2.32.6: what the server had answered to it."""

    capabilities: u32 = 0
    guid: b16 = bytes(16)
    security_mode: u16 = 0
    dialect: u16 = 0
