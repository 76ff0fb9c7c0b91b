"""Descriptors as text, the security descriptor definition language: [MS-DTYP] 2.5.1.

What the language cannot say, or only in the terms of conditional expressions and claims, is written as ``#`` and
hexadecimal digits in the seventh field, and an ACE type without a name as a number, so that nothing is lost on the
way; that form is this project's own. Of ``control``, only what the language knows survives.
"""

import re
import uuid
from typing import Final

from acl import ace as a
from acl import descriptor as d
from acl import mask as m
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.sid import NULL_SID, Sid

# [MS-DTYP] 2.5.1.1, sid-token.
_WELL_KNOWN: Final = {
    "WD": "S-1-1-0",
    "CO": "S-1-3-0",
    "CG": "S-1-3-1",
    "OW": "S-1-3-4",
    "NU": "S-1-5-2",
    "IU": "S-1-5-4",
    "SU": "S-1-5-6",
    "AN": "S-1-5-7",
    "ED": "S-1-5-9",
    "PS": "S-1-5-10",
    "AU": "S-1-5-11",
    "RC": "S-1-5-12",
    "SY": "S-1-5-18",
    "LS": "S-1-5-19",
    "NS": "S-1-5-20",
    "WR": "S-1-5-33",
    "UD": "S-1-5-84-0-0-0-0-0",
    "AC": "S-1-15-2-1",
    "AS": "S-1-18-1",
    "SS": "S-1-18-2",
    "LW": "S-1-16-4096",
    "ME": "S-1-16-8192",
    "MP": "S-1-16-8448",
    "HI": "S-1-16-12288",
    "SI": "S-1-16-16384",
}
_BUILTIN: Final = {
    "BA": 544,
    "BU": 545,
    "BG": 546,
    "PU": 547,
    "AO": 548,
    "SO": 549,
    "PO": 550,
    "BO": 551,
    "RE": 552,
    "RU": 554,
    "RD": 555,
    "NO": 556,
    "MU": 558,
    "LU": 559,
    "IS": 568,
    "CY": 569,
    "ER": 573,
    "CD": 574,
    "RA": 575,
    "ES": 576,
    "MS": 577,
    "HA": 578,
    "AA": 579,
    "RM": 580,
}
_OF_DOMAIN: Final = {
    "RO": 498,
    "LA": 500,
    "LG": 501,
    "DA": 512,
    "DU": 513,
    "DG": 514,
    "DC": 515,
    "DD": 516,
    "CA": 517,
    "SA": 518,
    "EA": 519,
    "PA": 520,
    "CN": 522,
    "AP": 525,
    "KA": 526,
    "EK": 527,
    "RS": 553,
}
_FIXED: Final = {name: Sid.from_string(text) for name, text in _WELL_KNOWN.items()} | {
    name: Sid.of(5, 32, rid) for name, rid in _BUILTIN.items()
}
_NAMES: Final = {sid: name for name, sid in _FIXED.items()}
_DOMAIN_NAMES: Final = {rid: name for name, rid in _OF_DOMAIN.items()}

_TYPES: Final = {
    "A": a.ACCESS_ALLOWED,
    "D": a.ACCESS_DENIED,
    "AU": a.SYSTEM_AUDIT,
    "AL": a.SYSTEM_ALARM,
    "OA": a.ACCESS_ALLOWED_OBJECT,
    "OD": a.ACCESS_DENIED_OBJECT,
    "OU": a.SYSTEM_AUDIT_OBJECT,
    "OL": a.SYSTEM_ALARM_OBJECT,
    "XA": a.ACCESS_ALLOWED_CALLBACK,
    "XD": a.ACCESS_DENIED_CALLBACK,
    "ZA": a.ACCESS_ALLOWED_CALLBACK_OBJECT,
    "XU": a.SYSTEM_AUDIT_CALLBACK,
    "ML": a.SYSTEM_MANDATORY_LABEL,
    "RA": a.SYSTEM_RESOURCE_ATTRIBUTE,
    "SP": a.SYSTEM_SCOPED_POLICY_ID,
}
_TYPE_NAMES: Final = {value: name for name, value in _TYPES.items()}

_FLAGS: Final = {
    "OI": a.OBJECT_INHERIT,
    "CI": a.CONTAINER_INHERIT,
    "NP": a.NO_PROPAGATE_INHERIT,
    "IO": a.INHERIT_ONLY,
    "ID": a.INHERITED,
    "CR": a.CRITICAL,
    "SA": a.SUCCESSFUL_ACCESS,
    "FA": a.FAILED_ACCESS,
}

# The names of whole rights first: they are what a mask is written as. KA to KX are those of registry keys.
_WHOLE_RIGHTS: Final = {
    "FA": m.FILE_ALL_ACCESS,
    "FR": m.FILE_GENERIC_READ,
    "FW": m.FILE_GENERIC_WRITE,
    "FX": m.FILE_GENERIC_EXECUTE,
    "GA": m.GENERIC_ALL,
    "GR": m.GENERIC_READ,
    "GW": m.GENERIC_WRITE,
    "GX": m.GENERIC_EXECUTE,
}
_RIGHTS: Final = _WHOLE_RIGHTS | {
    "KA": 0x000F003F,
    "KR": 0x00020019,
    "KW": 0x00020006,
    "KX": 0x00020019,
    "RC": m.READ_CONTROL,
    "SD": m.DELETE,
    "WD": m.WRITE_DAC,
    "WO": m.WRITE_OWNER,
    "CC": 0x0001,
    "DC": 0x0002,
    "LC": 0x0004,
    "SW": 0x0008,
    "RP": 0x0010,
    "WP": 0x0020,
    "DT": 0x0040,
    "LO": 0x0080,
    "CR": 0x0100,
}
_LABEL_RIGHTS: Final = {"NW": 1, "NR": 2, "NX": 4}
_RIGHT_NAMES: Final = {mask: name for name, mask in _WHOLE_RIGHTS.items()}

_DACL_FLAGS: Final = {
    "P": d.SE_DACL_PROTECTED,
    "AR": d.SE_DACL_AUTO_INHERIT_REQ,
    "AI": d.SE_DACL_AUTO_INHERITED,
}
_SACL_FLAGS: Final = {
    "P": d.SE_SACL_PROTECTED,
    "AR": d.SE_SACL_AUTO_INHERIT_REQ,
    "AI": d.SE_SACL_AUTO_INHERITED,
}
_NULL_ACL: Final = "NO_ACCESS_CONTROL"

_SID_TEXT: Final = r"S-1-(?:0[xX][0-9A-Fa-f]+|[0-9]+)(?:-[0-9]+)+|[A-Z]{2}"
_PART = re.compile(rf"\s*(?:([OG]):({_SID_TEXT})|([DS]):((?:P|AR|AI)*)({_NULL_ACL}|(?:\s*\([^()]*\))*))\s*")
_ENTRY = re.compile(r"\(([^()]*)\)")
_NUMBER = re.compile(r"0[xX][0-9A-Fa-f]{1,8}|[0-9]{1,10}", re.ASCII)
_MAX_TEXT: Final = 1 << 18


def parse_sddl(text: str, domain: Sid | None = None) -> SecurityDescriptor:
    """Read a descriptor; names such as ``DA`` are relative to ``domain``. Raises AclError."""
    if len(text) > _MAX_TEXT:
        raise AclError("the text of a descriptor is too long")
    owners: dict[str, Sid] = {}
    lists: dict[str, Acl | None] = {}
    control = position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            raise AclError(f"not understood in a descriptor: {text[position : position + 40]!r}")
        name = match[1] or match[3]
        if name in owners or name in lists:
            raise AclError(f"a descriptor has two parts {name}:")
        if match[1]:
            owners[name] = parse_sid(match[2], domain)
        else:
            flags = _DACL_FLAGS if name == "D" else _SACL_FLAGS
            control |= _bits(match[4], flags, "list") | (d.SE_DACL_PRESENT if name == "D" else d.SE_SACL_PRESENT)
            lists[name] = None if match[5] == _NULL_ACL else _parse_acl(match[5], domain)
        position = match.end()
    return SecurityDescriptor(owners.get("O"), owners.get("G"), lists.get("D"), lists.get("S"), control)


def to_sddl(descriptor: SecurityDescriptor, domain: Sid | None = None) -> str:
    """Write a descriptor; SIDs of ``domain`` that have a name get it."""
    parts = []
    if descriptor.owner is not None:
        parts.append("O:" + format_sid(descriptor.owner, domain))
    if descriptor.group is not None:
        parts.append("G:" + format_sid(descriptor.group, domain))
    control = descriptor.control
    if control & d.SE_DACL_PRESENT:
        parts.append("D:" + _names(control, _DACL_FLAGS) + _format_acl(descriptor.dacl, domain))
    if control & d.SE_SACL_PRESENT:
        parts.append("S:" + _names(control, _SACL_FLAGS) + _format_acl(descriptor.sacl, domain))
    return "".join(parts)


def parse_sid(text: str, domain: Sid | None = None) -> Sid:
    """Read ``S-1-...`` or a two-letter name. Raises AclError."""
    if text[:2] in ("S-", "s-"):
        return Sid.from_string(text)
    if text in _FIXED:
        return _FIXED[text]
    if text in _OF_DOMAIN:
        if domain is None:
            raise AclError(f"{text} is relative to a domain, and none is given")
        return domain.child(_OF_DOMAIN[text])
    raise AclError(f"not the name of a SID: {text[:40]!r}")


def format_sid(sid: Sid, domain: Sid | None = None) -> str:
    """The two-letter name of a SID if it has one, else ``S-1-...``."""
    if domain is not None and sid.is_below(domain) and sid.rid in _DOMAIN_NAMES:
        return _DOMAIN_NAMES[sid.rid]
    return _NAMES.get(sid) or str(sid)


def parse_ace(text: str, domain: Sid | None = None) -> Ace:
    """Read one ACE, without its parentheses. Raises AclError."""
    fields = [field.strip() for field in text.split(";")]
    if not 6 <= len(fields) <= 7:
        raise AclError(f"an ACE has six or seven fields: {text[:80]!r}")
    ace_type = _TYPES.get(fields[0])
    if ace_type is None:
        ace_type = _number(fields[0], 0xFF)
    flags = _bits(fields[1], _FLAGS, "flags")
    data = _parse_data(fields[6]) if len(fields) == 7 else b""
    if ace_type not in a.PLAIN_TYPES and ace_type not in a.OBJECT_TYPES:
        if any(fields[2:6]):
            raise AclError("of an ACE of unknown type, only flags and data can be given")
        return Ace(ace_type, flags, 0, NULL_SID, data)
    names = _LABEL_RIGHTS if ace_type == a.SYSTEM_MANDATORY_LABEL else _RIGHTS
    mask = _number(fields[2], 0xFFFFFFFF) if fields[2][:1].isdigit() else _bits(fields[2], names, "rights")
    guids = _parse_guid(fields[3]), _parse_guid(fields[4])
    if any(guids) and ace_type not in a.OBJECT_TYPES:
        raise AclError("only an object ACE has GUIDs")
    object_flags = (a.ACE_OBJECT_TYPE_PRESENT if guids[0] else 0) | (
        a.ACE_INHERITED_OBJECT_TYPE_PRESENT if guids[1] else 0
    )
    return Ace(ace_type, flags, mask, parse_sid(fields[5], domain), data, object_flags, *guids)


def format_ace(ace: Ace, domain: Sid | None = None) -> str:
    """Write one ACE, with its parentheses."""
    fields = [_TYPE_NAMES.get(ace.type, f"0x{ace.type:02x}"), _names(ace.flags, _FLAGS)]
    if ace.is_opaque:
        fields += ["", "", "", ""]
    else:
        rights = _format_rights(ace)
        fields += [rights, _format_guid(ace.object_type), _format_guid(ace.inherited_object_type)]
        fields.append(format_sid(ace.sid, domain))
    if ace.data:
        fields.append("#" + ace.data.hex())
    return f"({';'.join(fields)})"


def _format_rights(ace: Ace) -> str:
    if ace.type == a.SYSTEM_MANDATORY_LABEL:
        return _names(ace.mask, _LABEL_RIGHTS) if 0 < ace.mask <= 7 else f"0x{ace.mask:x}"
    return _RIGHT_NAMES.get(ace.mask) or f"0x{ace.mask:x}"


def _parse_acl(text: str, domain: Sid | None) -> Acl:
    return Acl.of(*(parse_ace(entry, domain) for entry in _ENTRY.findall(text)))


def _format_acl(acl: Acl | None, domain: Sid | None) -> str:
    return _NULL_ACL if acl is None else "".join([format_ace(ace, domain) for ace in acl])


def _bits(text: str, table: dict[str, int], what: str) -> int:
    """The sum of names that stand one behind the other; the longer of two names that fit is meant."""
    bits = position = 0
    while position < len(text):
        for length in (2, 1):
            name = text[position : position + length]
            if name in table:
                bits |= table[name]
                position += len(name)
                break
        else:
            raise AclError(f"not understood in the {what} of an ACL: {text[:40]!r}")
    return bits


def _names(bits: int, table: dict[str, int]) -> str:
    return "".join(name for name, bit in table.items() if bits & bit)


def _number(text: str, limit: int) -> int:
    if not _NUMBER.fullmatch(text):
        raise AclError(f"not a number: {text[:40]!r}")
    if text[:2] in ("0x", "0X"):
        value = int(text, 16)
    else:
        # As strtoul reads it: a leading zero means octal.
        try:
            value = int(text, 8 if text[0] == "0" else 10)
        except ValueError:
            raise AclError(f"not a number: {text!r}") from None
    if value > limit:
        raise AclError(f"a number is too large: {text!r}")
    return value


def _parse_guid(text: str) -> bytes:
    if not text:
        return b""
    try:
        return uuid.UUID(text).bytes_le
    except ValueError:
        raise AclError(f"not a GUID: {text[:40]!r}") from None


def _format_guid(guid: bytes) -> str:
    return str(uuid.UUID(bytes_le=guid)) if guid else ""


def _parse_data(text: str) -> bytes:
    if not re.fullmatch(r"#(?:[0-9A-Fa-f]{2})*", text):
        raise AclError("conditional expressions and claims are read as # and hexadecimal digits only")
    return bytes.fromhex(text[1:])
