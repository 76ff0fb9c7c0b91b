"""CREATE ([MS-SMB2] 2.2.13, 2.2.14); what its contexts hold is in `create_contexts` and beside it."""

from dataclasses import dataclass
from typing import Final

from gateway.wire.create_contexts import CreateContext, pack_create_contexts, parse_create_contexts
from gateway.wire.layout import Layout
from gateway.wire.pieces import pad8, take, utf16, utf16_bytes
from vfs_backends.native import mypyc_attr

__all__ = [
    "SMB2_CREATE_FLAG_REPARSEPOINT",
    "SMB2_OPLOCK_LEVEL_BATCH",
    "SMB2_OPLOCK_LEVEL_EXCLUSIVE",
    "SMB2_OPLOCK_LEVEL_II",
    "SMB2_OPLOCK_LEVEL_LEASE",
    "SMB2_OPLOCK_LEVEL_NONE",
    "CreateContext",
    "CreateRequest",
    "CreateResponse",
]

SMB2_OPLOCK_LEVEL_NONE: Final = 0x00
SMB2_OPLOCK_LEVEL_II: Final = 0x01
SMB2_OPLOCK_LEVEL_EXCLUSIVE: Final = 0x08
SMB2_OPLOCK_LEVEL_BATCH: Final = 0x09
SMB2_OPLOCK_LEVEL_LEASE: Final = 0xFF

SMB2_CREATE_FLAG_REPARSEPOINT: Final = 0x01
"""Of a response."""


@mypyc_attr(free_list_len=1, acyclic=True)
@dataclass
class CreateRequest:
    """[MS-SMB2] 2.2.13. A context's data points into the message."""

    structure_size: int = 57
    security_flags: int = 0
    requested_oplock_level: int = 0
    impersonation_level: int = 0
    smb_create_flags: int = 0
    reserved: int = 0
    desired_access: int = 0
    file_attributes: int = 0
    share_access: int = 0
    create_disposition: int = 0
    create_options: int = 0
    name_offset: int = 0
    name_length: int = 0
    create_contexts_offset: int = 0
    create_contexts_length: int = 0
    name: str = ""
    contexts: tuple[CreateContext, ...] = ()

    @staticmethod
    def parse(message: memoryview) -> "CreateRequest":
        """[MS-SMB2] 2.2.13; raises `WireError`."""
        self = CreateRequest.__new__(CreateRequest)
        (
            self.structure_size,
            self.security_flags,
            self.requested_oplock_level,
            self.impersonation_level,
            self.smb_create_flags,
            self.reserved,
            self.desired_access,
            self.file_attributes,
            self.share_access,
            self.create_disposition,
            self.create_options,
            self.name_offset,
            self.name_length,
            self.create_contexts_offset,
            self.create_contexts_length,
        ) = _REQUEST.unpack(message)
        self.name, self.contexts = "", ()
        end = _REQUEST.end
        if self.name_length:
            self.name = utf16(take(message, self.name_offset, self.name_length, at_least=end))
            end = self.name_offset + self.name_length
        if self.create_contexts_length:
            area = take(message, self.create_contexts_offset, self.create_contexts_length, at_least=end)
            self.contexts = parse_create_contexts(area)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offsets and lengths filled in. The variable part is eight bytes at least, as Windows'."""
        name = utf16_bytes(self.name)
        self.name_offset = _REQUEST.end
        self.name_length = len(name)
        variable = (name + pad8(len(name))) or bytes(8)
        contexts = pack_create_contexts(self.contexts)
        self.create_contexts_offset = _REQUEST.end + len(variable) if contexts else 0
        self.create_contexts_length = len(contexts)
        return _REQUEST.pack(self) + (variable if contexts or not name else name) + contexts


@dataclass
class CreateResponse:
    """[MS-SMB2] 2.2.14; the times are FILETIMEs."""

    structure_size: int = 89
    oplock_level: int = 0
    flags: int = 0
    create_action: int = 0
    creation_time: int = 0
    last_access_time: int = 0
    last_write_time: int = 0
    change_time: int = 0
    allocation_size: int = 0
    end_of_file: int = 0
    file_attributes: int = 0
    reserved2: int = 0
    persistent_file_id: int = 0
    volatile_file_id: int = 0
    create_contexts_offset: int = 0
    create_contexts_length: int = 0
    contexts: tuple[CreateContext, ...] = ()

    @staticmethod
    def parse(message: memoryview) -> "CreateResponse":
        """[MS-SMB2] 2.2.14; raises `WireError`."""
        self = CreateResponse(*_RESPONSE.unpack(message))
        if self.create_contexts_length:
            area = take(message, self.create_contexts_offset, self.create_contexts_length, at_least=_RESPONSE.end)
            self.contexts = parse_create_contexts(area)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        area = pack_create_contexts(self.contexts)
        self.create_contexts_offset, self.create_contexts_length = _area_of(area)
        return _RESPONSE.pack(self) + area

    @staticmethod
    def body(
        oplock_level: int,
        create_action: int,
        creation_time: int,
        last_access_time: int,
        last_write_time: int,
        change_time: int,
        allocation_size: int,
        end_of_file: int,
        file_attributes: int,
        persistent_file_id: int,
        volatile_file_id: int,
        contexts: bytes,
    ) -> bytes:
        """The same of a response that need not be made for it; its contexts are packed already."""
        offset, length = _area_of(contexts)
        packed = _RESPONSE.packed(
            89, oplock_level, 0, create_action, creation_time, last_access_time, last_write_time, change_time,
            allocation_size, end_of_file, file_attributes, 0, persistent_file_id, volatile_file_id, offset, length,
        )  # fmt: skip
        return packed + contexts if contexts else packed


def _area_of(contexts: bytes) -> tuple[int, int]:
    """CreateContextsOffset and CreateContextsLength of contexts that are packed already."""
    return (_RESPONSE.end if contexts else 0), len(contexts)


_REQUEST: Final = Layout(CreateRequest, "HBBIQQIIIIIHHII")
_RESPONSE: Final = Layout(CreateResponse, "HBBIQQQQQQIIQQII")
