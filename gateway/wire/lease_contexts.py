"""The create context of a lease, version 1 and 2 ([MS-SMB2] 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10, 2.2.14.2.11)."""

from typing import Final

from gateway.wire.codec import Data, b16, u16, u32, u64, wire

__all__ = [
    "SMB2_LEASE_FLAG_BREAK_IN_PROGRESS",
    "SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET",
    "SMB2_LEASE_HANDLE_CACHING",
    "SMB2_LEASE_NONE",
    "SMB2_LEASE_READ_CACHING",
    "SMB2_LEASE_WRITE_CACHING",
    "Lease",
    "LeaseV2",
    "parse_lease",
]

SMB2_LEASE_NONE: Final = 0x00
SMB2_LEASE_READ_CACHING: Final = 0x01
SMB2_LEASE_HANDLE_CACHING: Final = 0x02
SMB2_LEASE_WRITE_CACHING: Final = 0x04

SMB2_LEASE_FLAG_BREAK_IN_PROGRESS: Final = 0x00000002
SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET: Final = 0x00000004


@wire
class Lease(Data):
    """SMB2_CREATE_REQUEST_LEASE and its response, which look the same."""

    lease_key: b16 = bytes(16)
    lease_state: u32 = 0
    flags: u32 = 0
    lease_duration: u64 = 0


@wire
class LeaseV2(Data):
    """SMB2_CREATE_REQUEST_LEASE_V2 and its response, which look the same."""

    lease_key: b16 = bytes(16)
    lease_state: u32 = 0
    flags: u32 = 0
    lease_duration: u64 = 0
    parent_lease_key: b16 = bytes(16)
    epoch: u16 = 0
    reserved: u16 = 0


def parse_lease(data: memoryview | bytes) -> Lease | LeaseV2:
    """Read whichever version the length says it is; raises `WireError`."""
    return LeaseV2.unpack_from(data) if len(data) >= LeaseV2.SIZE else Lease.unpack_from(data)
