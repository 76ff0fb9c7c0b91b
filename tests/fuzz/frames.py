"""Real frames, and what parses any of them.

`corpus/wire` was recorded between Debian 12's smbd 4.17 and smbclient, smbtorture, smbprotocol and impacket.
"""

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.wire import WireError
from gateway.wire.cancel import CancelRequest
from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.close import CloseRequest, CloseResponse
from gateway.wire.create import CreateRequest, CreateResponse
from gateway.wire.create_contexts import (
    AllocationSize,
    AppInstanceId,
    AppInstanceVersion,
    MaximalAccessRequest,
    MaximalAccessResponse,
    OnDiskIdResponse,
    PosixCreateRequest,
    TimewarpToken,
)
from gateway.wire.durable_contexts import (
    DurableHandleReconnect,
    DurableHandleReconnectV2,
    DurableHandleRequest,
    DurableHandleRequestV2,
    DurableHandleResponse,
    DurableHandleResponseV2,
)
from gateway.wire.echo import EchoRequest, EchoResponse
from gateway.wire.error import ErrorResponse, SymbolicLinkError
from gateway.wire.flush import FlushRequest, FlushResponse
from gateway.wire.header import SMB2_FLAGS_SERVER_TO_REDIR, Header, Opcode
from gateway.wire.ioctl import IoctlRequest, IoctlResponse
from gateway.wire.lease_contexts import parse_lease
from gateway.wire.lock import LockRequest, LockResponse
from gateway.wire.logoff import LogoffRequest, LogoffResponse
from gateway.wire.negotiate import NegotiateRequest, NegotiateResponse
from gateway.wire.negotiate_contexts import Capability
from gateway.wire.oplock_break import (
    LeaseBreakResponse,
    OplockBreakResponse,
    parse_acknowledgment,
    parse_notification,
)
from gateway.wire.query_directory import QueryDirectoryRequest, QueryDirectoryResponse
from gateway.wire.query_info import QueryInfoRequest, QueryInfoResponse
from gateway.wire.read import ReadRequest, ReadResponse
from gateway.wire.session_setup import SessionSetupRequest, SessionSetupResponse
from gateway.wire.set_info import SetInfoRequest, SetInfoResponse
from gateway.wire.smb1 import SMB1_MAGIC, Smb1NegotiateRequest
from gateway.wire.transform import TRANSFORM_MAGIC, TransformHeader
from gateway.wire.tree_connect import TreeConnectRequest, TreeConnectResponse
from gateway.wire.tree_disconnect import TreeDisconnectRequest, TreeDisconnectResponse
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from gateway.wire.write import WriteRequest, WriteResponse

CORPUS = sorted((Path(__file__).parent / "corpus" / "wire").glob("*.bin"))
UNASKED = 0xFFFF_FFFF_FFFF_FFFF
"""The message id of a break notification."""

PAIRS: dict[int, tuple[Any, Any]] = {
    Opcode.NEGOTIATE: (NegotiateRequest, NegotiateResponse),
    Opcode.SESSION_SETUP: (SessionSetupRequest, SessionSetupResponse),
    Opcode.LOGOFF: (LogoffRequest, LogoffResponse),
    Opcode.TREE_CONNECT: (TreeConnectRequest, TreeConnectResponse),
    Opcode.TREE_DISCONNECT: (TreeDisconnectRequest, TreeDisconnectResponse),
    Opcode.CREATE: (CreateRequest, CreateResponse),
    Opcode.CLOSE: (CloseRequest, CloseResponse),
    Opcode.FLUSH: (FlushRequest, FlushResponse),
    Opcode.READ: (ReadRequest, ReadResponse),
    Opcode.WRITE: (WriteRequest, WriteResponse),
    Opcode.LOCK: (LockRequest, LockResponse),
    Opcode.IOCTL: (IoctlRequest, IoctlResponse),
    Opcode.CANCEL: (CancelRequest, ErrorResponse),
    Opcode.ECHO: (EchoRequest, EchoResponse),
    Opcode.QUERY_DIRECTORY: (QueryDirectoryRequest, QueryDirectoryResponse),
    Opcode.CHANGE_NOTIFY: (ChangeNotifyRequest, ChangeNotifyResponse),
    Opcode.QUERY_INFO: (QueryInfoRequest, QueryInfoResponse),
    Opcode.SET_INFO: (SetInfoRequest, SetInfoResponse),
}
CREATE_DATA: list[Callable[[Any], Any]] = [
    AllocationSize.parse,
    AppInstanceId.parse,
    AppInstanceVersion.parse,
    DurableHandleReconnect.parse,
    DurableHandleReconnectV2.parse,
    DurableHandleRequest.parse,
    DurableHandleRequestV2.parse,
    DurableHandleResponse.parse,
    DurableHandleResponseV2.parse,
    MaximalAccessRequest.parse,
    MaximalAccessResponse.parse,
    OnDiskIdResponse.parse,
    PosixCreateRequest.parse,
    TimewarpToken.parse,
    parse_lease,
]
OTHER_DATA: list[Callable[[Any], Any]] = [
    SymbolicLinkError.parse,
    ValidateNegotiateInfoRequest.parse,
    ValidateNegotiateInfoResponse.parse,
]
NEGOTIATE_DATA = [kind.parse for kind in Capability.__subclasses__()]


def parse_frame(frame: memoryview) -> list[Any]:
    """Every element of a message, or what stands in its place; raises `WireError`."""
    magic = bytes(frame[:4])
    if magic == SMB1_MAGIC:
        return [Smb1NegotiateRequest.parse(frame)]
    if magic == TRANSFORM_MAGIC:
        return [TransformHeader.parse(frame)]
    found = []
    while True:
        header = Header.parse(frame)
        following = header.next_command
        if following and not 64 <= following <= len(frame):
            raise WireError("the compound is broken, which is not the wire layer's to find")
        found.append(parse_element(header, frame[: following or len(frame)]))
        if not following:
            return found
        frame = frame[following:]


def parse_element(header: Header, element: memoryview) -> Any:
    """One body, by its command and direction."""
    if header.flags & SMB2_FLAGS_SERVER_TO_REDIR:
        return parse_response(header, element)
    if header.command == Opcode.OPLOCK_BREAK:
        return parse_acknowledgment(element)
    if header.command not in PAIRS:
        raise WireError("unknown command")
    return PAIRS[header.command][0].parse(element)


def parse_response(header: Header, element: memoryview) -> Any:
    size = struct.unpack_from("<H", element, 64)[0] if len(element) >= 66 else 0
    if size == 9 and header.status and header.command not in (Opcode.SESSION_SETUP, Opcode.CHANGE_NOTIFY):
        return ErrorResponse.parse(element)
    if header.command == Opcode.OPLOCK_BREAK:
        if header.message_id == UNASKED:
            return parse_notification(element)
        return (LeaseBreakResponse if size == 36 else OplockBreakResponse).parse(element)
    if header.command not in PAIRS:
        raise WireError("unknown command")
    return PAIRS[header.command][1].parse(element)


def parse_data(structure: Any) -> None:
    """Give the data of all its contexts to all parsers of such; only `WireError` may come out of them."""
    parsers = NEGOTIATE_DATA if isinstance(structure, NegotiateRequest | NegotiateResponse) else CREATE_DATA
    for context in getattr(structure, "contexts", ()):
        for parse in parsers:
            attempt(parse, context.data)


def attempt(parse: Callable[[Any], Any], data: Any) -> Any:
    """The structure, or None if the bytes are refused; any other exception goes through."""
    try:
        return parse(data)
    except WireError:
        return None
