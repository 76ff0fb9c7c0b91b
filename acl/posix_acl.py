"""POSIX ACLs as the kernel keeps them, in ``system.posix_acl_access`` and ``..._default``: version 2 of the format."""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from acl.errors import AclError
from acl.sid import Buffer

USER_OBJ: Final = 0x01
USER: Final = 0x02
GROUP_OBJ: Final = 0x04
GROUP: Final = 0x08
MASK: Final = 0x10
OTHER: Final = 0x20

READ: Final = 4
WRITE: Final = 2
EXECUTE: Final = 1

_VERSION: Final = 2
_NO_ID: Final = 0xFFFFFFFF
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_NAMED: Final = frozenset({USER, GROUP})
_ONCE: Final = frozenset({USER_OBJ, GROUP_OBJ, OTHER})


class PosixEntry(NamedTuple):
    """One entry; ``id`` is the uid or gid of the tags USER and GROUP, and -1 for the others."""

    tag: int
    permissions: int
    id: int = -1


PosixAcl = tuple[PosixEntry, ...]


def parse_posix_acl(data: Buffer) -> PosixAcl:
    """Read the value of the extended attribute; an empty list is an empty tuple. Raises AclError."""
    if len(data) < _HEADER.size or (len(data) - _HEADER.size) % _ENTRY.size:
        raise AclError("a POSIX ACL's size is wrong")
    if _HEADER.unpack_from(data)[0] != _VERSION:
        raise AclError("a POSIX ACL's version is not 2")
    entries = []
    for tag, permissions, number in _ENTRY.iter_unpack(memoryview(data)[_HEADER.size :]):
        entries.append(PosixEntry(tag, permissions, number if tag in _NAMED else -1))
    return sorted_acl(entries)


def posix_acl_to_bytes(acl: PosixAcl) -> bytes:
    """The value of the extended attribute."""
    packed = [_ENTRY.pack(entry.tag, entry.permissions, entry.id & _NO_ID) for entry in acl]
    return _HEADER.pack(_VERSION) + b"".join(packed)


def sorted_acl(entries: Iterable[PosixEntry]) -> PosixAcl:
    """The entries in the order the kernel wants. Raises AclError if they are no valid ACL (acl_valid in POSIX.1e)."""
    acl = tuple(sorted(entries, key=lambda entry: (entry.tag, entry.id)))
    if not acl:
        return acl
    tags = [entry.tag for entry in acl]
    if len({(entry.tag, entry.id) for entry in acl}) != len(acl):
        raise AclError("a POSIX ACL has an entry twice")
    if not set(tags) >= _ONCE or not set(tags) <= _ONCE | _NAMED | {MASK}:
        raise AclError("a POSIX ACL lacks an entry or has an unknown one")
    if MASK not in tags and _NAMED & set(tags):
        raise AclError("a POSIX ACL with named entries has no mask")
    for entry in acl:
        if entry.permissions & ~7:
            raise AclError("a POSIX ACL's permissions are not r, w and x")
        if (entry.tag in _NAMED) != (0 <= entry.id < _NO_ID):
            raise AclError("a POSIX ACL's entry has a wrong id")
    return acl


def acl_from_mode(mode: int) -> PosixAcl:
    """The three entries that say the same as the mode."""
    return (
        PosixEntry(USER_OBJ, mode >> 6 & 7),
        PosixEntry(GROUP_OBJ, mode >> 3 & 7),
        PosixEntry(OTHER, mode & 7),
    )


def is_extended(acl: PosixAcl) -> bool:
    """Whether the ACL says more than a mode can."""
    return any(entry.tag not in _ONCE for entry in acl)
