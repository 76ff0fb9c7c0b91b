"""SIDs for the ids of the system, and back: three schemes, and a table of SIDs from elsewhere."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from acl.errors import AclError
from acl.sid import NFS_GROUPS, NFS_USERS, UNIX_GROUPS, UNIX_USERS, Sid, nfs_group, nfs_user, unix_group, unix_user

_NT_NON_UNIQUE: Final = 21
_MAX_ID: Final = 0xFFFFFFFE  # 2^32 - 1 is (uid_t) -1, which means nobody
_FIRST_RID: Final = 1000


class Scheme(StrEnum):
    """How an id becomes a SID."""

    # RIDs of the machine's own domain, even ones users and odd ones groups, so that no two have the same.
    SMBGATE = "smbgate"
    # The RID is the id, as KSMBD has it. A user and a group of the same number have the same SID, and whoever is in
    # that group counts as that user: only for trees that were KSMBD's.
    KSMBD = "ksmbd"
    # Samba's S-1-22-1-uid and S-1-22-2-gid, the same on every machine.
    UNIX = "unix"


@dataclass(frozen=True, slots=True)
class PosixId:
    """What a SID stands for: a user, a group, or either (only in the scheme ``ksmbd``)."""

    uid: int | None = None
    gid: int | None = None


# What a SID of another domain stands for here: an id, or all that another SID does.
Meaning = PosixId | Sid


def machine_sid(random: bytes) -> Sid:
    """A domain for a machine out of twelve random bytes: ``S-1-5-21-a-b-c``. Raises AclError if they are not twelve."""
    if len(random) != 12:
        raise AclError("a machine SID is made of 12 random bytes")
    return Sid.of(5, _NT_NON_UNIQUE, *struct.unpack("<3I", random))


def load_machine_sid(text: str) -> Sid:
    """Read a stored machine SID; KSMBD's three numbers ``a:b:c`` are read too. Raises AclError."""
    text = text.strip()
    if text.count(":") == 2:
        text = f"S-1-5-{_NT_NON_UNIQUE}-" + text.replace(":", "-")
    sid = Sid.from_string(text)
    if sid.authority != 5 or sid.sub_authorities[0] != _NT_NON_UNIQUE or len(sid.sub_authorities) != 4:
        raise AclError(f"not a machine SID: {sid}")
    return sid


def dump_machine_sid(sid: Sid) -> str:
    """The text that ``load_machine_sid`` reads."""
    return f"{sid}\n"


@dataclass(frozen=True, slots=True)
class IdMap:
    """The mapping of one server. ``foreign`` are SIDs of other domains that were given a meaning here.

    Several of them may stand for one user; the first one is shown.
    """

    machine: Sid
    scheme: Scheme = Scheme.SMBGATE
    foreign: Mapping[Sid, Meaning] = field(default_factory=dict)
    _foreign_users: Mapping[int, tuple[Sid, ...]] = field(init=False, repr=False, compare=False)
    _foreign_groups: Mapping[int, tuple[Sid, ...]] = field(init=False, repr=False, compare=False)
    _alike: Mapping[Sid, tuple[Sid, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        users: dict[int, tuple[Sid, ...]] = {}
        groups: dict[int, tuple[Sid, ...]] = {}
        alike: dict[Sid, tuple[Sid, ...]] = {}
        for sid, meaning in self.foreign.items():
            if isinstance(meaning, Sid):
                alike[meaning] = (*alike.get(meaning, ()), sid)
                continue
            if meaning.uid is not None:
                users[meaning.uid] = (*users.get(meaning.uid, ()), sid)
            if meaning.gid is not None:
                groups[meaning.gid] = (*groups.get(meaning.gid, ()), sid)
        object.__setattr__(self, "foreign", MappingProxyType(dict(self.foreign)))
        object.__setattr__(self, "_foreign_users", users)
        object.__setattr__(self, "_foreign_groups", groups)
        object.__setattr__(self, "_alike", alike)

    def user_sid(self, uid: int) -> Sid:
        """The SID of a user. Raises AclError if ``uid`` is none."""
        if not 0 <= uid <= _MAX_ID:
            raise AclError(f"not a user id: {uid}")
        if uid in self._foreign_users:
            return self._foreign_users[uid][0]
        rid = self._rid(uid, 0)
        return unix_user(uid) if rid is None else self.machine.child(rid)

    def group_sid(self, gid: int) -> Sid:
        """The SID of a group. Raises AclError if ``gid`` is none."""
        if not 0 <= gid <= _MAX_ID:
            raise AclError(f"not a group id: {gid}")
        if gid in self._foreign_groups:
            return self._foreign_groups[gid][0]
        rid = self._rid(gid, 1)
        return unix_group(gid) if rid is None else self.machine.child(rid)

    def _rid(self, number: int, kind: int) -> int | None:
        if self.scheme is Scheme.KSMBD:
            return number
        # Ids from 2^31 - 500 on have no room in the domain.
        if self.scheme is Scheme.UNIX or number > (0xFFFFFFFF - _FIRST_RID - kind) // 2:
            return None
        return number * 2 + _FIRST_RID + kind

    def user_sids(self, uid: int) -> tuple[Sid, ...]:
        """All SIDs that stand for a user, the one of ``user_sid`` first: a token holds them all. Raises AclError.

        So an ACE that came with a tree from Samba (``S-1-22-1``) or from an NFS-style client means whom it meant.
        """
        rid = self._rid(uid, 0)
        domain = () if rid is None else (self.machine.child(rid),)
        others = (*self._foreign_users.get(uid, ()), *domain, unix_user(uid), nfs_user(uid))
        return tuple(dict.fromkeys((self.user_sid(uid), *others)))

    def group_sids(self, gid: int) -> tuple[Sid, ...]:
        """All SIDs that stand for a group, the one of ``group_sid`` first. Raises AclError."""
        rid = self._rid(gid, 1)
        domain = () if rid is None else (self.machine.child(rid),)
        others = (*self._foreign_groups.get(gid, ()), *domain, unix_group(gid), nfs_group(gid))
        return tuple(dict.fromkeys((self.group_sid(gid), *others)))

    def alike(self, sid: Sid) -> tuple[Sid, ...]:
        """The SIDs of other domains that stand for all that ``sid`` does: whoever holds it holds them, too."""
        return self._alike.get(sid, ())

    def lookup(self, sid: Sid) -> PosixId | None:
        """What a SID stands for here; None if that is nobody.

        Samba's and the NFS clients' SIDs are understood in every scheme.
        """
        meaning = self.foreign.get(sid)
        if meaning is not None:
            return meaning if isinstance(meaning, PosixId) else None
        number = sid.rid
        if number > _MAX_ID:
            return None
        if sid.is_below(UNIX_USERS) or sid.is_below(NFS_USERS):
            return PosixId(uid=number)
        if sid.is_below(UNIX_GROUPS) or sid.is_below(NFS_GROUPS):
            return PosixId(gid=number)
        if sid.is_below(self.machine):
            return self._of_rid(number)
        return None

    def _of_rid(self, rid: int) -> PosixId | None:
        if self.scheme is Scheme.KSMBD:
            return PosixId(uid=rid, gid=rid)
        if self.scheme is Scheme.UNIX or rid < _FIRST_RID:
            return None
        number, is_group = divmod(rid - _FIRST_RID, 2)
        return PosixId(gid=number) if is_group else PosixId(uid=number)

    def with_foreign(self, sid: Sid, posix: PosixId) -> "IdMap":
        """A mapping that knows one more SID. Raises AclError if it knows it already."""
        if sid in self.foreign or self.lookup(sid) is not None:
            raise AclError(f"{sid} has a meaning already")
        return replace(self, foreign={**self.foreign, sid: posix})

    def free_id(self, first: int, last: int) -> int:
        """The lowest number of a range that no foreign SID has. Raises AclError if there is none."""
        for number in range(first, last + 1):
            if number not in self._foreign_users and number not in self._foreign_groups:
                return number
        raise AclError(f"no id from {first} to {last} is free")


def dump_foreign(foreign: Mapping[Sid, Meaning]) -> str:
    """A table as text, one line ``SID user|group|both NUMBER`` or ``SID as SID`` each, in its order.

    Raises AclError if an entry has two numbers.
    """
    lines = []
    for sid, meaning in foreign.items():
        if isinstance(meaning, Sid):
            lines.append(f"{sid} as {meaning}\n")
        elif meaning.uid is not None and meaning.gid is not None:
            if meaning.uid != meaning.gid:
                raise AclError(f"{sid} is a user and a group of different numbers")
            lines.append(f"{sid} both {meaning.uid}\n")
        elif meaning.uid is not None:
            lines.append(f"{sid} user {meaning.uid}\n")
        elif meaning.gid is not None:
            lines.append(f"{sid} group {meaning.gid}\n")
    return "".join(lines)


def load_foreign(text: str) -> dict[Sid, Meaning]:
    """Read what ``dump_foreign`` wrote; empty lines and ``#`` comments are skipped. Raises AclError naming the line."""
    foreign: dict[Sid, Meaning] = {}
    for count, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            sid, meaning = _parse_line(line)
        except AclError as error:
            raise AclError(f"line {count}: {error}") from None
        if sid in foreign:
            raise AclError(f"line {count}: {sid} stands there twice")
        foreign[sid] = meaning
    return foreign


def _parse_line(line: str) -> tuple[Sid, Meaning]:
    fields = line.split()
    if len(fields) != 3:
        raise AclError("not SID user|group|both NUMBER, nor SID as SID")
    sid = Sid.from_string(fields[0])
    if fields[1] == "as":
        return sid, Sid.from_string(fields[2])
    if not (fields[2].isascii() and fields[2].isdigit()) or len(fields[2]) > 10 or int(fields[2]) > _MAX_ID:
        raise AclError("not the number of a user or group")
    number = int(fields[2])
    kinds = {"user": PosixId(uid=number), "group": PosixId(gid=number), "both": PosixId(number, number)}
    if fields[1] not in kinds:
        raise AclError("not SID user|group|both NUMBER, nor SID as SID")
    return sid, kinds[fields[1]]
