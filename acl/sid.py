"""Security identifiers: [MS-DTYP] 2.4.2."""

import re
import struct
from dataclasses import dataclass
from typing import Self

from acl.errors import AclError

Buffer = bytes | bytearray | memoryview

MAX_SUB_AUTHORITIES = 15
MAX_SIZE = 8 + 4 * MAX_SUB_AUTHORITIES

# [MS-DTYP] 2.4.2.1: an authority of 2^32 or more is written as twelve hexadecimal digits.
_TEXT = re.compile(r"S-1-([0-9]{1,15}|0x[0-9a-f]{1,12})((?:-[0-9]{1,10}){1,15})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Sid:
    """A security identifier, kept as its binary form (``data``), so that it compares and hashes as fast as bytes do."""

    data: bytes

    @classmethod
    def parse(cls, data: Buffer, offset: int = 0) -> Self:
        """Read the SID at ``offset``; bytes behind it are ignored, ``size`` says where they begin. Raises AclError."""
        if offset < 0 or len(data) - offset < 8:
            raise AclError("a SID is cut short")
        count = data[offset + 1]
        if data[offset] != 1:
            raise AclError("a SID's revision is not 1")
        # The grammar wants at least one, and a SID without any names nobody.
        if not 1 <= count <= MAX_SUB_AUTHORITIES:
            raise AclError("a SID has a wrong number of sub-authorities")
        end = offset + 8 + 4 * count
        if end > len(data):
            raise AclError("a SID is cut short")
        return cls(bytes(data[offset:end]))

    @classmethod
    def of(cls, authority: int, *sub_authorities: int) -> Self:
        """Build a SID from its numbers. Raises AclError if one is out of range."""
        if not 0 <= authority < 1 << 48 or not 1 <= len(sub_authorities) <= MAX_SUB_AUTHORITIES:
            raise AclError("a SID needs a 48-bit authority and 1 to 15 sub-authorities")
        if not all(0 <= sub < 1 << 32 for sub in sub_authorities):
            raise AclError("a sub-authority is a 32-bit number")
        head = struct.pack(">BBHI", 1, len(sub_authorities), authority >> 32, authority & 0xFFFFFFFF)
        return cls(head + struct.pack(f"<{len(sub_authorities)}I", *sub_authorities))

    @classmethod
    def from_string(cls, text: str) -> Self:
        """Read ``S-1-...`` ([MS-DTYP] 2.4.2.1). Raises AclError."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise AclError(f"not a SID: {text[:80]!r}")
        authority = int(match[1], 16 if match[1][:2] in ("0x", "0X") else 10)
        return cls.of(authority, *(int(sub) for sub in match[2][1:].split("-")))

    def to_bytes(self) -> bytes:
        """The binary form, [MS-DTYP] 2.4.2.2."""
        return self.data

    @property
    def size(self) -> int:
        """Length of the binary form in bytes."""
        return len(self.data)

    @property
    def authority(self) -> int:
        """The identifier authority, a 48-bit number."""
        return int.from_bytes(self.data[2:8], "big")

    @property
    def sub_authorities(self) -> tuple[int, ...]:
        """The sub-authorities, the relative identifier last."""
        return struct.unpack(f"<{self.data[1]}I", self.data[8:])

    @property
    def rid(self) -> int:
        """The last sub-authority."""
        return int.from_bytes(self.data[-4:], "little")

    def child(self, *rids: int) -> "Sid":
        """This SID with ``rids`` appended. Raises AclError if it becomes too long."""
        return Sid.of(self.authority, *self.sub_authorities, *rids)

    def is_below(self, domain: "Sid") -> bool:
        """Whether this is ``domain`` with exactly one more sub-authority."""
        return self.size == domain.size + 4 and self.data[2 : domain.size] == domain.data[2:]

    def __str__(self) -> str:
        authority = self.authority
        head = str(authority) if authority < 1 << 32 else f"0x{authority:012x}"
        return "-".join(("S-1", head, *map(str, self.sub_authorities)))

    def __repr__(self) -> str:
        return f"Sid({str(self)!r})"


# [MS-DTYP] 2.4.2.4.
NULL_SID = Sid.of(0, 0)
EVERYONE = Sid.of(1, 0)
LOCAL = Sid.of(2, 0)
CREATOR_OWNER = Sid.of(3, 0)
CREATOR_GROUP = Sid.of(3, 1)
OWNER_RIGHTS = Sid.of(3, 4)
NETWORK = Sid.of(5, 2)
ANONYMOUS = Sid.of(5, 7)
PRINCIPAL_SELF = Sid.of(5, 10)
AUTHENTICATED_USERS = Sid.of(5, 11)
SYSTEM = Sid.of(5, 18)
BUILTIN_ADMINISTRATORS = Sid.of(5, 32, 544)
BUILTIN_USERS = Sid.of(5, 32, 545)
BUILTIN_GUESTS = Sid.of(5, 32, 546)
BUILTIN_BACKUP_OPERATORS = Sid.of(5, 32, 551)

# Samba's SIDs for ids without an account.
UNIX_USERS = Sid.of(22, 1)
UNIX_GROUPS = Sid.of(22, 2)

# SIDs that clients of the NFS family write: an owner, a group, and mode bits inside an ACL. WSL uses the same.
NFS_USERS = Sid.of(5, 88, 1)
NFS_GROUPS = Sid.of(5, 88, 2)
NFS_MODES = Sid.of(5, 88, 3)


def unix_user(uid: int) -> Sid:
    """``S-1-22-1-uid``. Raises AclError if ``uid`` is not a 32-bit number."""
    return UNIX_USERS.child(uid)


def unix_group(gid: int) -> Sid:
    """``S-1-22-2-gid``. Raises AclError if ``gid`` is not a 32-bit number."""
    return UNIX_GROUPS.child(gid)


def nfs_user(uid: int) -> Sid:
    """``S-1-5-88-1-uid``. Raises AclError if ``uid`` is not a 32-bit number."""
    return NFS_USERS.child(uid)


def nfs_group(gid: int) -> Sid:
    """``S-1-5-88-2-gid``. Raises AclError if ``gid`` is not a 32-bit number."""
    return NFS_GROUPS.child(gid)


def nfs_mode(mode: int) -> Sid:
    """``S-1-5-88-3-mode``: permission bits in an ACE that grants nothing. Raises AclError as above."""
    return NFS_MODES.child(mode)
