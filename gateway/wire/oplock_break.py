"""OPLOCK_BREAK, of oplocks and of leases ([MS-SMB2] 2.2.23, 2.2.24, 2.2.25)."""

import struct
from typing import Final

from gateway.wire.codec import BODY, Body, b16, take, u8, u16, u32, u64, wire

__all__ = [
    "SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED",
    "LeaseBreakAcknowledgment",
    "LeaseBreakNotification",
    "LeaseBreakResponse",
    "OplockBreakAcknowledgment",
    "OplockBreakNotification",
    "OplockBreakResponse",
    "parse_acknowledgment",
    "parse_notification",
]

SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED: Final = 0x00000001


@wire
class _OplockBreak(Body):
    """What notification, acknowledgment and response of an oplock's break look like."""

    structure_size: u16 = 24
    oplock_level: u8 = 0
    reserved: u8 = 0
    reserved2: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0


@wire
class OplockBreakNotification(_OplockBreak):
    """[MS-SMB2] 2.2.23.1; what the server sends, unasked, with a message id of all ones."""


@wire
class OplockBreakAcknowledgment(_OplockBreak):
    """[MS-SMB2] 2.2.24.1; what the client sends."""


@wire
class OplockBreakResponse(_OplockBreak):
    """[MS-SMB2] 2.2.25.1."""


@wire
class LeaseBreakNotification(Body):
    """[MS-SMB2] 2.2.23.2; what the server sends, unasked, with a message id of all ones."""

    structure_size: u16 = 44
    new_epoch: u16 = 0
    flags: u32 = 0
    lease_key: b16 = bytes(16)
    current_lease_state: u32 = 0
    new_lease_state: u32 = 0
    break_reason: u32 = 0
    access_mask_hint: u32 = 0
    share_mask_hint: u32 = 0


@wire
class _LeaseBreak(Body):
    """What acknowledgment and response of a lease's break look like."""

    structure_size: u16 = 36
    reserved: u16 = 0
    flags: u32 = 0
    lease_key: b16 = bytes(16)
    lease_state: u32 = 0
    lease_duration: u64 = 0


@wire
class LeaseBreakAcknowledgment(_LeaseBreak):
    """[MS-SMB2] 2.2.24.2; what the client sends."""


@wire
class LeaseBreakResponse(_LeaseBreak):
    """[MS-SMB2] 2.2.25.2."""


def _structure_size(message: memoryview) -> int:
    size: int = struct.unpack("<H", take(message, BODY, 2))[0]
    return size


def parse_acknowledgment(message: memoryview) -> OplockBreakAcknowledgment | LeaseBreakAcknowledgment:
    """Read whichever acknowledgment the structure size says it is; raises `WireError`."""
    if _structure_size(message) == 36:
        return LeaseBreakAcknowledgment.parse(message)
    return OplockBreakAcknowledgment.parse(message)


def parse_notification(message: memoryview) -> OplockBreakNotification | LeaseBreakNotification:
    """Read whichever notification the structure size says it is; raises `WireError`."""
    if _structure_size(message) == 44:
        return LeaseBreakNotification.parse(message)
    return OplockBreakNotification.parse(message)
