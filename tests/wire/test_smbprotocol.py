"""Every command that smbprotocol knows: what it builds is parsed here, and the other way round."""

import enum
import struct
import uuid
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from smbprotocol import change_notify, connection, create_contexts, exceptions, header, ioctl, session, tree
from smbprotocol import open as files
from smbprotocol.structure import Structure

from gateway.wire.cancel import CancelRequest
from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.close import CloseRequest, CloseResponse
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.create_contexts import (
    AllocationSize,
    AppInstanceId,
    AppInstanceVersion,
    CreateContext,
    MaximalAccessRequest,
    MaximalAccessResponse,
    OnDiskIdResponse,
    TimewarpToken,
    pack_create_contexts,
)
from gateway.wire.durable_contexts import (
    DurableHandleReconnectV2,
    DurableHandleRequest,
    DurableHandleRequestV2,
    DurableHandleResponseV2,
)
from gateway.wire.echo import EchoRequest
from gateway.wire.error import ErrorResponse, SymbolicLinkError
from gateway.wire.flush import FlushRequest, FlushResponse
from gateway.wire.header import SMB2_FLAGS_ASYNC_COMMAND, Header
from gateway.wire.ioctl import IoctlRequest, IoctlResponse
from gateway.wire.lease_contexts import Lease, LeaseV2
from gateway.wire.lock import LockElement, LockRequest, LockResponse
from gateway.wire.logoff import LogoffRequest
from gateway.wire.negotiate import NegotiateRequest, NegotiateResponse
from gateway.wire.negotiate_contexts import (
    EncryptionCapabilities,
    NetnameNegotiateContextId,
    PreauthIntegrityCapabilities,
    SigningCapabilities,
)
from gateway.wire.query_directory import QueryDirectoryRequest, QueryDirectoryResponse
from gateway.wire.query_info import QueryInfoRequest, QueryInfoResponse
from gateway.wire.read import ReadRequest, ReadResponse
from gateway.wire.session_setup import SessionSetupRequest, SessionSetupResponse
from gateway.wire.set_info import SetInfoRequest, SetInfoResponse
from gateway.wire.transform import TransformHeader
from gateway.wire.tree_connect import TreeConnectRequest, TreeConnectResponse
from gateway.wire.tree_disconnect import TreeDisconnectRequest
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from gateway.wire.write import WriteRequest, WriteResponse
from tests.wire.helpers import message

GUID = b"0123456789abcdef"
UUID = uuid.UUID(bytes=GUID)
FILE = {"persistent_file_id": 0x1122334455667788, "volatile_file_id": 0x99AABBCCDDEEFF00}
FILE_ID = struct.pack("<QQ", *FILE.values())
TIME = datetime(2020, 2, 29, 12, 30, 45, 123456, tzinfo=UTC)
FILETIME = 132274530451234560
TIMES = ("creation_time", "last_access_time", "last_write_time", "change_time")


class Case(NamedTuple):
    """The same structure twice."""

    ours: Any
    theirs: type[Structure]
    values: dict[str, Any]
    """Of their fields."""


BODIES = [
    Case(
        SessionSetupRequest(flags=1, security_mode=2, capabilities=1, previous_session_id=5, security_buffer=b"token"),
        session.SMB2SessionSetupRequest,
        {"flags": 1, "security_mode": 2, "capabilities": 1, "previous_session_id": 5, "buffer": b"token"},
    ),
    Case(
        SessionSetupResponse(session_flags=4, security_buffer=b"token"),
        session.SMB2SessionSetupResponse,
        {"session_flags": 4, "security_buffer_offset": 72, "security_buffer_length": 5, "buffer": b"token"},
    ),
    Case(LogoffRequest(), session.SMB2Logoff, {}),
    Case(
        TreeConnectRequest(path="\\\\s\\share"),
        tree.SMB2TreeConnectRequest,
        {"buffer": "\\\\s\\share".encode("utf-16-le")},
    ),
    Case(
        TreeConnectResponse(share_type=1, share_flags=0x8030, capabilities=0x10, maximal_access=0x1F01FF),
        tree.SMB2TreeConnectResponse,
        {"share_type": 1, "share_flags": 0x8030, "capabilities": 0x10, "maximal_access": 0x1F01FF},
    ),
    Case(TreeDisconnectRequest(), tree.SMB2TreeDisconnect, {}),
    Case(
        CreateRequest(
            requested_oplock_level=9,
            impersonation_level=2,
            desired_access=0x120089,
            file_attributes=0x20,
            share_access=7,
            create_disposition=3,
            create_options=0x40,
            name="d\\file",
            contexts=(CreateContext(b"MxAc", b""), CreateContext(b"AlSi", bytes(8))),
        ),
        files.SMB2CreateRequest,
        {
            "requested_oplock_level": 9,
            "impersonation_level": 2,
            "desired_access": 0x120089,
            "file_attributes": 0x20,
            "share_access": 7,
            "create_disposition": 3,
            "create_options": 0x40,
            "name_length": 12,
            "buffer_path": "d\\file".encode("utf-16-le"),
            "buffer_contexts": pack_create_contexts([(b"MxAc", b""), (b"AlSi", bytes(8))]),
        },
    ),
    Case(
        CreateResponse(
            oplock_level=1,
            create_action=1,
            allocation_size=4096,
            end_of_file=17,
            file_attributes=0x20,
            contexts=(CreateContext(b"MxAc", bytes(8)),),
            **dict.fromkeys(TIMES, FILETIME),
            **FILE,
        ),
        files.SMB2CreateResponse,
        {
            "oplock_level": 1,
            "create_action": 1,
            "allocation_size": 4096,
            "end_of_file": 17,
            "file_attributes": 0x20,
            "file_id": FILE_ID,
            "create_contexts_offset": 152,
            "buffer": pack_create_contexts([(b"MxAc", bytes(8))]),
            **dict.fromkeys(TIMES, TIME),
        },
    ),
    Case(CloseRequest(flags=1, **FILE), files.SMB2CloseRequest, {"flags": 1, "file_id": FILE_ID}),
    Case(
        CloseResponse(
            flags=1, allocation_size=4096, end_of_file=17, file_attributes=0x20, **dict.fromkeys(TIMES, FILETIME)
        ),
        files.SMB2CloseResponse,
        {
            "flags": 1,
            "allocation_size": 4096,
            "end_of_file": 17,
            "file_attributes": 0x20,
            **dict.fromkeys(TIMES, TIME),
        },
    ),
    Case(FlushRequest(reserved1=0xFFFF, **FILE), files.SMB2FlushRequest, {"reserved1": 0xFFFF, "file_id": FILE_ID}),
    Case(FlushResponse(), files.SMB2FlushResponse, {}),
    Case(
        ReadRequest(padding=0x50, flags=1, length=4096, offset=1 << 40, minimum_count=1, remaining_bytes=9, **FILE),
        files.SMB2ReadRequest,
        {
            "padding": 0x50,
            "flags": 1,
            "length": 4096,
            "offset": 1 << 40,
            "file_id": FILE_ID,
            "minimum_count": 1,
            "remaining_bytes": 9,
        },
    ),
    Case(
        ReadResponse(data=memoryview(b"content"), data_remaining=3),
        files.SMB2ReadResponse,
        {"data_offset": 80, "data_remaining": 3, "buffer": b"content"},
    ),
    Case(
        WriteRequest(offset=1 << 40, remaining_bytes=9, flags=1, data=memoryview(b"content"), **FILE),
        files.SMB2WriteRequest,
        {"offset": 1 << 40, "file_id": FILE_ID, "remaining_bytes": 9, "flags": 1, "buffer": b"content"},
    ),
    Case(WriteResponse(count=7, remaining=1), files.SMB2WriteResponse, {"count": 7, "remaining": 1}),
    Case(
        IoctlRequest(ctl_code=0x0011C017, max_output_response=1024, flags=1, input=memoryview(b"input"), **FILE),
        ioctl.SMB2IOCTLRequest,
        {"ctl_code": 0x0011C017, "file_id": FILE_ID, "max_output_response": 1024, "flags": 1, "buffer": b"input"},
    ),
    Case(
        IoctlResponse(
            ctl_code=0x0011C017,
            output=b"output",
            persistent_file_id=FILE["persistent_file_id"],
            volatile_file_id=FILE["volatile_file_id"],
        ),
        ioctl.SMB2IOCTLResponse,
        {
            "ctl_code": 0x0011C017,
            "file_id": FILE_ID,
            "input_offset": 112,
            "output_offset": 112,
            "output_count": 6,
            "buffer": b"output",
        },
    ),
    Case(
        QueryDirectoryRequest(
            file_information_class=37, flags=1, file_index=3, output_buffer_length=65536, pattern="*", **FILE
        ),
        files.SMB2QueryDirectoryRequest,
        {
            "file_information_class": 37,
            "flags": 1,
            "file_index": 3,
            "file_id": FILE_ID,
            "output_buffer_length": 65536,
            "buffer": b"*\0",
        },
    ),
    Case(QueryDirectoryResponse(output=b"entries"), files.SMB2QueryDirectoryResponse, {"buffer": b"entries"}),
    Case(
        ChangeNotifyRequest(flags=1, output_buffer_length=4096, completion_filter=0x17, **FILE),
        change_notify.SMB2ChangeNotifyRequest,
        {"flags": 1, "output_buffer_length": 4096, "completion_filter": 0x17, "file_id": FILE_ID},
    ),
    Case(
        ChangeNotifyResponse(output=b"events"),
        change_notify.SMB2ChangeNotifyResponse,
        {"output_buffer_offset": 72, "output_buffer_length": 6, "buffer": b"events"},
    ),
    Case(
        QueryInfoRequest(
            info_type=1,
            file_info_class=15,
            output_buffer_length=4096,
            additional_information=7,
            flags=1,
            input=memoryview(b"names"),
            **FILE,
        ),
        files.SMB2QueryInfoRequest,
        {
            "info_type": 1,
            "file_info_class": 15,
            "output_buffer_length": 4096,
            "additional_information": 7,
            "flags": 1,
            "file_id": FILE_ID,
            "input_buffer_offset": 104,
            "input_buffer_length": 5,
            "buffer": b"names",
        },
    ),
    Case(
        QueryInfoResponse(output=b"information"),
        files.SMB2QueryInfoResponse,
        {"output_buffer_offset": 72, "output_buffer_length": 11, "buffer": b"information"},
    ),
    Case(
        SetInfoRequest(info_type=1, file_info_class=20, additional_information=4, buffer=memoryview(bytes(8)), **FILE),
        files.SMB2SetInfoRequest,
        {
            "info_type": 1,
            "file_info_class": 20,
            "additional_information": 4,
            "file_id": FILE_ID,
            "buffer": bytes(8),
        },
    ),
    Case(SetInfoResponse(), files.SMB2SetInfoResponse, {}),
    Case(LockResponse(), files.SMB2LockResponse, {}),
    Case(EchoRequest(), connection.SMB2Echo, {}),
    Case(CancelRequest(), connection.SMB2CancelRequest, {}),
]

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


def plain(value: Any) -> Any:
    """Their value without its enumeration or list of fields; create contexts as their bytes."""
    if isinstance(value, list) and value and isinstance(value[0], create_contexts.SMB2CreateContextRequest):
        return b"".join(item.pack() for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value


def built(case: Case) -> bytes:
    theirs = case.theirs()
    for name, value in case.values.items():
        theirs[name] = value
    packed: bytes = theirs.pack()
    return packed


def check_theirs(case: Case) -> None:
    theirs = case.theirs()
    rest = theirs.unpack(case.ours.to_bytes())
    assert rest.strip(b"\0") == b""
    for name, value in case.values.items():
        assert plain(theirs[name].get_value()) == value, name


def case_id(case: Case) -> str:
    return type(case.ours).__name__


@pytest.mark.parametrize("case", BODIES, ids=case_id)
def test_bodies(case) -> None:
    check_theirs(case)
    parsed = type(case.ours).parse(message(built(case)))
    # Where their empty or located parts stand says nothing.
    for name in ("input_offset", "output_offset", "input_buffer_offset", "read_channel_info_offset"):
        if hasattr(parsed, name):
            setattr(parsed, name, getattr(case.ours, name))
    assert parsed == case.ours


@pytest.mark.parametrize("case", DATA, ids=case_id)
def test_data(case) -> None:
    check_theirs(case)
    assert type(case.ours).parse(built(case)) == case.ours


def test_header() -> None:
    ours = Header(
        credit_charge=1,
        status=3,
        command=8,
        credits=31,
        flags=8,
        next_command=72,
        message_id=6,
        process_id=0xFEFF,
        tree_id=1,
        session_id=0x40000000019,
        signature=GUID,
    )
    theirs = header.SMB2HeaderRequest()
    values = {
        "credit_charge": 1,
        "channel_sequence": 3,
        "command": 8,
        "credit_request": 31,
        "flags": 8,
        "next_command": 72,
        "message_id": 6,
        "process_id": 0xFEFF,
        "tree_id": 1,
        "session_id": 0x40000000019,
        "signature": GUID,
    }
    for name, value in values.items():
        theirs[name] = value
    assert theirs.pack() == ours.to_bytes()
    assert Header.parse(memoryview(theirs.pack())) == ours


def test_async_header() -> None:
    theirs = header.SMB2HeaderAsync()
    theirs["command"] = 8
    theirs["flags"] = SMB2_FLAGS_ASYNC_COMMAND
    theirs["async_id"] = 0x1122334455667788
    ours = Header.parse(memoryview(theirs.pack()))
    assert ours.async_id == 0x1122334455667788
    assert ours.to_bytes() == theirs.pack()


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


def test_lock() -> None:
    ours = LockRequest(lock_sequence=5, locks=(LockElement(1, 2, 1), LockElement(3, 4, 0x12)), **FILE)
    theirs = files.SMB2LockRequest()
    theirs["lock_sequence"] = 5
    theirs["file_id"] = FILE_ID
    elements = []
    for lock in ours.locks:
        element = files.SMB2LockElement()
        element["offset"], element["length"], element["flags"] = lock
        elements.append(element)
    theirs["locks"] = elements
    assert theirs.pack() == ours.to_bytes()
    assert LockRequest.parse(message(theirs.pack())) == ours


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
