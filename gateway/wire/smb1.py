"""SMB1, as far as a client goes that would rather speak SMB2 ([MS-CIFS] 2.2.4.52, [MS-SMB2] 3.3.5.3)."""

import struct
from dataclasses import dataclass
from typing import Final, Self

from gateway.wire.codec import take
from gateway.wire.errors import WireError

__all__ = ["SMB1_DIALECT_202", "SMB1_DIALECT_WILDCARD", "SMB1_MAGIC", "Smb1NegotiateRequest"]

SMB1_MAGIC: Final = b"\xffSMB"
SMB1_DIALECT_202: Final = "SMB 2.002"
SMB1_DIALECT_WILDCARD: Final = "SMB 2.???"

_NEGOTIATE = 0x72
_REPLY = 0x80
_HEADER = struct.Struct("<4sBIB22x")
_COUNTS = struct.Struct("<BH")
_MAX_DIALECTS = 64


@dataclass(slots=True)
class Smb1NegotiateRequest:
    """[MS-CIFS] 2.2.4.52.1."""

    dialects: tuple[str, ...]

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """Read the dialects of an SMB1 NEGOTIATE; raises `WireError` if it is anything else."""
        magic, command, _status, flags = _HEADER.unpack(take(message, 0, _HEADER.size))
        if magic != SMB1_MAGIC or command != _NEGOTIATE or flags & _REPLY:
            raise WireError("not an SMB1 NEGOTIATE")
        words, count = _COUNTS.unpack(take(message, _HEADER.size, _COUNTS.size))
        if words:
            raise WireError(f"an SMB1 NEGOTIATE with {words} words")
        area = bytes(take(message, _HEADER.size + _COUNTS.size, count))
        if not area.startswith(b"\x02") or not area.endswith(b"\0"):
            raise WireError("an SMB1 NEGOTIATE without dialects")
        items = area[:-1].split(b"\0")
        if len(items) > _MAX_DIALECTS or not all(item.startswith(b"\x02") for item in items):
            raise WireError("an SMB1 NEGOTIATE whose dialects are none")
        return cls(tuple(item[1:].decode("latin-1") for item in items))

    def to_bytes(self) -> bytes:
        """A whole message, SMB1 header included, from a client that knows nothing but how to negotiate."""
        area = b"".join(b"\x02" + dialect.encode("latin-1") + b"\0" for dialect in self.dialects)
        return _HEADER.pack(SMB1_MAGIC, _NEGOTIATE, 0, 0x18) + _COUNTS.pack(0, len(area)) + area
