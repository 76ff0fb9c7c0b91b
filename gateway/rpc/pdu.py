"""Connection-oriented PDUs ([C706] 12.6, [MS-RPCE] 2.2.2): parsing a client's, building a server's."""

import struct
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from uuid import UUID

from gateway.rpc.errors import FaultStatus, RpcError
from gateway.rpc.ndr import ByteOrder, NdrReader, NdrWriter

HEADER_SIZE = 16
RESPONSE_HEADER_SIZE = 24
MAX_FRAGMENT = 5840
"""The longest fragment taken, in bytes: what implementations send at most before a bind has negotiated a size."""

_FRAG_LENGTH_OFFSET = 8


class PacketType(IntEnum):
    """PTYPE ([C706] 12.6.3, [MS-RPCE] 2.2.2.1)."""

    REQUEST = 0
    RESPONSE = 2
    FAULT = 3
    BIND = 11
    BIND_ACK = 12
    BIND_NAK = 13
    ALTER_CONTEXT = 14
    ALTER_CONTEXT_RESP = 15
    AUTH3 = 16
    CO_CANCEL = 18
    ORPHANED = 19


class PacketFlag(IntFlag):
    """pfc_flags ([C706] 12.6.3.1)."""

    FIRST_FRAG = 0x01
    LAST_FRAG = 0x02
    CONC_MPX = 0x10
    DID_NOT_EXECUTE = 0x20
    OBJECT_UUID = 0x80


class ContextResult(IntEnum):
    """p_cont_def_result_t, and negotiate_ack of [MS-RPCE] 2.2.2.4."""

    ACCEPTANCE = 0
    USER_REJECTION = 1
    PROVIDER_REJECTION = 2
    NEGOTIATE_ACK = 3


class RejectReason(IntEnum):
    """p_provider_reason_t ([C706] 12.6.3.1)."""

    NOT_SPECIFIED = 0
    ABSTRACT_SYNTAX_NOT_SUPPORTED = 1
    TRANSFER_SYNTAXES_NOT_SUPPORTED = 2
    LOCAL_LIMIT_EXCEEDED = 3


class NakReason(IntEnum):
    """p_reject_reason_t ([C706] 12.6.3.1, [MS-RPCE] 2.2.2.5)."""

    NOT_SPECIFIED = 0
    PROTOCOL_VERSION_NOT_SUPPORTED = 4
    AUTHENTICATION_TYPE_NOT_RECOGNIZED = 8


@dataclass(frozen=True, slots=True)
class SyntaxId:
    """p_syntax_id_t: an interface or a transfer syntax with its version."""

    uuid: UUID
    major: int
    minor: int = 0


NDR20 = SyntaxId(UUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2)
NDR64 = SyntaxId(UUID("71710533-beba-4937-8319-b5dbef9ccc36"), 1)
NO_SYNTAX = SyntaxId(UUID(int=0), 0)
FEATURE_PREFIX = UUID("6cb71c2c-9812-4540-0000-000000000000").bytes_le[:8]
"""Begins the transfer syntax that negotiates features at bind time; a bitmask follows ([MS-RPCE] 3.3.1.5.3)."""


@dataclass(frozen=True, slots=True)
class Header:
    """The fields common to all PDUs ([C706] 12.6.1). Lengths in bytes; `frag_length` counts the header too."""

    packet_type: int
    flags: int
    order: ByteOrder
    frag_length: int
    auth_length: int
    call_id: int
    minor_version: int = 0

    def has(self, flag: PacketFlag) -> bool:
        """Whether `flag` is set in pfc_flags."""
        return bool(self.flags & flag)


@dataclass(frozen=True, slots=True)
class ContextElement:
    """p_cont_elem_t: one presentation context that a client proposes."""

    context_id: int
    abstract_syntax: SyntaxId
    transfer_syntaxes: tuple[SyntaxId, ...]


@dataclass(frozen=True, slots=True)
class Bind:
    """A bind or alter_context PDU ([C706] 12.6.4.3, 12.6.4.1). Fragment sizes in bytes."""

    max_xmit_frag: int
    max_recv_frag: int
    assoc_group_id: int
    contexts: tuple[ContextElement, ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One fragment of a request PDU ([C706] 12.6.4.9)."""

    context_id: int
    opnum: int
    object_uuid: UUID | None
    stub: memoryview


@dataclass(frozen=True, slots=True)
class ContextAnswer:
    """p_result_t: what becomes of one proposed presentation context."""

    result: ContextResult
    reason: int = 0
    transfer_syntax: SyntaxId = NO_SYNTAX


def frag_length(data: bytes | bytearray | memoryview) -> int | None:
    """The length in bytes of the fragment that `data` begins with; None while too little of it is there.

    Raises `RpcError` where no fragment begins or it is longer than `MAX_FRAGMENT`.
    """
    if len(data) < _FRAG_LENGTH_OFFSET + 2:
        return None
    length: int = struct.unpack_from("<H" if data[4] & 0xF0 else ">H", data, _FRAG_LENGTH_OFFSET)[0]
    if not HEADER_SIZE <= length <= MAX_FRAGMENT:
        raise RpcError(f"a fragment of {length} bytes")
    return length


def parse_header(fragment: memoryview) -> Header:
    """Parse the common header of one whole fragment. Raises `RpcError`, for EBCDIC and non-IEEE floats too."""
    version, minor, packet_type, flags = NdrReader(fragment).take(4)
    if version != 5 or minor > 1:
        raise RpcError(f"version {version}.{minor}")
    drep = bytes(NdrReader(fragment[4:]).take(4))
    if drep[0] not in {0x00, 0x10} or drep[1]:
        raise RpcError(f"data representation {drep.hex()}")
    order: ByteOrder = "little" if drep[0] else "big"
    rest = NdrReader(fragment[8:], order)
    length, auth_length, call_id = rest.u16(), rest.u16(), rest.u32()
    if length != len(fragment):
        raise RpcError(f"a fragment of {length} bytes in {len(fragment)}")
    return Header(packet_type, flags, order, length, auth_length, call_id, minor)


def _syntax(reader: NdrReader) -> SyntaxId:
    uuid = reader.uuid()
    version = reader.u32()
    return SyntaxId(uuid, version & 0xFFFF, version >> 16)


def parse_bind(header: Header, fragment: memoryview) -> Bind:
    """Parse a bind or alter_context PDU. Raises `RpcError`."""
    reader = NdrReader(fragment[HEADER_SIZE:], header.order)
    max_xmit, max_recv, group = reader.u16(), reader.u16(), reader.u32()
    count = reader.u8()
    reader.take(3)
    contexts = []
    for _ in range(count):
        context_id, syntaxes = reader.u16(), reader.u8()
        reader.take(1)
        abstract = _syntax(reader)
        contexts.append(ContextElement(context_id, abstract, tuple(_syntax(reader) for _ in range(syntaxes))))
    if not contexts:
        raise RpcError("a bind without a presentation context")
    return Bind(max_xmit, max_recv, group, tuple(contexts))


def parse_request(header: Header, fragment: memoryview) -> Request:
    """Parse one fragment of a request without an authentication verifier. Raises `RpcError`."""
    reader = NdrReader(fragment[HEADER_SIZE:], header.order)
    reader.u32()  # alloc_hint: nothing is allocated for a hint
    context_id, opnum = reader.u16(), reader.u16()
    object_uuid = reader.uuid() if header.has(PacketFlag.OBJECT_UUID) else None
    return Request(context_id, opnum, object_uuid, reader.take(reader.remaining))


def _pdu(packet_type: PacketType, call_id: int, body: bytes, flags: int, minor_version: int = 0) -> bytes:
    header = struct.pack(
        "<BBBB4sHHI",
        5,
        minor_version,
        packet_type,
        flags,
        b"\x10\0\0\0",
        HEADER_SIZE + len(body),
        0,
        call_id,
    )
    return header + body


_WHOLE = PacketFlag.FIRST_FRAG | PacketFlag.LAST_FRAG


def bind_ack(
    request: Header, *, max_xmit_frag: int, max_recv_frag: int, group: int, address: str, answers: list[ContextAnswer]
) -> bytes:
    """A bind_ack or, answering an alter_context, an alter_context_resp PDU ([C706] 12.6.4.4, 12.6.4.2).

    `address` is the secondary address, for a named pipe `\\PIPE\\name`; empty in an alter_context_resp.
    """
    writer = NdrWriter()
    writer.u16(max_xmit_frag)
    writer.u16(max_recv_frag)
    writer.u32(group)
    name = address.encode("ascii") + b"\0" if address else b""
    writer.u16(len(name))
    writer.raw(name)
    writer.align(4)
    writer.u32(len(answers))
    for answer in answers:
        writer.u16(answer.result)
        writer.u16(answer.reason)
        writer.uuid(answer.transfer_syntax.uuid)
        writer.u32(answer.transfer_syntax.minor << 16 | answer.transfer_syntax.major)
    altering = request.packet_type == PacketType.ALTER_CONTEXT
    packet_type = PacketType.ALTER_CONTEXT_RESP if altering else PacketType.BIND_ACK
    return _pdu(packet_type, request.call_id, writer.to_bytes(), _WHOLE, request.minor_version)


def bind_nak(call_id: int, reason: NakReason) -> bytes:
    """A bind_nak PDU that names 5.0 and 5.1 as the versions understood ([C706] 12.6.4.5)."""
    return _pdu(PacketType.BIND_NAK, call_id, struct.pack("<HB4B", reason, 2, 5, 0, 5, 1), _WHOLE)


def fault(call_id: int, context_id: int, status: FaultStatus, *, executed: bool) -> bytes:
    """A fault PDU ([C706] 12.6.4.7)."""
    flags = _WHOLE if executed else _WHOLE | PacketFlag.DID_NOT_EXECUTE
    return _pdu(PacketType.FAULT, call_id, struct.pack("<IHBBII", 0, context_id, 0, 0, status, 0), flags)


def responses(call_id: int, context_id: int, stub: bytes, max_xmit_frag: int) -> list[bytes]:
    """A response as the fragments it takes, none longer than `max_xmit_frag` bytes ([C706] 12.6.4.10)."""
    # Every fragment's stub but the last is a multiple of 8 long, so that alignment survives ([C706] 12.6.3.2).
    room = (max_xmit_frag - RESPONSE_HEADER_SIZE) & ~7
    view = memoryview(stub)
    fragments = []
    for start in range(0, len(stub) or 1, room):
        part = view[start : start + room]
        flags = (PacketFlag.FIRST_FRAG if not start else 0) | (PacketFlag.LAST_FRAG if start + room >= len(stub) else 0)
        body = struct.pack("<IHBB", len(stub) - start, context_id, 0, 0) + part
        fragments.append(_pdu(PacketType.RESPONSE, call_id, body, flags))
    return fragments
