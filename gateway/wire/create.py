"""CREATE ([MS-SMB2] 2.2.13, 2.2.14); what its contexts hold is in `create_contexts` and beside it."""

from typing import Final, Self

from gateway.wire.codec import BODY, Body, pad8, take, u8, u16, u32, u64, utf16, utf16_bytes, wire
from gateway.wire.create_contexts import CreateContext, pack_create_contexts, parse_create_contexts

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


@wire
class CreateRequest(Body):
    """[MS-SMB2] 2.2.13. A context's data points into the message."""

    structure_size: u16 = 57
    security_flags: u8 = 0
    requested_oplock_level: u8 = 0
    impersonation_level: u32 = 0
    smb_create_flags: u64 = 0
    reserved: u64 = 0
    desired_access: u32 = 0
    file_attributes: u32 = 0
    share_access: u32 = 0
    create_disposition: u32 = 0
    create_options: u32 = 0
    name_offset: u16 = 0
    name_length: u16 = 0
    create_contexts_offset: u32 = 0
    create_contexts_length: u32 = 0
    name: str = ""
    contexts: tuple[CreateContext, ...] = ()

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.13; raises `WireError`."""
        self: Self = cls._read(message, BODY)
        end = cls.END
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
        self.name_offset = self.END
        self.name_length = len(name)
        variable = (name + pad8(len(name))) or bytes(8)
        contexts = pack_create_contexts(self.contexts)
        self.create_contexts_offset = self.END + len(variable) if contexts else 0
        self.create_contexts_length = len(contexts)
        return self.pack() + (variable if contexts or not name else name) + contexts


@wire
class CreateResponse(Body):
    """[MS-SMB2] 2.2.14; the times are FILETIMEs."""

    structure_size: u16 = 89
    oplock_level: u8 = 0
    flags: u8 = 0
    create_action: u32 = 0
    creation_time: u64 = 0
    last_access_time: u64 = 0
    last_write_time: u64 = 0
    change_time: u64 = 0
    allocation_size: u64 = 0
    end_of_file: u64 = 0
    file_attributes: u32 = 0
    reserved2: u32 = 0
    persistent_file_id: u64 = 0
    volatile_file_id: u64 = 0
    create_contexts_offset: u32 = 0
    create_contexts_length: u32 = 0
    contexts: tuple[CreateContext, ...] = ()

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.14; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        if self.create_contexts_length:
            area = take(message, self.create_contexts_offset, self.create_contexts_length, at_least=cls.END)
            self.contexts = parse_create_contexts(area)
        return self

    def to_bytes(self) -> bytes:
        """The body, with its offset and length filled in."""
        area = pack_create_contexts(self.contexts)
        self.create_contexts_offset, self.create_contexts_length = self.area_of(area)
        return self.pack() + area

    @classmethod
    def area_of(cls, contexts: bytes) -> tuple[int, int]:
        """CreateContextsOffset and CreateContextsLength of contexts that are packed already."""
        return (cls.END if contexts else 0), len(contexts)
