"""The list of create contexts, and the plain ones among them ([MS-SMB2] 2.2.13.2, 2.2.14.2).

Leases are in `lease_contexts`, durable and persistent handles in `durable_contexts`.
"""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from gateway.wire.codec import Data, align8, b16, join_aligned, pad8, take, u16, u32, u64, wire
from gateway.wire.errors import WireError

__all__ = [
    "AAPL",
    "SMB2_CREATE_ALLOCATION_SIZE",
    "SMB2_CREATE_APP_INSTANCE_ID",
    "SMB2_CREATE_APP_INSTANCE_VERSION",
    "SMB2_CREATE_DURABLE_HANDLE_RECONNECT",
    "SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2",
    "SMB2_CREATE_DURABLE_HANDLE_REQUEST",
    "SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2",
    "SMB2_CREATE_EA_BUFFER",
    "SMB2_CREATE_POSIX",
    "SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST",
    "SMB2_CREATE_QUERY_ON_DISK_ID",
    "SMB2_CREATE_REQUEST_LEASE",
    "SMB2_CREATE_SD_BUFFER",
    "SMB2_CREATE_TIMEWARP_TOKEN",
    "SVHDX_OPEN_DEVICE_CONTEXT",
    "AllocationSize",
    "AppInstanceId",
    "AppInstanceVersion",
    "CreateContext",
    "MaximalAccessRequest",
    "MaximalAccessResponse",
    "OnDiskIdResponse",
    "PosixCreateRequest",
    "TimewarpToken",
    "pack_create_contexts",
    "parse_create_contexts",
]

SMB2_CREATE_EA_BUFFER: Final = b"ExtA"
SMB2_CREATE_SD_BUFFER: Final = b"SecD"
SMB2_CREATE_DURABLE_HANDLE_REQUEST: Final = b"DHnQ"
SMB2_CREATE_DURABLE_HANDLE_RECONNECT: Final = b"DHnC"
SMB2_CREATE_ALLOCATION_SIZE: Final = b"AlSi"
SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST: Final = b"MxAc"
SMB2_CREATE_TIMEWARP_TOKEN: Final = b"TWrp"
SMB2_CREATE_QUERY_ON_DISK_ID: Final = b"QFid"
SMB2_CREATE_REQUEST_LEASE: Final = b"RqLs"
"""Both versions; they differ in length."""
SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2: Final = b"DH2Q"
SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2: Final = b"DH2C"
AAPL: Final = b"AAPL"
SMB2_CREATE_APP_INSTANCE_ID: Final = bytes.fromhex("45bca66aefa7f74a9008fa462e144d74")
SMB2_CREATE_APP_INSTANCE_VERSION: Final = bytes.fromhex("b982d0b73b56074fa07b524a8116a010")
SVHDX_OPEN_DEVICE_CONTEXT: Final = bytes.fromhex("9ccbcf9e04c1e643980e158da1f6ec83")
SMB2_CREATE_POSIX: Final = bytes.fromhex("93ad25509cb411e7b42383de968bcd7c")

_HEAD = struct.Struct("<IHHHHI")
_MAX_CONTEXTS: Final = 64
_MIN_NAME: Final = 4


class CreateContext(NamedTuple):
    """A create context before it is understood."""

    name: bytes
    data: memoryview | bytes


def parse_create_contexts(area: memoryview) -> tuple[CreateContext, ...]:
    """Walk the list that fills `area`; raises `WireError`.

    Names are at least four bytes and stand before the data, as Windows insists on.
    """
    contexts: list[CreateContext] = []
    while len(area):
        if len(contexts) == _MAX_CONTEXTS:
            raise WireError("too many create contexts")
        head = take(area, 0, _HEAD.size)
        following, name_offset, name_length, _reserved, data_offset, data_length = _HEAD.unpack(head)
        if following % 8 or following > len(area) or 0 < following < _HEAD.size:
            raise WireError(f"create context: next at {following} of {len(area)}")
        if name_length < _MIN_NAME:
            raise WireError(f"create context: name of {name_length} bytes")
        element = area[: following or len(area)]
        name = take(element, name_offset, name_length, at_least=_HEAD.size)
        data = take(element, data_offset, data_length, at_least=name_offset + name_length)
        contexts.append(CreateContext(bytes(name), data))
        if not following:
            break
        area = area[following:]
    return tuple(contexts)


def pack_create_contexts(contexts: Iterable[tuple[bytes, memoryview | bytes]]) -> bytes:
    """Build the list; it has to stand at a multiple of eight."""
    items = list(contexts)
    last = len(items) - 1
    return join_aligned(_pack(name, data, more=index < last) for index, (name, data) in enumerate(items))


def _pack(name: bytes, data: memoryview | bytes, *, more: bool) -> bytes:
    padding = pad8(_HEAD.size + len(name))
    data_offset = _HEAD.size + len(name) + len(padding)
    following = align8(data_offset + len(data)) if more else 0
    head = _HEAD.pack(following, _HEAD.size, len(name), 0, data_offset if len(data) else 0, len(data))
    return b"".join((head, name, padding, data))


@wire
class MaximalAccessRequest(Data):
    """[MS-SMB2] 2.2.13.2.5: answer only if the file was changed after `timestamp`, a FILETIME; or empty, and always."""

    timestamp: u64 = 0

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of a context; raises `WireError`."""
        return cls.unpack_from(data) if len(data) else cls()


@wire
class MaximalAccessResponse(Data):
    """[MS-SMB2] 2.2.14.2.5."""

    query_status: u32 = 0
    maximal_access: u32 = 0


@wire
class AllocationSize(Data):
    """[MS-SMB2] 2.2.13.2.6."""

    allocation_size: u64 = 0


@wire
class TimewarpToken(Data):
    """[MS-SMB2] 2.2.13.2.7; a FILETIME."""

    timestamp: u64 = 0


@wire
class OnDiskIdResponse(Data):
    """[MS-SMB2] 2.2.14.2.9."""

    disk_file_id: u64 = 0
    volume_id: u64 = 0
    reserved: b16 = bytes(16)


@wire
class AppInstanceId(Data):
    """[MS-SMB2] 2.2.13.2.13."""

    structure_size: u16 = 20
    reserved: u16 = 0
    app_instance_id: b16 = bytes(16)


@wire
class AppInstanceVersion(Data):
    """[MS-SMB2] 2.2.13.2.15."""

    structure_size: u16 = 24
    reserved: u16 = 0
    padding: u32 = 0
    app_instance_version_high: u64 = 0
    app_instance_version_low: u64 = 0


@wire
class PosixCreateRequest(Data):
    """SMB3 POSIX extensions: the permission bits of a file that is created."""

    mode: u32 = 0
