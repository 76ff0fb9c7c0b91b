"""What smbprotocol puts into contexts and controls, and the other way round."""

import struct

import pytest
from smbprotocol import connection, create_contexts, exceptions, ioctl

from gateway.wire.create import CreateRequest
from gateway.wire.create_contexts import (
    AllocationSize,
    AppInstanceId,
    AppInstanceVersion,
    CreateContext,
    MaximalAccessRequest,
    MaximalAccessResponse,
    OnDiskIdResponse,
    TimewarpToken,
)
from gateway.wire.durable_contexts import (
    DurableHandleReconnectV2,
    DurableHandleRequest,
    DurableHandleRequestV2,
    DurableHandleResponseV2,
)
from gateway.wire.error import ErrorResponse, SymbolicLinkError
from gateway.wire.lease_contexts import Lease, LeaseV2
from gateway.wire.negotiate import NegotiateRequest, NegotiateResponse
from gateway.wire.negotiate_contexts import (
    EncryptionCapabilities,
    NetnameNegotiateContextId,
    PreauthIntegrityCapabilities,
    SigningCapabilities,
)
from gateway.wire.transform import TransformHeader
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from tests.wire.helpers import message
from tests.wire.smbprotocol_peer import (
    FILE,
    FILE_ID,
    FILETIME,
    GUID,
    TIME,
    UUID,
    Case,
    built,
    case_id,
    check_theirs,
    plain,
)

DATA = [
    Case(
        TransformHeader(signature=GUID, nonce=GUID, original_message_size=100, session_id=7),
        connection.SMB2TransformHeader,
        {"signature": GUID, "nonce": GUID, "original_message_size": 100, "session_id": 7},
    ),
    Case(
        MaximalAccessRequest(timestamp=FILETIME),
        create_contexts.SMB2CreateQueryMaximalAccessRequest,
        {"timestamp": TIME},
    ),
    Case(
        MaximalAccessResponse(query_status=0, maximal_access=0x1F01FF),
        create_contexts.SMB2CreateQueryMaximalAccessResponse,
        {"query_status": 0, "maximal_access": 0x1F01FF},
    ),
    Case(AllocationSize(allocation_size=5), create_contexts.SMB2CreateAllocationSize, {"allocation_size": 5}),
    Case(TimewarpToken(timestamp=FILETIME), create_contexts.SMB2CreateTimewarpToken, {"timestamp": TIME}),
    Case(
        OnDiskIdResponse(disk_file_id=5, volume_id=6),
        create_contexts.SMB2CreateQueryOnDiskIDResponse,
        {"disk_file_id": 5, "volume_id": 6},
    ),
    Case(
        Lease(lease_key=GUID, lease_state=7),
        create_contexts.SMB2CreateRequestLease,
        {"lease_key": GUID, "lease_state": 7},
    ),
    Case(
        LeaseV2(lease_key=GUID, lease_state=7, flags=4, parent_lease_key=GUID[::-1], epoch=0x201),
        create_contexts.SMB2CreateRequestLeaseV2,
        {"lease_key": GUID, "lease_state": 7, "lease_flags": 4, "parent_lease_key": GUID[::-1], "epoch": b"\1\2"},
    ),
    Case(
        LeaseV2(lease_key=GUID, lease_state=3, flags=2, epoch=9),
        create_contexts.SMB2CreateResponseLeaseV2,
        {"lease_key": GUID, "lease_state": 3, "flags": 2, "parent_lease_key": bytes(16), "epoch": 9},
    ),
    Case(DurableHandleRequest(), create_contexts.SMB2CreateDurableHandleRequest, {"durable_request": bytes(16)}),
    Case(
        DurableHandleRequestV2(timeout=1000, flags=2, create_guid=GUID),
        create_contexts.SMB2CreateDurableHandleRequestV2,
        {"timeout": 1000, "flags": 2, "create_guid": UUID},
    ),
    Case(
        DurableHandleResponseV2(timeout=1000, flags=2),
        create_contexts.SMB2CreateDurableHandleResponseV2,
        {"timeout": 1000, "flags": 2},
    ),
    Case(
        DurableHandleReconnectV2(create_guid=GUID, flags=2, **FILE),
        create_contexts.SMB2CreateDurableHandleReconnectV2,
        {"file_id": FILE_ID, "create_guid": UUID, "flags": 2},
    ),
    Case(AppInstanceId(app_instance_id=GUID), create_contexts.SMB2CreateAppInstanceId, {"app_instance_id": GUID}),
    Case(
        AppInstanceVersion(app_instance_version_high=1, app_instance_version_low=2),
        create_contexts.SMB2CreateAppInstanceVersion,
        {"app_instance_version_high": 1, "app_instance_version_low": 2},
    ),
    Case(
        ValidateNegotiateInfoResponse(capabilities=1, guid=GUID, security_mode=3, dialect=0x0302),
        ioctl.SMB2ValidateNegotiateInfoResponse,
        {"capabilities": 1, "guid": UUID, "security_mode": 3, "dialect": 0x0302},
    ),
    Case(
        PreauthIntegrityCapabilities((1,), GUID),
        connection.SMB2PreauthIntegrityCapabilities,
        {"hash_algorithms": [1], "salt": GUID},
    ),
    Case(EncryptionCapabilities((2, 1)), connection.SMB2EncryptionCapabilities, {"ciphers": [2, 1]}),
    Case(SigningCapabilities((2, 1, 0)), connection.SMB2SigningCapabilities, {"signing_algorithms": [2, 1, 0]}),
    Case(NetnameNegotiateContextId("server"), connection.SMB2NetnameNegotiateContextId, {"net_name": "server"}),
]


@pytest.mark.parametrize("case", DATA, ids=case_id)
def test_data(case) -> None:
    check_theirs(case)
    assert type(case.ours).parse(built(case)) == case.ours


@pytest.mark.parametrize("dialects", [[0x0311], [0x0302, 0x0311], [0x0202, 0x0210, 0x0300, 0x0302, 0x0311]])
def test_negotiate_request(dialects) -> None:
    theirs = connection.SMB3NegotiateRequest()
    theirs["security_mode"] = 1
    theirs["capabilities"] = 0x7F
    theirs["client_guid"] = UUID
    theirs["dialects"] = dialects
    contexts = (
        (connection.SMB2PreauthIntegrityCapabilities, {"hash_algorithms": [1], "salt": GUID}, 1),
        (connection.SMB2EncryptionCapabilities, {"ciphers": [2, 1]}, 2),
        (connection.SMB2NetnameNegotiateContextId, {"net_name": "srv"}, 5),
        (connection.SMB2SigningCapabilities, {"signing_algorithms": [2]}, 8),
    )
    built_contexts = []
    for kind, values, number in contexts:
        context = connection.SMB2NegotiateContextRequest()
        context["context_type"] = number
        data = kind()
        for name, value in values.items():
            data[name] = value
        context["data"] = data
        built_contexts.append(context)
    theirs["negotiate_context_list"] = built_contexts
    body = theirs.pack()
    ours = NegotiateRequest.parse(message(body))
    assert (ours.dialects, ours.client_guid, ours.capabilities) == (tuple(dialects), GUID, 0x7F)
    assert PreauthIntegrityCapabilities.parse(ours.contexts[0].data).salt == GUID
    assert EncryptionCapabilities.parse(ours.contexts[1].data).ciphers == (2, 1)
    assert NetnameNegotiateContextId.parse(ours.contexts[2].data).net_name == "srv"
    assert SigningCapabilities.parse(ours.contexts[3].data).signing_algorithms == (2,)
    if len(dialects) != 2:  # with two of them, theirs is not aligned
        assert ours.to_bytes() == body[: len(ours.to_bytes())]


def test_negotiate_response() -> None:
    ours = NegotiateResponse(
        security_mode=3,
        dialect_revision=0x0311,
        server_guid=GUID,
        capabilities=0x2F,
        max_transact_size=1,
        max_read_size=2,
        max_write_size=3,
        system_time=FILETIME,
        security_buffer=b"token",
        contexts=(PreauthIntegrityCapabilities((1,), GUID).context(), EncryptionCapabilities((2,)).context()),
    )
    theirs = connection.SMB2NegotiateResponse()
    theirs.unpack(ours.to_bytes())
    assert theirs["dialect_revision"].get_value() == 0x0311
    assert theirs["server_guid"].get_value() == UUID
    assert theirs["system_time"].get_value() == TIME
    assert theirs["buffer"].get_value() == b"token"
    first, second = theirs["negotiate_context_list"].get_value()
    assert first["data"]["salt"].get_value() == GUID
    assert plain(second["data"]["ciphers"].get_value()) == [2]


def test_create_contexts() -> None:
    """Their list, built by their own code, through ours and back."""
    wanted = []
    for name, data in ((b"MxAc", b""), (b"QFid", b""), (b"AlSi", b"\1\2\3\4\5\6\7\x08"), (GUID, b"abc")):
        context = create_contexts.SMB2CreateContextRequest()
        context["buffer_name"] = name
        context["buffer_data"] = data
        wanted.append((name, context))
    packed = create_contexts.SMB2CreateContextRequest.pack_multiple([context for _, context in wanted])
    body = bytearray(CreateRequest(name="x", contexts=(CreateContext(b"MxAc", b""),)).to_bytes()[:64]) + packed
    struct.pack_into("<I", body, 52, len(packed))
    parsed = CreateRequest.parse(message(bytes(body)))
    assert [context.name for context in parsed.contexts] == [name for name, _ in wanted]
    assert parsed.contexts[3].data == b"abc"


def test_validate_negotiate_request() -> None:
    theirs = ioctl.SMB2ValidateNegotiateInfoRequest()
    theirs["capabilities"], theirs["guid"], theirs["security_mode"] = 0x7F, UUID, 1
    theirs["dialects"] = [0x0300, 0x0302]
    ours = ValidateNegotiateInfoRequest.parse(theirs.pack())
    assert (ours.dialects, ours.guid, ours.capabilities, ours.security_mode) == ((0x0300, 0x0302), GUID, 0x7F, 1)
    assert ours.to_bytes() == theirs.pack()


def test_errors() -> None:
    link = SymbolicLinkError(unparsed_path_length=8, flags=1, substitute_name="..\\target", print_name="target")
    theirs = exceptions.SMB2ErrorResponse()
    theirs.unpack(ErrorResponse.of(link.to_bytes(), in_context=True).to_bytes())
    (context,) = theirs["error_data"].get_value()
    found = exceptions.SMB2SymbolicLinkErrorResponse()
    found.unpack(context["error_context_data"].get_value())
    assert found.get_substitute_name() == "..\\target"
    assert found.get_print_name() == "target"
    assert found["unparsed_path_length"].get_value() == 8
    assert SymbolicLinkError.parse(found.pack()) == link
