"""Every command that smbprotocol knows: what it builds is parsed here, and the other way round."""

import pytest
from smbprotocol import change_notify, connection, header, ioctl, session, tree
from smbprotocol import open as files

from gateway.wire.cancel import CancelRequest
from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.close import CloseRequest, CloseResponse
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.create_contexts import (
    CreateContext,
    pack_create_contexts,
)
from gateway.wire.echo import EchoRequest
from gateway.wire.flush import FlushRequest, FlushResponse
from gateway.wire.header import SMB2_FLAGS_ASYNC_COMMAND, Header
from gateway.wire.ioctl import IoctlRequest, IoctlResponse
from gateway.wire.lock import LockElement, LockRequest, LockResponse
from gateway.wire.logoff import LogoffRequest
from gateway.wire.query_directory import QueryDirectoryRequest, QueryDirectoryResponse
from gateway.wire.query_info import QueryInfoRequest, QueryInfoResponse
from gateway.wire.read import ReadRequest, ReadResponse
from gateway.wire.session_setup import SessionSetupRequest, SessionSetupResponse
from gateway.wire.set_info import SetInfoRequest, SetInfoResponse
from gateway.wire.tree_connect import TreeConnectRequest, TreeConnectResponse
from gateway.wire.tree_disconnect import TreeDisconnectRequest
from gateway.wire.write import WriteRequest, WriteResponse
from tests.wire.helpers import message
from tests.wire.smbprotocol_peer import FILE, FILE_ID, FILETIME, GUID, TIME, TIMES, Case, built, case_id, check_theirs

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


@pytest.mark.parametrize("case", BODIES, ids=case_id)
def test_bodies(case) -> None:
    check_theirs(case)
    parsed = type(case.ours).parse(message(built(case)))
    # Where their empty or located parts stand says nothing.
    for name in ("input_offset", "output_offset", "input_buffer_offset", "read_channel_info_offset"):
        if hasattr(parsed, name):
            setattr(parsed, name, getattr(case.ours, name))
    assert parsed == case.ours


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
    assert Header.parse(memoryview(theirs.pack())).to_bytes() == ours.to_bytes()


def test_async_header() -> None:
    theirs = header.SMB2HeaderAsync()
    theirs["command"] = 8
    theirs["flags"] = SMB2_FLAGS_ASYNC_COMMAND
    theirs["async_id"] = 0x1122334455667788
    ours = Header.parse(memoryview(theirs.pack()))
    assert ours.async_id == 0x1122334455667788
    assert ours.to_bytes() == theirs.pack()


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
