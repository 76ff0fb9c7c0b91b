"""Security descriptors in self-relative form: [MS-DTYP] 2.4.6."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Self, TypeVar

from acl import ace as a
from acl.ace import Ace, Acl
from acl.errors import AclError
from acl.sid import Buffer, Sid

# Control, [MS-DTYP] 2.4.6.
SE_OWNER_DEFAULTED: Final = 0x0001
SE_GROUP_DEFAULTED: Final = 0x0002
SE_DACL_PRESENT: Final = 0x0004
SE_DACL_DEFAULTED: Final = 0x0008
SE_SACL_PRESENT: Final = 0x0010
SE_SACL_DEFAULTED: Final = 0x0020
SE_DACL_TRUSTED: Final = 0x0040
SE_SERVER_SECURITY: Final = 0x0080
SE_DACL_AUTO_INHERIT_REQ: Final = 0x0100
SE_SACL_AUTO_INHERIT_REQ: Final = 0x0200
SE_DACL_AUTO_INHERITED: Final = 0x0400
SE_SACL_AUTO_INHERITED: Final = 0x0800
SE_DACL_PROTECTED: Final = 0x1000
SE_SACL_PROTECTED: Final = 0x2000
SE_RM_CONTROL_VALID: Final = 0x4000
SE_SELF_RELATIVE: Final = 0x8000

DACL_CONTROL: Final = (
    SE_DACL_PRESENT
    | SE_DACL_DEFAULTED
    | SE_DACL_TRUSTED
    | SE_DACL_AUTO_INHERIT_REQ
    | SE_DACL_AUTO_INHERITED
    | SE_DACL_PROTECTED
)
SACL_CONTROL: Final = (
    SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_AUTO_INHERIT_REQ | SE_SACL_AUTO_INHERITED | SE_SACL_PROTECTED
)

# SECURITY_INFORMATION, [MS-DTYP] 2.4.7.
OWNER_SECURITY_INFORMATION: Final = 0x00000001
GROUP_SECURITY_INFORMATION: Final = 0x00000002
DACL_SECURITY_INFORMATION: Final = 0x00000004
SACL_SECURITY_INFORMATION: Final = 0x00000008
LABEL_SECURITY_INFORMATION: Final = 0x00000010
ATTRIBUTE_SECURITY_INFORMATION: Final = 0x00000020
SCOPE_SECURITY_INFORMATION: Final = 0x00000040
BACKUP_SECURITY_INFORMATION: Final = 0x00010000
UNPROTECTED_SACL_SECURITY_INFORMATION: Final = 0x10000000
UNPROTECTED_DACL_SECURITY_INFORMATION: Final = 0x20000000
PROTECTED_SACL_SECURITY_INFORMATION: Final = 0x40000000
PROTECTED_DACL_SECURITY_INFORMATION: Final = 0x80000000

# The kinds of ACE that a SACL holds beside those for auditing, each behind its own bit.
_SACL_KINDS: Final = {
    a.SYSTEM_MANDATORY_LABEL: LABEL_SECURITY_INFORMATION,
    a.SYSTEM_RESOURCE_ATTRIBUTE: ATTRIBUTE_SECURITY_INFORMATION,
    a.SYSTEM_SCOPED_POLICY_ID: SCOPE_SECURITY_INFORMATION,
}
_SACL_PARTS: Final = (
    SACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION | ATTRIBUTE_SECURITY_INFORMATION | SCOPE_SECURITY_INFORMATION
)
_EVERYTHING: Final = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION | _SACL_PARTS

_T = TypeVar("_T")

_HEADER = struct.Struct("<BBHIIII")
HEADER_SIZE: Final = _HEADER.size


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """Owner, group, discretionary and system ACL.

    A list that is None is absent, or NULL if ``control`` says that it is present; an empty one is an ``Acl`` without
    entries. ``control`` always has SE_SELF_RELATIVE, and the present bits of lists that are there.
    """

    owner: Sid | None = None
    group: Sid | None = None
    dacl: Acl | None = None
    sacl: Acl | None = None
    control: int = 0
    resource_manager_control: int = 0

    def __post_init__(self) -> None:
        control = self.control | SE_SELF_RELATIVE
        if self.dacl is not None:
            control |= SE_DACL_PRESENT
        if self.sacl is not None:
            control |= SE_SACL_PRESENT
        if control != self.control:
            object.__setattr__(self, "control", control)

    @property
    def has_dacl(self) -> bool:
        """Whether there is a DACL, be it NULL."""
        return bool(self.control & SE_DACL_PRESENT)

    @property
    def is_null_dacl(self) -> bool:
        """Whether the DACL is present and NULL, which grants everything to everyone."""
        return self.dacl is None and self.has_dacl

    @property
    def is_dacl_protected(self) -> bool:
        """Whether the DACL does not take part in inheritance."""
        return bool(self.control & SE_DACL_PROTECTED)

    @classmethod
    def parse(cls, data: Buffer) -> Self:
        """Read a self-relative descriptor. Raises AclError."""
        if len(data) < HEADER_SIZE:
            raise AclError("a security descriptor is cut short")
        revision, sbz1, control, *offsets = _HEADER.unpack_from(data)
        if revision != 1:
            raise AclError("a security descriptor's revision is not 1")
        if not control & SE_SELF_RELATIVE:
            raise AclError("a security descriptor is not self-relative")
        owner, group, sacl, dacl = offsets
        return cls(
            _part(Sid.parse, data, owner),
            _part(Sid.parse, data, group),
            _part(Acl.parse, data, dacl) if control & SE_DACL_PRESENT else None,
            _part(Acl.parse, data, sacl) if control & SE_SACL_PRESENT else None,
            control,
            sbz1 if control & SE_RM_CONTROL_VALID else 0,
        )

    def to_bytes(self) -> bytes:
        """The self-relative form, its parts in the order of the header: owner, group, SACL, DACL. Raises AclError."""
        parts = (
            self.owner.data if self.owner is not None else b"",
            self.group.data if self.group is not None else b"",
            self.sacl.to_bytes() if self.sacl is not None else b"",
            self.dacl.to_bytes() if self.dacl is not None else b"",
        )
        offsets = []
        position = HEADER_SIZE
        for part in parts:
            offsets.append(position if part else 0)
            position += len(part)
        return _HEADER.pack(1, self.resource_manager_control, self.control, *offsets) + b"".join(parts)

    def replace(
        self,
        *,
        owner: Sid | None = None,
        group: Sid | None = None,
        dacl: Acl | None = None,
        sacl: Acl | None = None,
        control: int | None = None,
    ) -> "SecurityDescriptor":
        """A copy in which the given parts are exchanged; None leaves a part as it is."""
        return replace(
            self,
            owner=owner if owner is not None else self.owner,
            group=group if group is not None else self.group,
            dacl=dacl if dacl is not None else self.dacl,
            sacl=sacl if sacl is not None else self.sacl,
            control=self.control if control is None else control,
        )

    def extract(self, information: int) -> "SecurityDescriptor":
        """What a query with these SECURITY_INFORMATION bits returns, [MS-FSA] 2.1.5.14."""
        information = _effective(information)
        control = SE_SELF_RELATIVE
        sacl = None
        if information & OWNER_SECURITY_INFORMATION:
            control |= self.control & SE_OWNER_DEFAULTED
        if information & GROUP_SECURITY_INFORMATION:
            control |= self.control & SE_GROUP_DEFAULTED
        if information & DACL_SECURITY_INFORMATION:
            control |= self.control & DACL_CONTROL
        if information & _SACL_PARTS and self.sacl is not None:
            kept = tuple(ace for ace in self.sacl if _kind(ace) & information)
            # A part that is asked for alone and is not there leaves no list at all, as Windows answers.
            if kept or information & SACL_SECURITY_INFORMATION:
                sacl = replace(self.sacl, aces=kept)
        if information & SACL_SECURITY_INFORMATION:
            control |= self.control & SACL_CONTROL
        return SecurityDescriptor(
            self.owner if information & OWNER_SECURITY_INFORMATION else None,
            self.group if information & GROUP_SECURITY_INFORMATION else None,
            self.dacl if information & DACL_SECURITY_INFORMATION else None,
            sacl,
            control,
        )

    def merge(self, new: "SecurityDescriptor", information: int) -> "SecurityDescriptor":
        """This descriptor with the parts of ``new`` that the SECURITY_INFORMATION bits name, [MS-FSA] 2.1.5.17.

        Raises AclError if an owner or group is to be set and ``new`` has none.
        """
        protection = information & (PROTECTED_DACL_SECURITY_INFORMATION | UNPROTECTED_DACL_SECURITY_INFORMATION)
        information = _effective(information)
        owner, group, dacl = self.owner, self.group, self.dacl
        control = self.control
        if information & OWNER_SECURITY_INFORMATION:
            owner = _required(new.owner, "owner")
            control = control & ~SE_OWNER_DEFAULTED | new.control & SE_OWNER_DEFAULTED
        if information & GROUP_SECURITY_INFORMATION:
            group = _required(new.group, "group")
            control = control & ~SE_GROUP_DEFAULTED | new.control & SE_GROUP_DEFAULTED
        if information & DACL_SECURITY_INFORMATION:
            dacl = new.dacl
            control = control & ~DACL_CONTROL | _dacl_control(new.control)
        if protection == PROTECTED_DACL_SECURITY_INFORMATION:
            control |= SE_DACL_PROTECTED
        elif protection == UNPROTECTED_DACL_SECURITY_INFORMATION:
            control &= ~SE_DACL_PROTECTED
        sacl, control = self._merge_sacl(new, information, control)
        return SecurityDescriptor(owner, group, dacl, sacl, control, self.resource_manager_control)

    def _merge_sacl(self, new: "SecurityDescriptor", information: int, control: int) -> tuple[Acl | None, int]:
        sacl = self.sacl
        if information & SACL_SECURITY_INFORMATION:
            control = control & ~SACL_CONTROL | _sacl_control(new.control)
        if information & PROTECTED_SACL_SECURITY_INFORMATION:
            control |= SE_SACL_PROTECTED
        elif information & UNPROTECTED_SACL_SECURITY_INFORMATION:
            control &= ~SE_SACL_PROTECTED
        if information & _SACL_PARTS:
            kept = tuple(ace for ace in self.sacl or () if not _kind(ace) & information)
            added = tuple(ace for ace in new.sacl or () if _kind(ace) & information)
            is_wanted = bool(kept or added) or (new.sacl is not None and information & SACL_SECURITY_INFORMATION)
            sacl = Acl.of(*added, *kept) if is_wanted else None
            if sacl is None and not (new.control & SE_SACL_PRESENT and information & SACL_SECURITY_INFORMATION):
                control &= ~SE_SACL_PRESENT
        return sacl, control


def _part(parse: Callable[[Buffer, int], _T], data: Buffer, offset: int) -> _T | None:
    if offset == 0:
        return None
    if offset < HEADER_SIZE or offset > len(data):
        raise AclError("a security descriptor's offset points outside of its body")
    return parse(data, offset)


def _kind(ace: Ace) -> int:
    return _SACL_KINDS.get(ace.type, SACL_SECURITY_INFORMATION)


def _effective(information: int) -> int:
    return information | _EVERYTHING if information & BACKUP_SECURITY_INFORMATION else information


def _required(sid: Sid | None, what: str) -> Sid:
    if sid is None:
        raise AclError(f"the descriptor has no {what} to set")
    return sid


def _dacl_control(control: int) -> int:
    """The DACL's control bits as they are stored: the request bit only says whether the other one is meant."""
    kept = control & (SE_DACL_PRESENT | SE_DACL_DEFAULTED | SE_DACL_TRUSTED | SE_DACL_PROTECTED)
    wanted = SE_DACL_AUTO_INHERITED | SE_DACL_AUTO_INHERIT_REQ
    return kept | SE_DACL_AUTO_INHERITED if control & wanted == wanted else kept


def _sacl_control(control: int) -> int:
    kept = control & (SE_SACL_PRESENT | SE_SACL_DEFAULTED | SE_SACL_PROTECTED)
    wanted = SE_SACL_AUTO_INHERITED | SE_SACL_AUTO_INHERIT_REQ
    return kept | SE_SACL_AUTO_INHERITED if control & wanted == wanted else kept
