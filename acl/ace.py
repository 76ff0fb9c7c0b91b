"""Access control entries and lists: [MS-DTYP] 2.4.4 and 2.4.5."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self

from acl.errors import AclError
from acl.sid import NULL_SID, Buffer, Sid

# AceType, [MS-DTYP] 2.4.4.1.
ACCESS_ALLOWED: Final = 0x00
ACCESS_DENIED: Final = 0x01
SYSTEM_AUDIT: Final = 0x02
SYSTEM_ALARM: Final = 0x03
ACCESS_ALLOWED_OBJECT: Final = 0x05
ACCESS_DENIED_OBJECT: Final = 0x06
SYSTEM_AUDIT_OBJECT: Final = 0x07
SYSTEM_ALARM_OBJECT: Final = 0x08
ACCESS_ALLOWED_CALLBACK: Final = 0x09
ACCESS_DENIED_CALLBACK: Final = 0x0A
ACCESS_ALLOWED_CALLBACK_OBJECT: Final = 0x0B
ACCESS_DENIED_CALLBACK_OBJECT: Final = 0x0C
SYSTEM_AUDIT_CALLBACK: Final = 0x0D
SYSTEM_ALARM_CALLBACK: Final = 0x0E
SYSTEM_AUDIT_CALLBACK_OBJECT: Final = 0x0F
SYSTEM_ALARM_CALLBACK_OBJECT: Final = 0x10
SYSTEM_MANDATORY_LABEL: Final = 0x11
SYSTEM_RESOURCE_ATTRIBUTE: Final = 0x12
SYSTEM_SCOPED_POLICY_ID: Final = 0x13

PLAIN_TYPES: Final = frozenset({0x00, 0x01, 0x02, 0x03, 0x09, 0x0A, 0x0D, 0x0E, 0x11, 0x12, 0x13})
OBJECT_TYPES: Final = frozenset({0x05, 0x06, 0x07, 0x08, 0x0B, 0x0C, 0x0F, 0x10})
DENIED_TYPES: Final = frozenset({0x01, 0x06, 0x0A, 0x0C})
AUDIT_TYPES: Final = frozenset({0x02, 0x07, 0x0D, 0x0F})

# AceFlags, [MS-DTYP] 2.4.4.1.
OBJECT_INHERIT: Final = 0x01
CONTAINER_INHERIT: Final = 0x02
NO_PROPAGATE_INHERIT: Final = 0x04
INHERIT_ONLY: Final = 0x08
INHERITED: Final = 0x10
CRITICAL: Final = 0x20
SUCCESSFUL_ACCESS: Final = 0x40
FAILED_ACCESS: Final = 0x80
INHERITANCE_FLAGS: Final = OBJECT_INHERIT | CONTAINER_INHERIT | NO_PROPAGATE_INHERIT | INHERIT_ONLY

# Flags of the object ACEs, [MS-DTYP] 2.4.4.3.
ACE_OBJECT_TYPE_PRESENT: Final = 0x1
ACE_INHERITED_OBJECT_TYPE_PRESENT: Final = 0x2

ACL_REVISION: Final = 2
ACL_REVISION_DS: Final = 4
MAX_ACL_SIZE: Final = 0xFFFF

_HEADER = struct.Struct("<BBH")
_HEADER_AND_MASK = struct.Struct("<BBHI")
_ACL_HEADER = struct.Struct("<BBHHH")


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry. What this package does not interpret is kept in ``data`` byte for byte.

    ``data`` is what follows the SID (a callback ACE's condition, a resource attribute's claim); for a type that is not
    known it is everything after the header, and ``mask`` and ``sid`` say nothing. The two object types are GUIDs of 16
    bytes, or empty where ``object_flags`` says that they are absent.
    """

    type: int
    flags: int
    mask: int
    sid: Sid
    data: bytes = b""
    object_flags: int = 0
    object_type: bytes = b""
    inherited_object_type: bytes = b""

    @classmethod
    def parse(cls, data: Buffer, offset: int, end: int) -> tuple[Self, int]:
        """Read the ACE at ``offset`` of an ACL ending at ``end``; returns it and its size in bytes. Raises AclError."""
        if not 0 <= offset <= end - 4 or end > len(data):
            raise AclError("an ACE is cut short")
        ace_type, flags, size = _HEADER.unpack_from(data, offset)
        if size < 4 or size % 4 or offset + size > end:
            raise AclError("an ACE's size is wrong")
        end = offset + size
        if ace_type in PLAIN_TYPES:
            return cls._parse_plain(data, offset, end), size
        if ace_type in OBJECT_TYPES:
            return cls._parse_object(data, offset, end), size
        return cls(ace_type, flags, 0, NULL_SID, bytes(data[offset + 4 : end])), size

    @classmethod
    def _parse_plain(cls, data: Buffer, offset: int, end: int) -> Self:
        if end - offset < 16:
            raise AclError("an ACE is too short for its type")
        ace_type, flags, _, mask = _HEADER_AND_MASK.unpack_from(data, offset)
        sid = _sid_within(data, offset + 8, end)
        return cls(ace_type, flags, mask, sid, bytes(data[offset + 8 + len(sid.data) : end]))

    @classmethod
    def _parse_object(cls, data: Buffer, offset: int, end: int) -> Self:
        if end - offset < 20:
            raise AclError("an object ACE is too short")
        ace_type, flags, _, mask = _HEADER_AND_MASK.unpack_from(data, offset)
        object_flags = int.from_bytes(data[offset + 8 : offset + 12], "little")
        position = offset + 12
        guids = [b"", b""]
        for index, bit in enumerate((ACE_OBJECT_TYPE_PRESENT, ACE_INHERITED_OBJECT_TYPE_PRESENT)):
            if object_flags & bit:
                if position + 16 > end:
                    raise AclError("an object ACE is too short for its GUIDs")
                guids[index] = bytes(data[position : position + 16])
                position += 16
        sid = _sid_within(data, position, end)
        rest = bytes(data[position + len(sid.data) : end])
        return cls(ace_type, flags, mask, sid, rest, object_flags, guids[0], guids[1])

    @property
    def is_opaque(self) -> bool:
        """Whether the type is unknown, so that only ``flags`` and ``data`` mean something."""
        return self.type not in PLAIN_TYPES and self.type not in OBJECT_TYPES

    def to_bytes(self) -> bytes:
        """The binary form. Raises AclError if the parts do not fit together or are too long for the 16-bit size."""
        if self.type in PLAIN_TYPES:
            body = self.mask.to_bytes(4, "little") + self.sid.data + self.data
        elif self.type in OBJECT_TYPES:
            body = self._object_body()
        else:
            body = self.data
        # [MS-DTYP] 2.4.4.1: AceSize is a multiple of four.
        body += bytes(-len(body) % 4)
        if len(body) + 4 > MAX_ACL_SIZE:
            raise AclError("an ACE is too long")
        return _HEADER.pack(self.type, self.flags, len(body) + 4) + body

    def _object_body(self) -> bytes:
        wanted = (
            16 if self.object_flags & ACE_OBJECT_TYPE_PRESENT else 0,
            16 if self.object_flags & ACE_INHERITED_OBJECT_TYPE_PRESENT else 0,
        )
        if (len(self.object_type), len(self.inherited_object_type)) != wanted:
            raise AclError("an object ACE's GUIDs do not agree with its flags")
        head = struct.pack("<II", self.mask, self.object_flags)
        return b"".join((head, self.object_type, self.inherited_object_type, self.sid.data, self.data))


def _sid_within(data: Buffer, offset: int, end: int) -> Sid:
    sid = Sid.parse(data, offset)
    if offset + len(sid.data) > end:
        raise AclError("a SID reaches over the end of its ACE")
    return sid


def allow(sid: Sid, mask: int, flags: int = 0) -> Ace:
    """An ACCESS_ALLOWED_ACE, [MS-DTYP] 2.4.4.2."""
    return Ace(ACCESS_ALLOWED, flags, mask, sid)


def deny(sid: Sid, mask: int, flags: int = 0) -> Ace:
    """An ACCESS_DENIED_ACE, [MS-DTYP] 2.4.4.4."""
    return Ace(ACCESS_DENIED, flags, mask, sid)


@dataclass(frozen=True, slots=True)
class Acl:
    """An access control list, in the order it was given: evaluation depends on it, and nothing here sorts."""

    aces: tuple[Ace, ...] = ()
    revision: int = ACL_REVISION

    @classmethod
    def of(cls, *aces: Ace) -> Self:
        """An ACL of these entries, with the revision they need."""
        is_ds = any(ace.type in OBJECT_TYPES for ace in aces)
        return cls(aces, ACL_REVISION_DS if is_ds else ACL_REVISION)

    @classmethod
    def parse(cls, data: Buffer, offset: int = 0) -> Self:
        """Read the ACL at ``offset``, [MS-DTYP] 2.4.5; unused bytes at its end are dropped. Raises AclError."""
        if offset < 0 or len(data) - offset < 8:
            raise AclError("an ACL is cut short")
        revision, _, size, count, _ = _ACL_HEADER.unpack_from(data, offset)
        if revision not in (ACL_REVISION, 3, ACL_REVISION_DS):
            raise AclError("an ACL's revision is unknown")
        end = offset + size
        if size < 8 or end > len(data):
            raise AclError("an ACL's size is wrong")
        if count > (size - 8) // 4:
            raise AclError("an ACL cannot hold that many ACEs")
        position = offset + 8
        aces = []
        for _ in range(count):
            ace, ace_size = Ace.parse(data, position, end)
            aces.append(ace)
            position += ace_size
        return cls(tuple(aces), revision)

    def to_bytes(self) -> bytes:
        """The binary form. Raises AclError if it is longer than the 16-bit size can say."""
        body = b"".join([ace.to_bytes() for ace in self.aces])
        if len(body) + 8 > MAX_ACL_SIZE:
            raise AclError("an ACL is too long")
        return _ACL_HEADER.pack(self.revision, 0, len(body) + 8, len(self.aces), 0) + body

    def __iter__(self) -> Iterator[Ace]:
        return iter(self.aces)

    def __len__(self) -> int:
        return len(self.aces)
