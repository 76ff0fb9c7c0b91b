"""The ERROR response and what it can tell ([MS-SMB2] 2.2.2)."""

import struct
from typing import Final, NamedTuple, Self

from gateway.wire.codec import BODY, Body, Data, align8, join_aligned, take, u8, u16, u32, utf16, utf16_bytes, wire
from gateway.wire.errors import WireError

__all__ = [
    "SMB2_ERROR_ID_DEFAULT",
    "SMB2_ERROR_ID_SHARE_REDIRECT",
    "ErrorContext",
    "ErrorResponse",
    "SymbolicLinkError",
]

SMB2_ERROR_ID_DEFAULT: Final = 0x00000000
SMB2_ERROR_ID_SHARE_REDIRECT: Final = 0x72645253

_CONTEXT = struct.Struct("<II")


class ErrorContext(NamedTuple):
    """[MS-SMB2] 2.2.2.1."""

    error_id: int
    data: memoryview | bytes


@wire
class ErrorResponse(Body):
    """[MS-SMB2] 2.2.2: either plain data, or in 3.1.1 contexts with data."""

    structure_size: u16 = 9
    error_context_count: u8 = 0
    reserved: u8 = 0
    byte_count: u32 = 0
    error_data: memoryview | bytes = b""
    contexts: tuple[ErrorContext, ...] = ()

    @classmethod
    def of(cls, data: bytes, *, in_context: bool, error_id: int = SMB2_ERROR_ID_DEFAULT) -> Self:
        """An answer that holds `data`, which 3.1.1 wants in a context."""
        if data and in_context:
            return cls(contexts=(ErrorContext(error_id, data),))
        return cls(error_data=data)

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """[MS-SMB2] 2.2.2; raises `WireError`."""
        self = cls.unpack_from(message, BODY)
        area = take(message, cls.END, self.byte_count)
        if self.error_context_count:
            self.contexts = _parse_contexts(area, self.error_context_count)
        else:
            self.error_data = area
        return self

    def to_bytes(self) -> bytes:
        """The body, with its counts filled in; at least one byte of data, even if that means nothing."""
        area = bytes(self.error_data)
        if self.contexts:
            area = join_aligned(_CONTEXT.pack(len(data), error_id) + data for error_id, data in self.contexts)
        self.error_context_count = len(self.contexts)
        self.byte_count = len(area)
        return self.pack() + (area or b"\0")


def _parse_contexts(area: memoryview, count: int) -> tuple[ErrorContext, ...]:
    contexts = []
    offset = 0
    for _ in range(count):
        length, error_id = _CONTEXT.unpack(take(area, offset, _CONTEXT.size))
        contexts.append(ErrorContext(error_id, take(area, offset + _CONTEXT.size, length)))
        offset = align8(offset + _CONTEXT.size + length)
    return tuple(contexts)


@wire
class SymbolicLinkError(Data):
    """[MS-SMB2] 2.2.2.2.1: the data of STATUS_STOPPED_ON_SYMLINK.

    `unparsed_path_length` is in bytes of UTF-16, and counts what of the client's path stands behind the link.
    """

    sym_link_length: u32 = 0
    sym_link_error_tag: u32 = 0x4C4D5953
    reparse_tag: u32 = 0xA000000C
    reparse_data_length: u16 = 0
    unparsed_path_length: u16 = 0
    substitute_name_offset: u16 = 0
    substitute_name_length: u16 = 0
    print_name_offset: u16 = 0
    print_name_length: u16 = 0
    flags: u32 = 0
    substitute_name: str = ""
    print_name: str = ""

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the data of an error response or of its context; raises `WireError`."""
        self = cls.unpack_from(data)
        if (self.sym_link_error_tag, self.reparse_tag) != (0x4C4D5953, 0xA000000C):
            raise WireError("not a symbolic link error")
        path = memoryview(data)[cls.SIZE :]
        self.substitute_name = utf16(take(path, self.substitute_name_offset, self.substitute_name_length))
        self.print_name = utf16(take(path, self.print_name_offset, self.print_name_length))
        return self

    def to_bytes(self) -> bytes:
        """The data, with its offsets and lengths filled in."""
        substitute, shown = utf16_bytes(self.substitute_name), utf16_bytes(self.print_name)
        self.substitute_name_offset = 0
        self.substitute_name_length = self.print_name_offset = len(substitute)
        self.print_name_length = len(shown)
        # What a reparse buffer holds after its own length field, of which this is a part ([MS-FSCC] 2.1.2.4).
        self.reparse_data_length = 12 + len(substitute) + len(shown)
        self.sym_link_length = self.SIZE - 4 + len(substitute) + len(shown)
        return self.pack() + substitute + shown
