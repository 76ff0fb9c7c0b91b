"""Descriptors as mode bits and POSIX ACLs: POSIX.1e draft 17.

Never wider than the descriptor: an allowing ACE counts for a class only if everybody in the class holds its SID, a
denying one already if somebody might.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final

from acl import mask as m
from acl.ace import (
    ACCESS_ALLOWED,
    CONTAINER_INHERIT,
    DENIED_TYPES,
    INHERIT_ONLY,
    NO_PROPAGATE_INHERIT,
    OBJECT_INHERIT,
    Ace,
    Acl,
)
from acl.descriptor import SecurityDescriptor
from acl.idmap import PosixId
from acl.posix import S_ISVTX
from acl.posix_acl import (
    EXECUTE,
    GROUP,
    GROUP_OBJ,
    MASK,
    OTHER,
    READ,
    USER,
    USER_OBJ,
    WRITE,
    PosixAcl,
    PosixEntry,
    is_extended,
    sorted_acl,
)
from acl.sid import AUTHENTICATED_USERS, BUILTIN_USERS, CREATOR_GROUP, CREATOR_OWNER, EVERYONE, OWNER_RIGHTS, Sid

Lookup = Callable[[Sid], PosixId | None]

# What a permission bit lets somebody do locally.
_R: Final = m.FILE_READ_DATA | m.FILE_READ_EA
_W: Final = m.FILE_WRITE_DATA | m.FILE_APPEND_DATA | m.FILE_WRITE_EA


@dataclass(frozen=True, slots=True)
class PosixPermissions:
    """What POSIX can say of a descriptor.

    ``mode`` has the nine permission bits and, for a directory, S_ISVTX where it must be set: somebody may add names but
    not remove those of others. ``access`` is an ACL if the mode alone does not say it, ``default`` a directory's.
    """

    mode: int
    access: PosixAcl | None = None
    default: PosixAcl | None = None


def permissions_from_descriptor(
    descriptor: SecurityDescriptor,
    owner_sid: Sid,
    group_sid: Sid,
    is_directory: bool,
    lookup: Lookup,
    *,
    with_acl: bool = True,
) -> PosixPermissions:
    """Mode and ACLs that let nobody do locally what the descriptor denies, and else as much as possible.

    ``owner_sid`` and ``group_sid`` are those of the file's uid and gid. ``lookup`` says what other SIDs stand for
    (``IdMap.lookup``); everybody is taken to hold all SIDs that stand for them (``IdMap.user_sids``, ``group_sids``).
    ``with_acl=False`` is for file systems without ACLs: then who would need an entry of their own narrows the classes
    they are in.
    """
    if descriptor.dacl is None:
        return PosixPermissions(0o777)
    rules = _effective(descriptor.dacl, lookup)
    uid = _ids(owner_sid, lookup)[0]
    is_owner = descriptor.owner == owner_sid or (uid >= 0 and _ids(descriptor.owner, lookup)[0] == uid)
    acl = _Classes(owner_sid, group_sid, lookup, is_owner, rules if with_acl else ()).evaluate(rules)
    entries = [PosixEntry(tag, _permissions(mask, is_directory, tag), number) for tag, mask, number in acl]
    needs_sticky = is_directory and any(
        entry.permissions & (WRITE | EXECUTE) == WRITE | EXECUTE and not mask & m.FILE_DELETE_CHILD
        for entry, (_, mask, _) in zip(entries, acl, strict=True)
    )
    access = _with_mask(entries)
    of = {entry.tag: entry.permissions for entry in access if entry.id < 0}
    mode = of[USER_OBJ] << 6 | of.get(MASK, of[GROUP_OBJ]) << 3 | of[OTHER] | (S_ISVTX if needs_sticky else 0)
    default = _default_acl(descriptor.dacl, lookup) if is_directory and with_acl else None
    return PosixPermissions(mode, access if is_extended(access) else None, default)


def _default_acl(dacl: Acl, lookup: Lookup) -> PosixAcl | None:
    """One default ACL serves new files and new directories, so it has what both of them inherit."""
    kinds = [_inheritable(dacl, flag, lookup) for flag in (OBJECT_INHERIT, CONTAINER_INHERIT)]
    if not any(kinds):
        return None
    # Whoever creates a file may be anybody: the placeholder stands for no uid, so no denial is left out for them.
    classes = _Classes(CREATOR_OWNER, CREATOR_GROUP, lookup, True, [rule for rules in kinds for rule in rules])
    of_files, of_directories = (classes.evaluate(rules) for rules in kinds)
    entries = []
    for (tag, file_mask, number), (_, directory_mask, _) in zip(of_files, of_directories, strict=True):
        permissions = _permissions(file_mask, False, tag) & _permissions(directory_mask, True, USER_OBJ)
        entries.append(PosixEntry(tag, permissions, number))
    return _with_mask(entries)


def _permissions(mask: int, is_directory: bool, tag: int) -> int:
    """The permission bits all of whose rights are in ``mask``."""
    permissions = 0
    if not _R & ~mask:
        permissions |= READ
    if not _W & ~mask:
        permissions |= WRITE
    if mask & m.FILE_EXECUTE:
        permissions |= EXECUTE
    # S_ISVTX, which can stand in for the right to remove, does not bind the directory's owner.
    if is_directory and tag == USER_OBJ and permissions & 3 == 3 and not mask & m.FILE_DELETE_CHILD:
        permissions &= ~WRITE
    return permissions


def _with_mask(entries: list[PosixEntry]) -> PosixAcl:
    if not is_extended(tuple(entries)):
        return sorted_acl(entries)
    limit = 0
    for entry in entries:
        if entry.tag in (USER, GROUP_OBJ, GROUP):
            limit |= entry.permissions
    # Where the mask is empty Linux does not look at the ACL, and whom an entry refuses everything has what others have.
    limit = limit or next(entry.permissions for entry in entries if entry.tag == OTHER)
    return sorted_acl([*entries, PosixEntry(MASK, limit)])


@dataclass(frozen=True, slots=True)
class _Rule:
    """An ACE, as far as the classes depend on it. ``uid`` and ``gid`` are what the SID stands for, -1 if not such."""

    is_allow: bool
    mask: int
    sid: Sid
    uid: int
    gid: int


def _effective(dacl: Acl, lookup: Lookup) -> list[_Rule]:
    return [rule for ace in dacl if not ace.flags & INHERIT_ONLY for rule in _rules(ace, lookup)]


def _inheritable(dacl: Acl, flag: int, lookup: Lookup) -> list[_Rule]:
    # A default ACL goes all the way down, so what is passed on only once may deny but not allow.
    return [
        rule
        for ace in dacl
        if ace.flags & flag
        for rule in _rules(ace, lookup)
        if not (rule.is_allow and ace.flags & NO_PROPAGATE_INHERIT)
    ]


def _rules(ace: Ace, lookup: Lookup) -> Iterable[_Rule]:
    if ace.type == ACCESS_ALLOWED or ace.type in DENIED_TYPES:
        uid, gid = _ids(ace.sid, lookup)
        yield _Rule(ace.type == ACCESS_ALLOWED, m.map_generic(ace.mask), ace.sid, uid, gid)


def _ids(sid: Sid | None, lookup: Lookup) -> tuple[int, int]:
    posix = lookup(sid) if sid is not None else None
    if posix is None:
        return -1, -1
    return posix.uid if posix.uid is not None else -1, posix.gid if posix.gid is not None else -1


class _Classes:
    """The classes of one file: its owner and group, and the users and groups that get entries of their own."""

    def __init__(self, owner: Sid, group: Sid, lookup: Lookup, is_owner: bool, named: Iterable[_Rule] = ()) -> None:
        self._owner, self._group = owner, group
        self._uid, self._gid = _ids(owner, lookup)[0], _ids(group, lookup)[1]
        self._known = frozenset({EVERYONE, AUTHENTICATED_USERS, BUILTIN_USERS})
        self._of_owner = self._known | {OWNER_RIGHTS} if is_owner else self._known
        named = list(named)
        self._users = sorted({rule.uid for rule in named} - {-1, self._uid})
        self._groups = sorted({rule.gid for rule in named} - {-1, self._gid})

    def evaluate(self, rules: list[_Rule]) -> list[tuple[int, int, int]]:
        """Tag, access mask and id of each entry."""
        entries = [
            (USER_OBJ, _mask(rules, self._is_owner, self._may_be_owner), -1),
            (GROUP_OBJ, _mask(rules, partial(self._is_member, gid=self._gid), self._may_be_member), -1),
            # Somebody who did not log on with a name may be in the last class.
            (OTHER, _mask(rules, lambda rule: rule.sid == EVERYONE, self._may_be_other), -1),
        ]
        for uid in self._users:
            is_user, may_be_user = partial(self._is_user, uid=uid), partial(self._may_be_user, uid=uid)
            entries.append((USER, _mask(rules, is_user, may_be_user), uid))
        for gid in self._groups:
            entries.append((GROUP, _mask(rules, partial(self._is_member, gid=gid), self._may_be_member), gid))
        return entries

    def _is_owner(self, rule: _Rule) -> bool:
        return rule.sid in self._of_owner or rule.sid == self._owner or (rule.uid >= 0 and rule.uid == self._uid)

    def _may_be_owner(self, rule: _Rule) -> bool:
        return self._uid < 0 or self._may_be_user(rule, self._uid)

    def _is_user(self, rule: _Rule, uid: int) -> bool:
        return rule.sid in self._known or rule.uid == uid

    def _may_be_user(self, rule: _Rule, uid: int) -> bool:
        """Whether a user may hold this SID: any but those of other users."""
        return rule.uid in (-1, uid) or rule.gid >= 0

    def _is_member(self, rule: _Rule, gid: int) -> bool:
        if rule.sid in self._known or (rule.gid >= 0 and rule.gid == gid):
            return True
        return gid == self._gid and rule.sid == self._group

    def _may_be_member(self, rule: _Rule) -> bool:
        """Whether somebody whom a group's entry judges may hold this SID: users with their own entry are not."""
        return rule.uid < 0 or rule.gid >= 0 or (rule.uid != self._uid and rule.uid not in self._users)

    def _may_be_other(self, rule: _Rule) -> bool:
        """The same for the last class: nor are members of groups with an entry."""
        if rule.sid == self._group or (rule.gid >= 0 and rule.uid < 0):
            return rule.sid != self._group and rule.gid != self._gid and rule.gid not in self._groups
        return self._may_be_member(rule)


def _mask(rules: list[_Rule], holds: Callable[[_Rule], bool], may_hold: Callable[[_Rule], bool]) -> int:
    allowed = denied = 0
    for rule in rules:
        if rule.is_allow:
            if holds(rule):
                allowed |= rule.mask & ~denied
        # Nobody holds the placeholder; where it is inherited it becomes the owner, who has an entry.
        elif holds(rule) or (rule.sid != CREATOR_OWNER and may_hold(rule)):
            denied |= rule.mask & ~allowed
    return allowed
