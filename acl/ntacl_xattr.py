"""Descriptors on disk: the attribute ``security.NTACL`` as Samba (versions 1 to 4) and KSMBD write it.

Version 4 says for which POSIX permissions it was written, by a hash over owner, group, mode and ACLs. If they were
changed since, by chmod or setfacl, the descriptor is stale, and a policy says what then counts.

The hashed structure differs: for a file without an extended ACL, Samba hashes the three entries that its mode amounts
to, KSMBD no ACL at all. Both are accepted, Samba's is written unless KSMBD's is asked for.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from acl.descriptor import HEADER_SIZE, SecurityDescriptor
from acl.errors import AclError
from acl.intersect import intersect
from acl.posix_acl import GROUP, GROUP_OBJ, MASK, OTHER, USER, USER_OBJ, PosixAcl, acl_from_mode, is_extended
from acl.sid import Buffer

HASH_NONE: Final = 0
HASH_SHA256: Final = 1

_HASH_SIZE: Final = 64
_V2_HASH_SIZE: Final = 16
_DESCRIPTION: Final = "posix_acl"
_MAX_SIZE: Final = 1 << 16  # XATTR_SIZE_MAX of the kernel
_REFERENT: Final = 0x00020000
_HEAD = struct.Struct("<HHI")
_HEAD_WITH_HASH = struct.Struct("<HHIIH")
_OFFSETS = struct.Struct("<4I")
_S_IFMT: Final = 0o170000
_S_IFDIR: Final = 0o040000

# enum smb_acl_tag_t of Samba.
_TAGS: Final = {USER: 1, USER_OBJ: 2, GROUP: 3, GROUP_OBJ: 4, OTHER: 5, MASK: 6}


class Policy(StrEnum):
    """What counts if the POSIX permissions are not those that the descriptor was stored with."""

    # What the POSIX permissions say, as Samba does it.
    IGNORE = "ignore"
    # The descriptor, as Samba does it with ``acl_xattr:ignore system acls``.
    TRUST = "trust"
    # Only what both grant.
    INTERSECT = "intersect"


@dataclass(frozen=True, slots=True)
class PosixState:
    """The POSIX permissions of a file: ``mode`` is st_mode with its type bits, ACLs are empty where there is none."""

    uid: int
    gid: int
    mode: int
    access: PosixAcl = ()
    default: PosixAcl = ()


@dataclass(frozen=True, slots=True)
class NtAcl:
    """The attribute's content. Hashes are as long as they are stored: 64 bytes, 16 in version 2, none in version 1."""

    version: int
    descriptor: SecurityDescriptor
    hash_type: int = HASH_NONE
    hash: bytes = b""
    sys_acl_hash: bytes = b""
    description: str = _DESCRIPTION
    time: int = 0


def parse_ntacl(data: Buffer) -> NtAcl:
    """Read the attribute, whichever server wrote it. Raises AclError."""
    if len(data) > _MAX_SIZE:
        raise AclError("an NTACL attribute is too long")
    version, again, referent = _unpack(_HEAD, data, 0)
    if version != again or version not in (1, 2, 3, 4):
        raise AclError("an NTACL attribute's version is unknown")
    if not referent:
        raise AclError("an NTACL attribute holds no descriptor")
    if version == 1:
        return NtAcl(1, _parse_descriptor(data, 8))
    if not _unpack(_HEAD_WITH_HASH, data, 0)[3]:
        raise AclError("an NTACL attribute holds no descriptor")
    if version == 2:
        return NtAcl(2, _parse_descriptor(data, 28), HASH_NONE, _take(data, 12, _V2_HASH_SIZE))
    hash_type = _unpack(_HEAD_WITH_HASH, data, 0)[4]
    digest = _take(data, 14, _HASH_SIZE)
    if version == 3:
        return NtAcl(3, _parse_descriptor(data, 80), hash_type, digest)
    description, position = _parse_string(data, 14 + _HASH_SIZE)
    position += -position % 4
    time = int.from_bytes(_take(data, position, 8), "little")
    sys_acl_hash = _take(data, position + 8, _HASH_SIZE)
    descriptor = _parse_descriptor(data, position + 8 + _HASH_SIZE)
    return NtAcl(4, descriptor, hash_type, digest, sys_acl_hash, description, time)


def ntacl_to_bytes(ntacl: NtAcl) -> bytes:
    """The attribute in Samba's form. Raises AclError if the parts do not fit the version or are too long."""
    wanted = {1: (0, 0), 2: (_V2_HASH_SIZE, 0), 3: (_HASH_SIZE, 0), 4: (_HASH_SIZE, _HASH_SIZE)}
    if (len(ntacl.hash), len(ntacl.sys_acl_hash)) != wanted.get(ntacl.version):
        raise AclError("the hashes do not fit the version of an NTACL attribute")
    version = ntacl.version
    if version == 1:
        head = _HEAD.pack(1, 1, _REFERENT)
    elif version == 2:
        head = _HEAD.pack(2, 2, _REFERENT) + struct.pack("<I", _REFERENT + 4) + ntacl.hash
    else:
        head = _HEAD_WITH_HASH.pack(version, version, _REFERENT, _REFERENT + 4, ntacl.hash_type) + ntacl.hash
        if version == 4:
            head += ntacl.description.encode() + b"\0"
            head = _aligned(head, 4) + ntacl.time.to_bytes(8, "little") + ntacl.sys_acl_hash
    head = _aligned(head, 4)
    data = head + _shifted(ntacl.descriptor.to_bytes(), len(head))
    if len(data) > _MAX_SIZE:
        raise AclError("an NTACL attribute is too long")
    return data


def make_ntacl(
    descriptor: SecurityDescriptor,
    state: PosixState,
    posix_descriptor: SecurityDescriptor,
    *,
    time: int = 0,
    for_ksmbd: bool = False,
) -> NtAcl:
    """The attribute to store with a file whose permissions are ``state``, set before.

    ``posix_descriptor`` is what they amount to; ``time`` is a FILETIME that nobody reads. With ``for_ksmbd`` the hash
    is the one that KSMBD wants and Samba does not, unless the file has an extended ACL: then both want the same.
    """
    access, default = next(iter(_forms(state, ksmbd_first=for_ksmbd)))
    return NtAcl(
        4,
        descriptor,
        HASH_SHA256,
        _padded(descriptor_hash(posix_descriptor)),
        _padded(sys_acl_hash(state, access, default)),
        time=time,
    )


def is_current(ntacl: NtAcl, state: PosixState, posix_descriptor: SecurityDescriptor) -> bool:
    """Whether the POSIX permissions are still those of the day it was stored.

    Versions without a hash of them, and a hash of type none, are trusted, as Samba does it.
    """
    if ntacl.hash_type == HASH_NONE:
        return True
    if ntacl.hash_type != HASH_SHA256:
        return False
    if ntacl.version == 4 and any(
        ntacl.sys_acl_hash == _padded(sys_acl_hash(state, *form)) for form in _forms(state, ksmbd_first=False)
    ):
        return True
    return ntacl.hash == _padded(descriptor_hash(posix_descriptor))


def resolve(
    ntacl: NtAcl | None, state: PosixState, posix_descriptor: SecurityDescriptor, policy: Policy
) -> SecurityDescriptor:
    """The descriptor that counts for a file; ``posix_descriptor`` is what its POSIX permissions amount to."""
    if ntacl is None:
        return posix_descriptor
    if policy is Policy.TRUST or is_current(ntacl, state, posix_descriptor):
        return ntacl.descriptor
    if policy is Policy.IGNORE:
        return posix_descriptor
    return intersect(ntacl.descriptor, posix_descriptor)


def descriptor_hash(descriptor: SecurityDescriptor) -> bytes:
    """SHA-256 over the version 3 attribute of a descriptor, its hash being zero."""
    return sha256(ntacl_to_bytes(NtAcl(3, descriptor, HASH_SHA256, bytes(_HASH_SIZE)))).digest()


def sys_acl_hash(state: PosixState, access: PosixAcl | None, default: PosixAcl | None) -> bytes:
    """SHA-256 over NDR of Samba's ``smb_acl_wrapper``; an ACL that is None is a null pointer."""
    referents = iter((_REFERENT, _REFERENT + 4))
    pointers = [next(referents) if acl is not None else 0 for acl in (access, default)]
    data = struct.pack("<IIQQI", *pointers, state.uid, state.gid, state.mode)
    for acl in (access, default):
        if acl is not None:
            data = _append_acl(data, acl)
    return sha256(data).digest()


def _append_acl(data: bytes, acl: PosixAcl) -> bytes:
    # The conformant array's size stands first; the third number is an iterator that is never used.
    data = _aligned(_aligned(data, 4) + struct.pack("<I", len(acl)), 8) + struct.pack("<II", len(acl), 0)
    for entry in acl:
        tag = _TAGS[entry.tag]
        data = _aligned(data, 8) + struct.pack("<HH", tag, tag)
        if entry.id >= 0:
            data = _aligned(data, 8) + struct.pack("<Q", entry.id)
        data += struct.pack("<I", entry.permissions)
    return data


def _forms(state: PosixState, *, ksmbd_first: bool) -> Iterator[tuple[PosixAcl | None, PosixAcl | None]]:
    """The pairs of ACLs that a server may have hashed, the preferred one first."""
    defaults: list[PosixAcl | None] = [state.default or None]
    if not state.default and state.mode & _S_IFMT == _S_IFDIR:
        # Asked for the default ACL of a directory without one, libacl returns an empty ACL.
        defaults = [None, ()] if ksmbd_first else [(), None]
    accesses: list[PosixAcl | None] = [state.access or acl_from_mode(state.mode)]
    if not is_extended(state.access):
        accesses.append(None)
    if ksmbd_first:
        accesses.reverse()
    for access in accesses:
        for default in defaults:
            yield access, default


def _parse_descriptor(data: Buffer, base: int) -> SecurityDescriptor:
    """The descriptor at ``base``; its offsets count from the beginning of the attribute."""
    if len(data) - base < HEADER_SIZE:
        raise AclError("an NTACL attribute is cut short")
    raw = bytes(data[base:])
    try:
        return SecurityDescriptor.parse(_shifted(raw, -base))
    except AclError:
        # KSMBD leaves the SACL's offset as it is in the descriptor itself.
        return SecurityDescriptor.parse(_shifted(raw, -base, but_sacl=True))


def _shifted(raw: bytes, by: int, *, but_sacl: bool = False) -> bytes:
    offsets = []
    for index, offset in enumerate(_OFFSETS.unpack_from(raw, 4)):
        is_left = offset == 0 or (but_sacl and index == 2)
        if not is_left and offset + by < 0:
            raise AclError("an offset in an NTACL attribute points into its head")
        offsets.append(offset if is_left else offset + by or 1)
    return raw[:4] + _OFFSETS.pack(*offsets) + raw[HEADER_SIZE:]


def _parse_string(data: Buffer, offset: int) -> tuple[str, int]:
    raw = bytes(data[offset:])
    end = raw.find(b"\0")
    if end < 0:
        raise AclError("a string in an NTACL attribute has no end")
    try:
        return raw[:end].decode(), offset + end + 1
    except UnicodeDecodeError:
        raise AclError("a string in an NTACL attribute is not UTF-8") from None


def _unpack(form: struct.Struct, data: Buffer, offset: int) -> tuple[int, ...]:
    if len(data) - offset < form.size:
        raise AclError("an NTACL attribute is cut short")
    return form.unpack_from(data, offset)


def _take(data: Buffer, offset: int, length: int) -> bytes:
    if len(data) - offset < length:
        raise AclError("an NTACL attribute is cut short")
    return bytes(data[offset : offset + length])


def _aligned(data: bytes, unit: int) -> bytes:
    return data + bytes(-len(data) % unit)


def _padded(digest: bytes) -> bytes:
    return digest.ljust(_HASH_SIZE, b"\0")
