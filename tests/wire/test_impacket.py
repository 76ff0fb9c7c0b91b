"""What impacket's encoders build is parsed here, and the other way round: the commands that smbprotocol lacks, too."""

import re
import struct
from typing import Any, NamedTuple

import pytest
from impacket import smb3structs as theirs
from impacket.structure import Structure

from gateway.wire.cancel import CancelRequest
from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.close import CloseRequest, CloseResponse
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.create_contexts import CreateContext, MaximalAccessResponse, pack_create_contexts
from gateway.wire.durable_contexts import (
    DurableHandleReconnect,
    DurableHandleReconnectV2,
    DurableHandleRequestV2,
    DurableHandleResponse,
    DurableHandleResponseV2,
)
from gateway.wire.echo import EchoRequest, EchoResponse
from gateway.wire.error import SymbolicLinkError
from gateway.wire.flush import FlushRequest, FlushResponse
from gateway.wire.header import Header
from gateway.wire.ioctl import IoctlRequest, IoctlResponse
from gateway.wire.lease_contexts import Lease, LeaseV2
from gateway.wire.lock import LockElement, LockRequest, LockResponse
from gateway.wire.logoff import LogoffRequest, LogoffResponse
from gateway.wire.negotiate import NegotiateRequest, NegotiateResponse
from gateway.wire.negotiate_contexts import (
    CompressionCapabilities,
    EncryptionCapabilities,
    NetnameNegotiateContextId,
    PreauthIntegrityCapabilities,
)
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    LeaseBreakNotification,
    LeaseBreakResponse,
    OplockBreakAcknowledgment,
    OplockBreakNotification,
    OplockBreakResponse,
)
from gateway.wire.query_directory import QueryDirectoryRequest, QueryDirectoryResponse
from gateway.wire.query_info import QueryInfoRequest, QueryInfoResponse
from gateway.wire.read import ReadRequest, ReadResponse
from gateway.wire.session_setup import SessionSetupRequest, SessionSetupResponse
from gateway.wire.set_info import SetInfoRequest, SetInfoResponse
from gateway.wire.transform import TransformHeader
from gateway.wire.tree_connect import TreeConnectRequest, TreeConnectResponse
from gateway.wire.tree_disconnect import TreeDisconnectRequest, TreeDisconnectResponse
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from gateway.wire.write import WriteRequest, WriteResponse
from tests.wire.helpers import message

KEY = b"0123456789abcdef"
FILE = {"persistent_file_id": 0x1122334455667788, "volatile_file_id": 0x99AABBCCDDEEFF00}
TIMES = {"creation_time": 1, "last_access_time": 2, "last_write_time": 3, "change_time": 4}
CONTEXTS = (CreateContext(b"MxAc", b""), CreateContext(b"AlSi", bytes(8)))
CONTEXT_LIST = pack_create_contexts(CONTEXTS)
THEY_MISPARSE = {(theirs.SMB2TreeConnect, "Buffer")}
"""They look for the path one byte early."""


class Case(NamedTuple):
    """The same structure twice."""

    ours: Any
    theirs: type[Structure]
    variable: dict[str, Any]
    """What of theirs has no field of the same name in ours."""


def snake(name: str) -> str:
    """`MaxReadSize` becomes `max_read_size`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


BODIES = [
    Case(
        SessionSetupRequest(
            flags=1, security_mode=2, capabilities=3, channel=4, previous_session_id=5, security_buffer=b"token"
        ),
        theirs.SMB2SessionSetup,
        {"Buffer": b"token"},
    ),
    Case(
        SessionSetupResponse(session_flags=4, security_buffer=b"token"),
        theirs.SMB2SessionSetup_Response,
        {"Buffer": b"token"},
    ),
    Case(LogoffRequest(), theirs.SMB2Logoff, {}),
    Case(LogoffResponse(), theirs.SMB2Logoff_Response, {}),
    Case(TreeConnectRequest(path="\\\\s\\x"), theirs.SMB2TreeConnect, {"Buffer": "\\\\s\\x".encode("utf-16-le")}),
    Case(
        TreeConnectResponse(share_type=1, share_flags=2, capabilities=3, maximal_access=4),
        theirs.SMB2TreeConnect_Response,
        {},
    ),
    Case(TreeDisconnectRequest(), theirs.SMB2TreeDisconnect, {}),
    Case(TreeDisconnectResponse(), theirs.SMB2TreeDisconnect_Response, {}),
    Case(
        CreateRequest(
            security_flags=1,
            requested_oplock_level=9,
            impersonation_level=2,
            smb_create_flags=3,
            desired_access=4,
            file_attributes=5,
            share_access=6,
            create_disposition=7,
            create_options=8,
            name="file",
            contexts=CONTEXTS,
        ),
        theirs.SMB2Create,
        {"Buffer": "file".encode("utf-16-le") + CONTEXT_LIST},
    ),
    Case(
        CreateResponse(
            oplock_level=1,
            flags=2,
            create_action=3,
            allocation_size=5,
            end_of_file=6,
            file_attributes=7,
            contexts=CONTEXTS,
            **TIMES,
            **FILE,
        ),
        theirs.SMB2Create_Response,
        {"Buffer": CONTEXT_LIST},
    ),
    Case(CloseRequest(flags=1, **FILE), theirs.SMB2Close, {}),
    Case(
        CloseResponse(flags=1, allocation_size=5, end_of_file=6, file_attributes=7, **TIMES),
        theirs.SMB2Close_Response,
        {"EndofFile": 6},
    ),
    Case(FlushRequest(reserved1=1, reserved2=2, **FILE), theirs.SMB2Flush, {}),
    Case(FlushResponse(), theirs.SMB2Flush_Response, {}),
    Case(
        ReadRequest(padding=1, length=2, offset=3, minimum_count=4, channel=5, remaining_bytes=6, **FILE),
        theirs.SMB2Read,
        {},
    ),
    Case(ReadResponse(data_remaining=1, data=memoryview(b"content")), theirs.SMB2Read_Response, {"Buffer": b"content"}),
    Case(
        WriteRequest(offset=3, remaining_bytes=6, flags=7, data=memoryview(b"content"), **FILE),
        theirs.SMB2Write,
        {"Buffer": b"content"},
    ),
    Case(WriteResponse(count=1, remaining=2), theirs.SMB2Write_Response, {}),
    Case(OplockBreakNotification(oplock_level=1, **FILE), theirs.SMB2OplockBreakNotification, {}),
    Case(OplockBreakAcknowledgment(oplock_level=1, **FILE), theirs.SMB2OplockBreakAcknowledgment, {}),
    Case(OplockBreakResponse(oplock_level=1, **FILE), theirs.SMB2OplockBreakResponse, {}),
    Case(
        LeaseBreakNotification(
            new_epoch=1,
            flags=2,
            lease_key=KEY,
            current_lease_state=3,
            new_lease_state=4,
            break_reason=5,
            access_mask_hint=6,
            share_mask_hint=7,
        ),
        theirs.SMB2LeaseBreakNotification,
        {},
    ),
    Case(
        LeaseBreakAcknowledgment(flags=1, lease_key=KEY, lease_state=2, lease_duration=3),
        theirs.SMB2LeaseBreakAcknowledgement,
        {},
    ),
    Case(
        LeaseBreakResponse(flags=1, lease_key=KEY, lease_state=2, lease_duration=3), theirs.SMB2LeaseBreakResponse, {}
    ),
    Case(
        LockRequest(lock_sequence=1, locks=(LockElement(1, 2, 3), LockElement(4, 5, 6)), **FILE),
        theirs.SMB2Lock,
        {"Locks": struct.pack("<QQIIQQII", 1, 2, 3, 0, 4, 5, 6, 0)},
    ),
    Case(LockResponse(), theirs.SMB2Lock_Response, {}),
    Case(EchoRequest(), theirs.SMB2Echo, {}),
    Case(EchoResponse(), theirs.SMB2Echo_Response, {}),
    Case(CancelRequest(), theirs.SMB2Cancel, {}),
    Case(
        IoctlRequest(
            ctl_code=1, max_input_response=2, max_output_response=3, flags=4, input=memoryview(b"input"), **FILE
        ),
        theirs.SMB2Ioctl,
        {"Buffer": b"input"},
    ),
    Case(
        IoctlResponse(
            ctl_code=1,
            flags=4,
            output=b"output",
            persistent_file_id=FILE["persistent_file_id"],
            volatile_file_id=FILE["volatile_file_id"],
        ),
        theirs.SMB2Ioctl_Response,
        {"Buffer": b"output"},
    ),
    Case(
        QueryDirectoryRequest(
            file_information_class=1, flags=2, file_index=3, output_buffer_length=4, pattern="*", **FILE
        ),
        theirs.SMB2QueryDirectory,
        {"Buffer": b"*\0"},
    ),
    Case(QueryDirectoryResponse(output=b"entries"), theirs.SMB2QueryDirectory_Response, {"Buffer": b"entries"}),
    Case(
        ChangeNotifyRequest(flags=1, output_buffer_length=2, completion_filter=3, **FILE), theirs.SMB2ChangeNotify, {}
    ),
    Case(ChangeNotifyResponse(output=b"events"), theirs.SMB2ChangeNotify_Response, {"Buffer": b"events"}),
    Case(
        QueryInfoRequest(
            info_type=1,
            file_info_class=2,
            output_buffer_length=3,
            additional_information=4,
            flags=5,
            input=memoryview(b"names"),
            **FILE,
        ),
        theirs.SMB2QueryInfo,
        {"Buffer": b"names"},
    ),
    Case(QueryInfoResponse(output=b"information"), theirs.SMB2QueryInfo_Response, {"Buffer": b"information"}),
    Case(
        SetInfoRequest(
            info_type=1, file_info_class=2, additional_information=3, buffer=memoryview(b"information"), **FILE
        ),
        theirs.SMB2SetInfo,
        {"Buffer": b"information"},
    ),
    Case(SetInfoResponse(), theirs.SMB2SetInfo_Response, {}),
]

DATA = [
    Case(DurableHandleResponse(), theirs.SMB2_CREATE_DURABLE_HANDLE_RESPONSE, {}),
    Case(DurableHandleReconnect(**FILE), theirs.SMB2_CREATE_DURABLE_HANDLE_RECONNECT, {}),
    Case(
        DurableHandleRequestV2(timeout=1, flags=2, create_guid=KEY),
        theirs.SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2,
        {"Reserved": bytes(8)},
    ),
    Case(DurableHandleResponseV2(timeout=1, flags=2), theirs.SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2, {}),
    Case(
        DurableHandleReconnectV2(create_guid=KEY, flags=2, **FILE), theirs.SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2, {}
    ),
    Case(MaximalAccessResponse(query_status=1, maximal_access=2), theirs.SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE, {}),
    Case(
        Lease(lease_key=KEY, lease_state=1, flags=2, lease_duration=3),
        theirs.SMB2_CREATE_REQUEST_LEASE,
        {"LeaseFlags": 2},
    ),
    Case(
        LeaseV2(lease_key=KEY, lease_state=1, flags=2, lease_duration=3, parent_lease_key=KEY[::-1], epoch=4),
        theirs.SMB2_CREATE_REQUEST_LEASE_V2,
        {},
    ),
    Case(
        ValidateNegotiateInfoResponse(capabilities=1, guid=KEY, security_mode=2, dialect=3),
        theirs.VALIDATE_NEGOTIATE_INFO_RESPONSE,
        {},
    ),
    Case(
        ValidateNegotiateInfoRequest(capabilities=1, guid=KEY, security_mode=2, dialects=(3, 4)),
        theirs.VALIDATE_NEGOTIATE_INFO,
        {"Dialects": [3, 4]},
    ),
    Case(
        TransformHeader(signature=KEY, nonce=KEY, original_message_size=1, flags=1, session_id=2),
        theirs.SMB2_TRANSFORM_HEADER,
        {"SessionID": 2, "ProtocolID": "\xfdSMB", "EncryptionAlgorithm": 1},
    ),
    Case(
        SymbolicLinkError(unparsed_path_length=4, flags=1, substitute_name="a", print_name="b"),
        theirs.SMB2ErrorSymbolicLink,
        {"ReparseDataLenght": 16, "PathBuffer": b"a\0b\0"},
    ),
    Case(
        PreauthIntegrityCapabilities((1,), KEY),
        theirs.SMB2PreAuthIntegrityCapabilities,
        {"HashAlgorithmCount": 1, "SaltLength": 16, "HashAlgorithms": b"\1\0", "Salt": KEY},
    ),
    Case(EncryptionCapabilities((2, 1)), theirs.SMB2EncryptionCapabilities, {"CipherCount": 2, "Ciphers": b"\2\0\1\0"}),
    Case(
        CompressionCapabilities((2, 1), 1),
        theirs.SMB2CompressionCapabilities,
        {"CompressionAlgorithmCount": 2, "Flags": 1, "CompressionAlgorithms": b"\2\0\1\0"},
    ),
    Case(
        NetnameNegotiateContextId("srv"), theirs.SMB2NetNameNegotiateContextID, {"NetName": "srv".encode("utf-16-le")}
    ),
]


def values(case: Case) -> dict[str, Any]:
    """Their fields' values, taken from ours; `to_bytes` has filled in offsets and lengths."""
    case.ours.to_bytes()
    found = {}
    for name, *_ in case.theirs.structure:
        if name in case.variable:
            found[name] = case.variable[name]
        elif name == "FileID" or (name == "Data" and hasattr(case.ours, "volatile_file_id")):
            file_id = theirs.SMB2_FILEID()
            file_id["Persistent"], file_id["Volatile"] = case.ours.persistent_file_id, case.ours.volatile_file_id
            found[name] = file_id
        elif hasattr(case.ours, snake(name)):
            found[name] = getattr(case.ours, snake(name))
    return found


def check(case: Case, ours: bytes) -> bytes:
    """Let them parse ours, compare every field, and return what they build from the same values."""
    parsed = case.theirs(ours)
    built = case.theirs()
    for name, value in values(case).items():
        built[name] = value
        if isinstance(value, Structure):
            assert parsed[name].getData() == value.getData(), name
        elif (case.theirs, name) not in THEY_MISPARSE:
            assert parsed[name] == value, name
    packed: bytes = built.getData()
    return packed


def case_id(case: Case) -> str:
    return type(case.ours).__name__


@pytest.mark.parametrize("case", BODIES, ids=case_id)
def test_bodies(case) -> None:
    body = case.ours.to_bytes()
    packed = check(case, body)
    assert type(case.ours).parse(message(packed)) == case.ours


@pytest.mark.parametrize("case", DATA, ids=case_id)
def test_data(case) -> None:
    data = case.ours.to_bytes()
    packed = check(case, data)
    assert packed == data
    assert type(case.ours).parse(packed) == case.ours


def test_header() -> None:
    packet = theirs.SMB2Packet()
    for name, value in {
        "CreditCharge": 1,
        "Status": 0xC0000022,
        "Command": 5,
        "CreditRequestResponse": 2,
        "Flags": 9,
        "NextCommand": 88,
        "MessageID": 3,
        "Reserved": 4,
        "TreeID": 5,
        "SessionID": 6,
        "Signature": KEY,
    }.items():
        packet[name] = value
    header = Header.parse(memoryview(packet.getData()))
    same = Header(
        credit_charge=1,
        status=0xC0000022,
        command=5,
        credits=2,
        flags=9,
        next_command=88,
        message_id=3,
        process_id=4,
        tree_id=5,
        session_id=6,
        signature=KEY,
    )
    assert header.to_bytes() == same.to_bytes()
    assert header.to_bytes() == packet.getData()


def test_negotiate_request() -> None:
    """As impacket's client builds one for 3.1.1."""
    ours = NegotiateRequest(
        security_mode=1,
        capabilities=0x7F,
        client_guid=KEY,
        dialects=(0x0202, 0x0300, 0x0311),
        contexts=(PreauthIntegrityCapabilities((1,), KEY).context(), EncryptionCapabilities((2, 1)).context()),
    )
    body = ours.to_bytes()
    located = theirs.SMB311ContextData()
    located["NegotiateContextOffset"], located["NegotiateContextCount"] = 112, 2
    packet = theirs.SMB2Negotiate()
    packet["DialectCount"] = 3
    packet["SecurityMode"] = 1
    packet["Capabilities"] = 0x7F
    packet["ClientGuid"] = KEY
    packet["ClientStartTime"] = located.getData()
    packet["Dialects"] = [0x0202, 0x0300, 0x0311]
    packet["Padding"] = bytes(6)
    packet["NegotiateContextList"] = body[48:]
    assert packet.getData() == body
    assert NegotiateRequest.parse(message(packet.getData())) == ours


def test_negotiate_response() -> None:
    ours = NegotiateResponse(
        security_mode=1,
        dialect_revision=0x0311,
        server_guid=KEY,
        capabilities=2,
        max_transact_size=3,
        max_read_size=4,
        max_write_size=5,
        system_time=6,
        server_start_time=7,
        security_buffer=b"token",
        contexts=(PreauthIntegrityCapabilities((1,), KEY).context(),),
    )
    case = Case(ours, theirs.SMB2Negotiate_Response, {"Buffer": b"token", "Padding": bytes(3)})
    packed = check(case, ours.to_bytes())
    assert packed == ours.to_bytes()[: len(packed)]
    parsed = theirs.SMB2Negotiate_Response(ours.to_bytes())
    context = theirs.SMB2NegotiateContext(parsed["NegotiateContextList"])
    assert (context["ContextType"], context["Data"]) == (1, PreauthIntegrityCapabilities((1,), KEY).to_bytes())
