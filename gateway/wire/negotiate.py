"""NEGOTIATE ([MS-SMB2] 2.2.3, 2.2.4); what its contexts hold is in `negotiate_contexts`."""

import struct
from typing import Final, Self

from gateway.wire.codec import BODY, Body, align8, b16, pad8, take, u16, u32, u64, wire
from gateway.wire.contexts import TypedContext, pack_contexts, parse_contexts
from gateway.wire.errors import WireError

__all__ = [
    "DIALECT_202",
    "DIALECT_210",
    "DIALECT_300",
    "DIALECT_302",
    "DIALECT_311",
    "DIALECT_WILDCARD",
    "SMB2_GLOBAL_CAP_DFS",
    "SMB2_GLOBAL_CAP_DIRECTORY_LEASING",
    "SMB2_GLOBAL_CAP_ENCRYPTION",
    "SMB2_GLOBAL_CAP_LARGE_MTU",
    "SMB2_GLOBAL_CAP_LEASING",
    "SMB2_GLOBAL_CAP_MULTI_CHANNEL",
    "SMB2_GLOBAL_CAP_NOTIFICATIONS",
    "SMB2_GLOBAL_CAP_PERSISTENT_HANDLES",
    "SMB2_NEGOTIATE_SIGNING_ENABLED",
    "SMB2_NEGOTIATE_SIGNING_REQUIRED",
    "NegotiateContext",
    "NegotiateRequest",
    "NegotiateResponse",
]

DIALECT_202: Final = 0x0202
DIALECT_210: Final = 0x0210
DIALECT_300: Final = 0x0300
DIALECT_302: Final = 0x0302
DIALECT_311: Final = 0x0311
DIALECT_WILDCARD: Final = 0x02FF
"""Answers an SMB1 NEGOTIATE that offers "SMB 2.???"."""

SMB2_NEGOTIATE_SIGNING_ENABLED: Final = 0x0001
SMB2_NEGOTIATE_SIGNING_REQUIRED: Final = 0x0002

SMB2_GLOBAL_CAP_DFS: Final = 0x00000001
SMB2_GLOBAL_CAP_LEASING: Final = 0x00000002
SMB2_GLOBAL_CAP_LARGE_MTU: Final = 0x00000004
SMB2_GLOBAL_CAP_MULTI_CHANNEL: Final = 0x00000008
SMB2_GLOBAL_CAP_PERSISTENT_HANDLES: Final = 0x00000010
SMB2_GLOBAL_CAP_DIRECTORY_LEASING: Final = 0x00000020
SMB2_GLOBAL_CAP_ENCRYPTION: Final = 0x00000040
SMB2_GLOBAL_CAP_NOTIFICATIONS: Final = 0x00000080

_MAX_DIALECTS: Final = 64

NegotiateContext = TypedContext


@wire
class NegotiateRequest(Body):
    """[MS-SMB2] 2.2.3. The last three packed fields are ClientStartTime, and ignored, unless 3.1.1 is offered."""

    structure_size: u16 = 36
    dialect_count: u16 = 0
    security_mode: u16 = 0
    reserved: u16 = 0
    capabilities: u32 = 0
    client_guid: b16 = bytes(16)
    negotiate_context_offset: u32 = 0
    negotiate_context_count: u16 = 0
    reserved2: u16 = 0
    dialects: tuple[int, ...] = ()
    contexts: tuple[NegotiateContext, ...] = ()

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.3; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        count = self.dialect_count
        if count > _MAX_DIALECTS:
            raise WireError(f"{count} dialects")
        end = cls.END + 2 * count
        self.dialects = struct.unpack(f"<{count}H", take(message, cls.END, 2 * count))
        if DIALECT_311 in self.dialects:
            offset, count = self.negotiate_context_offset, self.negotiate_context_count
            self.contexts = parse_contexts(message, offset, count, at_least=end)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its counts and offsets filled in; contexts go only with 3.1.1."""
        count = self.dialect_count = len(self.dialects)
        dialects = struct.pack(f"<{count}H", *self.dialects)
        if DIALECT_311 not in self.dialects:
            return self.pack() + dialects
        end = self.END + len(dialects)
        self.negotiate_context_offset = align8(end)
        self.negotiate_context_count = len(self.contexts)
        return self.pack() + dialects + pad8(end) + pack_contexts(self.contexts)


@wire
class NegotiateResponse(Body):
    """[MS-SMB2] 2.2.4; `system_time` and `server_start_time` are FILETIMEs."""

    structure_size: u16 = 65
    security_mode: u16 = 0
    dialect_revision: u16 = 0
    negotiate_context_count: u16 = 0
    server_guid: b16 = bytes(16)
    capabilities: u32 = 0
    max_transact_size: u32 = 0
    max_read_size: u32 = 0
    max_write_size: u32 = 0
    system_time: u64 = 0
    server_start_time: u64 = 0
    security_buffer_offset: u16 = 0
    security_buffer_length: u16 = 0
    negotiate_context_offset: u32 = 0
    security_buffer: bytes = b""
    contexts: tuple[NegotiateContext, ...] = ()

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.4; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        token = take(message, self.security_buffer_offset, self.security_buffer_length, at_least=cls.END)
        self.security_buffer = bytes(token)
        if self.dialect_revision == DIALECT_311:
            offset, count = self.negotiate_context_offset, self.negotiate_context_count
            self.contexts = parse_contexts(message, offset, count, at_least=cls.END + len(token))
        return self

    def to_bytes(self) -> bytes:
        """The body, with its counts and offsets filled in; contexts go only with 3.1.1."""
        self.security_buffer_offset = self.END
        self.security_buffer_length = len(self.security_buffer)
        if self.dialect_revision != DIALECT_311:
            return self.pack() + self.security_buffer
        end = self.END + len(self.security_buffer)
        self.negotiate_context_offset = align8(end)
        self.negotiate_context_count = len(self.contexts)
        return self.pack() + self.security_buffer + pad8(end) + pack_contexts(self.contexts)
