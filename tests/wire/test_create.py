"""CREATE and the list of its contexts."""

import struct

import pytest

from gateway.wire import WireError
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.create_contexts import (
    AllocationSize,
    AppInstanceId,
    AppInstanceVersion,
    CreateContext,
    MaximalAccessRequest,
    MaximalAccessResponse,
    OnDiskIdResponse,
    PosixCreateRequest,
    TimewarpToken,
    pack_create_contexts,
    parse_create_contexts,
)
from tests.wire.helpers import check_truncation, data_round_trip, message, round_trip

CONTEXTS = (
    CreateContext(b"MxAc", b""),
    CreateContext(b"AlSi", struct.pack("<Q", 4096)),
    CreateContext(b"x" * 16, b"12345"),
    CreateContext(b"QFid", b""),
)


def test_request() -> None:
    request = CreateRequest(
        requested_oplock_level=0xFF,
        impersonation_level=2,
        desired_access=0x120089,
        file_attributes=0x80,
        share_access=7,
        create_disposition=1,
        create_options=0x40,
        name="d\u00efr\\file.txt",
        contexts=CONTEXTS,
    )
    parsed = round_trip(request)
    assert parsed.contexts[1] == (b"AlSi", b"\0\x10" + bytes(6))
    assert parsed.create_contexts_offset % 8 == 0
    check_truncation(request)


@pytest.mark.parametrize("name", ["", "a", "abcd", "\ud800"])
def test_request_without_contexts(name) -> None:
    request = CreateRequest(name=name)
    assert round_trip(request).name == name
    assert len(request.to_bytes()) >= 57
    check_truncation(request, needed=120 + 2 * len(name))


def test_request_without_name() -> None:
    request = CreateRequest(contexts=CONTEXTS)
    assert round_trip(request).create_contexts_offset == 128


def test_request_name_before_the_body_ends() -> None:
    body = bytearray(CreateRequest(name="abcd").to_bytes())
    struct.pack_into("<H", body, 44, 118)
    with pytest.raises(WireError):
        CreateRequest.parse(message(bytes(body)))


def test_request_contexts_inside_the_name() -> None:
    body = bytearray(CreateRequest(name="abcdefgh", contexts=CONTEXTS).to_bytes())
    struct.pack_into("<I", body, 48, 128)
    with pytest.raises(WireError):
        CreateRequest.parse(message(bytes(body)))


def test_response() -> None:
    response = CreateResponse(
        oplock_level=9,
        create_action=1,
        creation_time=1,
        last_access_time=2,
        last_write_time=3,
        change_time=4,
        allocation_size=4096,
        end_of_file=17,
        file_attributes=0x20,
        persistent_file_id=11,
        volatile_file_id=12,
        contexts=(CreateContext(b"MxAc", MaximalAccessResponse(maximal_access=0x1F01FF).to_bytes()),),
    )
    round_trip(response)
    check_truncation(response)
    plain = CreateResponse(create_contexts_offset=99, create_contexts_length=99)
    round_trip(plain)
    assert len(plain.to_bytes()) == 88


def test_empty_list() -> None:
    assert parse_create_contexts(memoryview(b"")) == ()
    assert pack_create_contexts(()) == b""


def test_real_list() -> None:
    """MxAc and QFid as Windows sends them: 8-byte aligned, no data."""
    area = bytes.fromhex(
        "18000000 1000 0400 0000 1800 00000000 4d784163 00000000"  # MxAc; its data offset points at nothing
        "00000000 1000 0400 0000 1800 00000000 51466964 00000000"
    )
    assert parse_create_contexts(memoryview(area)) == ((b"MxAc", b""), (b"QFid", b""))


def context(following=0, name_offset=16, name_length=4, data_offset=24, data_length=8) -> bytes:
    return (
        struct.pack("<IHHHHI", following, name_offset, name_length, 0, data_offset, data_length)
        + b"NAME\0\0\0\0DATADATA"
    )


def test_bad_contexts() -> None:
    good = context()
    assert parse_create_contexts(memoryview(good)) == ((b"NAME", b"DATADATA"),)
    for bad in (
        context(following=4),
        context(following=8),
        context(following=33),
        context(following=40),
        context(following=0xFFFFFFF8),
        context(name_offset=12),
        context(name_offset=32),
        context(name_length=0),
        context(name_length=3),
        context(name_length=17),
        context(name_length=0xFFFF),
        context(data_offset=19),
        context(data_offset=25),
        context(data_offset=0),
        context(data_length=9),
        context(data_length=0xFFFFFFFF),
        context(following=24) + good,  # the data reaches into the next one
        good[:15],
    ):
        with pytest.raises(WireError):
            parse_create_contexts(memoryview(bad))


def test_list_ends_at_its_end() -> None:
    """A `next` that points exactly at the end is the end, as in lists of some clients."""
    assert len(parse_create_contexts(memoryview(context(following=32)))) == 1


def test_too_many_contexts() -> None:
    with pytest.raises(WireError, match="too many"):
        parse_create_contexts(memoryview(context(following=32) * 65))


def test_plain_contexts() -> None:
    for structure in (
        MaximalAccessRequest(timestamp=5),
        MaximalAccessResponse(query_status=1, maximal_access=2),
        AllocationSize(allocation_size=3),
        TimewarpToken(timestamp=4),
        OnDiskIdResponse(disk_file_id=5, volume_id=6),
        AppInstanceId(app_instance_id=b"0123456789abcdef"),
        AppInstanceVersion(app_instance_version_high=1, app_instance_version_low=2),
        PosixCreateRequest(mode=0o644),
    ):
        data_round_trip(structure)
    assert OnDiskIdResponse.SIZE == 32
    assert MaximalAccessRequest.parse(memoryview(b"")).timestamp == 0
    for length in range(1, 8):
        with pytest.raises(WireError):
            MaximalAccessRequest.parse(memoryview(bytes(length)))
