"""Create contexts of durable and persistent handles ([MS-SMB2] 2.2.13.2.3, 2.2.13.2.4, 2.2.13.2.11, 2.2.13.2.12)."""

from typing import Final

from gateway.wire.codec import Data, b16, u32, u64, wire

__all__ = [
    "SMB2_DHANDLE_FLAG_PERSISTENT",
    "DurableHandleReconnect",
    "DurableHandleReconnectV2",
    "DurableHandleRequest",
    "DurableHandleRequestV2",
    "DurableHandleResponse",
    "DurableHandleResponseV2",
]

SMB2_DHANDLE_FLAG_PERSISTENT: Final = 0x00000002


@wire
class DurableHandleRequest(Data):
    """DHnQ: sixteen bytes that say nothing."""

    durable_request: b16 = bytes(16)


@wire
class DurableHandleResponse(Data):
    """Answers DHnQ ([MS-SMB2] 2.2.14.2.3)."""

    reserved: u64 = 0


@wire
class DurableHandleReconnect(Data):
    """DHnC."""

    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0


@wire
class DurableHandleRequestV2(Data):
    """DH2Q; `timeout` in milliseconds, zero for what the server likes."""

    timeout: u32 = 0
    flags: u32 = 0
    reserved: u64 = 0
    create_guid: b16 = bytes(16)


@wire
class DurableHandleResponseV2(Data):
    """Answers DH2Q ([MS-SMB2] 2.2.14.2.12); `timeout` in milliseconds."""

    timeout: u32 = 0
    flags: u32 = 0


@wire
class DurableHandleReconnectV2(Data):
    """DH2C."""

    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    create_guid: b16 = bytes(16)
    flags: u32 = 0
