"""LOCK ([MS-SMB2] 2.2.26, 2.2.27)."""

import struct
from typing import Final, NamedTuple, Self

from gateway.wire.codec import BODY, Body, take, u16, u32, u64, wire

__all__ = [
    "SMB2_LOCKFLAG_EXCLUSIVE_LOCK",
    "SMB2_LOCKFLAG_FAIL_IMMEDIATELY",
    "SMB2_LOCKFLAG_SHARED_LOCK",
    "SMB2_LOCKFLAG_UNLOCK",
    "LockElement",
    "LockRequest",
    "LockResponse",
]

SMB2_LOCKFLAG_SHARED_LOCK: Final = 0x00000001
SMB2_LOCKFLAG_EXCLUSIVE_LOCK: Final = 0x00000002
SMB2_LOCKFLAG_UNLOCK: Final = 0x00000004
SMB2_LOCKFLAG_FAIL_IMMEDIATELY: Final = 0x00000010

_ELEMENT = struct.Struct("<QQI4x")


class LockElement(NamedTuple):
    """[MS-SMB2] 2.2.26.1."""

    offset: int
    length: int
    flags: int


@wire
class LockRequest(Body):
    """[MS-SMB2] 2.2.26."""

    structure_size: u16 = 48
    lock_count: u16 = 0
    lock_sequence: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    locks: tuple[LockElement, ...] = ()

    @property
    def lock_sequence_number(self) -> int:
        """The lower 4 bits; zero in 2.0.2."""
        return self.lock_sequence & 0xF

    @property
    def lock_sequence_index(self) -> int:
        """The upper 28 bits; zero in 2.0.2."""
        return self.lock_sequence >> 4

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.26; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        area = take(message, cls.END, self.lock_count * _ELEMENT.size)
        self.locks = tuple(map(LockElement._make, _ELEMENT.iter_unpack(area)))
        return self

    def to_bytes(self) -> bytes:
        """The body, with its count filled in."""
        self.lock_count = len(self.locks)
        return self.pack() + b"".join(_ELEMENT.pack(*lock) for lock in self.locks)


@wire
class LockResponse(Body):
    """[MS-SMB2] 2.2.27."""

    structure_size: u16 = 4
    reserved: u16 = 0
