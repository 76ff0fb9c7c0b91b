"""What Samba's tools tell of its SIDs, and what these mean here.

Read are `pdbedit -L -v`, `net groupmap list` and `net idmap dump`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from acl.errors import AclError
from acl.idmap import Meaning, PosixId
from acl.sid import AUTHENTICATED_USERS, BUILTIN_GUESTS, Sid
from gateway.server.idmap import Foreign, is_account
from gateway.server.names import gid_named, uid_named

__all__ = ["Imported", "merge", "parse"]

_USER: Final = re.compile(r"Unix username:\s*(\S.*)")
_USER_SID: Final = re.compile(r"User SID:\s*(S-\S+)")
_GROUP_SID: Final = re.compile(r"Primary Group SID:\s*(S-\S+)")
_GROUP: Final = re.compile(r"(.*) \((S-[0-9-]+)\) -> (.+)")
_DUMPED: Final = re.compile(r"(UID|GID)\s+(\d{1,10})\s+(S-[0-9-]+)")

# Whom Samba puts into the groups that every domain has: these need no group of the system.
_RIDS: Final[Mapping[int, Sid]] = {513: AUTHENTICATED_USERS, 514: BUILTIN_GUESTS}


@dataclass(slots=True)
class Imported:
    """What was found, and what was not: one sentence for each SID that has no meaning here."""

    found: dict[Sid, Meaning] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    def add(self, text: str, meaning: Meaning | None, reason: str) -> None:
        """Note what the SID in a text means; without a meaning, the reason why it has none."""
        try:
            sid = Sid.from_string(text)
        except AclError as error:
            self.skipped.append(str(error))
            return
        if not is_account(sid):
            self.skipped.append(f"{sid} is the same everywhere, and needs no mapping")
        elif meaning is None:
            self.skipped.append(f"{sid}: {reason}")
        else:
            self.found[sid] = meaning


def parse(text: str) -> Imported:
    """The SIDs in what one or several of the tools have printed; other lines are not looked at.

    A group that Samba maps means that group. Only the primary groups of its accounts, `Domain Users` and `Domain
    Guests`, mean all who have logged on, and guests: smbd counts all accounts among them, whatever they are mapped to.
    """
    imported = Imported()
    everybodys: dict[str, Sid] = {}
    user = ""
    for line in map(str.strip, text.splitlines()):
        if match := _USER.fullmatch(line):
            user = match[1]
        elif match := _USER_SID.fullmatch(line):
            imported.add(match[1], _user(user), f"there is no user {user!r} here")
        elif match := _GROUP_SID.fullmatch(line):
            rid = match[1].rpartition("-")[2]
            if rid.isdigit() and int(rid) in _RIDS:
                everybodys[match[1]] = _RIDS[int(rid)]
        elif match := _DUMPED.fullmatch(line):
            number = int(match[2])
            imported.add(match[3], PosixId(uid=number) if match[1] == "UID" else PosixId(gid=number), "")
        elif match := _GROUP.fullmatch(line):
            imported.add(match[2], _group(match[3]), f"there is no group {match[3]!r} here, for {match[1]!r}")
    for sid, meaning in everybodys.items():
        imported.add(sid, meaning, "")
    return imported


def merge(known: Foreign, found: Iterable[tuple[Sid, Meaning]], *, replace: bool) -> dict[Sid, Meaning]:
    """A table with what was found; what it says already stays, unless that is to be replaced."""
    merged = dict(known)
    for sid, meaning in found:
        if replace or sid not in merged:
            merged[sid] = meaning
    return merged


def _user(name: str) -> PosixId | None:
    uid = uid_named(name)
    return None if uid is None else PosixId(uid=uid)


def _group(name: str) -> PosixId | None:
    gid = int(name) if name.isdigit() and len(name) <= 9 else gid_named(name)
    return None if gid is None else PosixId(gid=gid)
