"""The server's side of one connection-oriented association, sans-IO ([C706] chapter 9 and 12, [MS-RPCE] 3.3)."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from gateway.rpc import pdu
from gateway.rpc.errors import FaultStatus, RpcError, RpcFault
from gateway.rpc.interface import Call, Interface
from gateway.rpc.ndr import NdrReader, NdrWriter
from gateway.rpc.pdu import (
    Bind,
    ContextAnswer,
    ContextElement,
    ContextResult,
    Header,
    NakReason,
    PacketFlag,
    PacketType,
)

log = logging.getLogger("gateway.ipc")

MAX_XMIT_FRAG = 4280
"""The longest fragment sent and announced, in bytes."""
MIN_FRAG = 1432
"""MustRecvFragSize ([C706] 12.6.2): what every implementation has to be able to receive, in bytes."""
MAX_STUB = 1 << 20
"""The longest request put together from fragments, in bytes."""
MAX_CONTEXTS = 64
ASSOC_GROUP = 0x53F0
"""Any value but 0 will do: no association is shared between pipes."""


class ProtocolBroken(Exception):
    """The association has ended; `last_words` is what to send before, if anything."""

    def __init__(self, reason: str, last_words: bytes = b"") -> None:
        super().__init__(reason)
        self.last_words = last_words


@dataclass(slots=True)
class _Assembly:
    """A request of which not all fragments are there."""

    first: Header
    context_id: int
    opnum: int
    stub: bytearray = field(default_factory=bytearray)


class Association:
    """Takes whole fragments, gives whole fragments. `address` is the secondary address of the bind_ack."""

    def __init__(self, interfaces: Iterable[Interface], call: Call, address: str) -> None:
        self._interfaces = tuple(interfaces)
        self._call = call
        self._address = address
        self._bound = False
        self._max_xmit_frag = MAX_XMIT_FRAG
        self._max_recv_frag = MAX_XMIT_FRAG
        self._contexts: dict[int, Interface] = {}
        self._assembly: _Assembly | None = None

    def receive(self, fragment: bytes | memoryview) -> list[bytes]:
        """The fragments that answer `fragment`. Raises `ProtocolBroken` when the association is over."""
        view = memoryview(fragment)
        try:
            header = pdu.parse_header(view)
        except RpcError as error:
            raise ProtocolBroken(str(error)) from error
        try:
            return self._dispatch(header, view)
        except RpcError as error:
            words = pdu.fault(header.call_id, 0, FaultStatus.PROTO_ERROR, executed=False)
            raise ProtocolBroken(str(error), words) from error

    def _dispatch(self, header: Header, fragment: memoryview) -> list[bytes]:
        match header.packet_type:
            case PacketType.REQUEST:
                return self._receive_request(header, fragment)
            case PacketType.BIND:
                return self._receive_bind(header, fragment)
            case PacketType.ALTER_CONTEXT:
                return self._receive_alter_context(header, fragment)
            case PacketType.ORPHANED | PacketType.CO_CANCEL:
                if self._assembly and self._assembly.first.call_id == header.call_id:
                    self._assembly = None
                return []
            case PacketType.AUTH3:
                # It completes an authentication, and none was begun; it has no answer ([MS-RPCE] 3.3.1.5.2.2).
                return []
            case _:
                raise RpcError(f"packet type {header.packet_type} from a client")

    def _receive_bind(self, header: Header, fragment: memoryview) -> list[bytes]:
        if self._bound:
            words = pdu.bind_nak(header.call_id, NakReason.NOT_SPECIFIED)
            raise ProtocolBroken("a second bind", words)
        if header.auth_length:
            # The pipe's session has authenticated the caller; there is no second authentication on top of it.
            return [pdu.bind_nak(header.call_id, NakReason.AUTHENTICATION_TYPE_NOT_RECOGNIZED)]
        bind = pdu.parse_bind(header, fragment)
        self._max_xmit_frag = max(MIN_FRAG, min(bind.max_recv_frag, MAX_XMIT_FRAG))
        self._max_recv_frag = max(MIN_FRAG, min(bind.max_xmit_frag, MAX_XMIT_FRAG))
        self._bound = True
        return [self._acknowledge(header, bind, self._address)]

    def _receive_alter_context(self, header: Header, fragment: memoryview) -> list[bytes]:
        if not self._bound:
            raise RpcError("alter_context before bind")
        if header.auth_length:
            return [pdu.fault(header.call_id, 0, FaultStatus.ACCESS_DENIED, executed=False)]
        return [self._acknowledge(header, pdu.parse_bind(header, fragment), "")]

    def _acknowledge(self, header: Header, bind: Bind, address: str) -> bytes:
        return pdu.bind_ack(
            header,
            max_xmit_frag=self._max_xmit_frag,
            max_recv_frag=self._max_recv_frag,
            group=bind.assoc_group_id or ASSOC_GROUP,
            address=address,
            answers=[self._answer(element) for element in bind.contexts],
        )

    def _answer(self, element: ContextElement) -> ContextAnswer:
        if any(syntax.uuid.bytes_le[:8] == pdu.FEATURE_PREFIX for syntax in element.transfer_syntaxes):
            # Bind-time feature negotiation: no feature is supported ([MS-RPCE] 3.3.1.5.3).
            return ContextAnswer(ContextResult.NEGOTIATE_ACK, 0)
        interface = self._interface(element.abstract_syntax)
        if interface is None:
            return _rejected(pdu.RejectReason.ABSTRACT_SYNTAX_NOT_SUPPORTED)
        if pdu.NDR20 not in element.transfer_syntaxes:
            return _rejected(pdu.RejectReason.TRANSFER_SYNTAXES_NOT_SUPPORTED)
        known = self._contexts.get(element.context_id)
        if known not in {None, interface}:
            return _rejected(pdu.RejectReason.NOT_SPECIFIED)
        if known is None and len(self._contexts) >= MAX_CONTEXTS:
            return _rejected(pdu.RejectReason.LOCAL_LIMIT_EXCEEDED)
        self._contexts[element.context_id] = interface
        return ContextAnswer(ContextResult.ACCEPTANCE, 0, pdu.NDR20)

    def _interface(self, wanted: pdu.SyntaxId) -> Interface | None:
        for interface in self._interfaces:
            offered = interface.syntax
            if (offered.uuid, offered.major) == (wanted.uuid, wanted.major) and wanted.minor <= offered.minor:
                return interface
        return None

    def _receive_request(self, header: Header, fragment: memoryview) -> list[bytes]:
        if not self._bound:
            raise RpcError("a request before bind")
        if header.auth_length:
            raise RpcError("a verifier without a security context")
        request = pdu.parse_request(header, fragment)
        if header.has(PacketFlag.FIRST_FRAG):
            if self._assembly:
                raise RpcError("a request within another")
            self._assembly = _Assembly(header, request.context_id, request.opnum)
        assembly = self._assembly
        if assembly is None or assembly.first.call_id != header.call_id or assembly.first.order != header.order:
            raise RpcError("a fragment that continues nothing")
        if len(assembly.stub) + len(request.stub) > MAX_STUB:
            self._assembly = None
            words = pdu.fault(header.call_id, request.context_id, FaultStatus.REMOTE_NO_MEMORY, executed=False)
            raise ProtocolBroken("a request too long", words)
        assembly.stub += request.stub
        if not header.has(PacketFlag.LAST_FRAG):
            return []
        self._assembly = None
        return self._execute(assembly)

    def _execute(self, request: _Assembly) -> list[bytes]:
        call_id, context_id = request.first.call_id, request.context_id
        interface = self._contexts.get(context_id)
        if interface is None:
            return [pdu.fault(call_id, context_id, FaultStatus.UNK_IF, executed=False)]
        operation = interface.operations.get(request.opnum)
        if operation is None:
            return [pdu.fault(call_id, context_id, FaultStatus.OP_RNG_ERROR, executed=False)]
        log.debug("interface %s: operation %d", interface.syntax.uuid, request.opnum)
        writer = NdrWriter()
        try:
            operation(self._call, NdrReader(memoryview(request.stub), request.first.order), writer)
        except RpcError as error:
            log.debug("a malformed request: %s", error)
            return [pdu.fault(call_id, context_id, FaultStatus.BAD_STUB_DATA, executed=True)]
        except RpcFault as error:
            return [pdu.fault(call_id, context_id, error.status, executed=True)]
        return pdu.responses(call_id, context_id, writer.to_bytes(), self._max_xmit_frag)


def _rejected(reason: pdu.RejectReason) -> ContextAnswer:
    return ContextAnswer(ContextResult.PROVIDER_REJECTION, reason)
