"""Mode bits and POSIX ACLs as descriptors: POSIX.1e draft 17, [MS-DTYP] 2.4.5.

POSIX lets the first class that fits decide (owner, named users, any group, other), NT lets every matching entry add.
The descriptors made here deny, before a later class is allowed, what an earlier one must not have; read in order they
say what the mode says. Where no class has less than a later one, which is the usual case, nothing is denied.
"""

from typing import Final, Protocol

from acl import mask as m
from acl.ace import CONTAINER_INHERIT, INHERIT_ONLY, OBJECT_INHERIT, Ace, Acl, allow, deny
from acl.descriptor import SecurityDescriptor
from acl.posix_acl import EXECUTE, GROUP, GROUP_OBJ, MASK, OTHER, READ, USER, USER_OBJ, WRITE, PosixAcl
from acl.sid import CREATOR_GROUP, CREATOR_OWNER, EVERYONE, Sid

S_ISVTX: Final = 0o1000

# Anybody may stat(2) and read an ACL who gets to a file, whatever its mode: so everybody is granted these.
_ALWAYS: Final = m.READ_CONTROL | m.SYNCHRONIZE | m.FILE_READ_ATTRIBUTES
# The owner may change mode and times whatever the mode is; whether a name can be removed, its directory decides.
_OWNER: Final = m.STANDARD_RIGHTS_REQUIRED | m.SYNCHRONIZE | m.FILE_READ_ATTRIBUTES | m.FILE_WRITE_ATTRIBUTES


def mask_from_permissions(
    permissions: int, is_directory: bool, *, is_owner: bool = False, is_sticky: bool = False
) -> int:
    """The access mask for three permission bits; ``is_sticky`` is the directory's S_ISVTX."""
    mask = 0
    if permissions & READ:
        mask |= m.FILE_GENERIC_READ
    if permissions & WRITE:
        mask |= m.FILE_GENERIC_WRITE
    if permissions & EXECUTE:
        mask |= m.FILE_GENERIC_EXECUTE
    may_remove = permissions & (WRITE | EXECUTE) == WRITE | EXECUTE and (is_owner or not is_sticky)
    if is_directory and may_remove:
        mask |= m.FILE_DELETE_CHILD
    if is_owner:
        mask |= _OWNER
        if permissions == READ | WRITE | EXECUTE:
            mask = m.FILE_ALL_ACCESS
    return mask


def descriptor_from_mode(mode: int, owner_sid: Sid, group_sid: Sid, is_directory: bool) -> SecurityDescriptor:
    """The descriptor that says what ``mode`` says; nothing in it is inheritable."""
    is_sticky = bool(mode & S_ISVTX)
    owner = mask_from_permissions(mode >> 6 & 7, is_directory, is_owner=True)
    group = mask_from_permissions(mode >> 3 & 7, is_directory, is_sticky=is_sticky)
    other = mask_from_permissions(mode & 7, is_directory, is_sticky=is_sticky) | _ALWAYS
    aces = _aces_of_classes([(owner_sid, owner)], [(group_sid, group)], other)
    return SecurityDescriptor(owner_sid, group_sid, Acl(tuple(aces)))


class SidSource(Protocol):
    """Where the SIDs of named entries come from; ``acl.idmap.IdMap`` is one."""

    def user_sid(self, uid: int) -> Sid:
        """The SID of a user."""

    def group_sid(self, gid: int) -> Sid:
        """The SID of a group."""


def descriptor_from_acl(
    mode: int,
    owner_sid: Sid,
    group_sid: Sid,
    is_directory: bool,
    access: PosixAcl,
    default: PosixAcl = (),
    *,
    sids: SidSource,
) -> SecurityDescriptor:
    """The descriptor that says what a POSIX ACL says; of ``mode`` only S_ISVTX counts.

    A directory's ``default`` ACL becomes ACEs that are inherited and do not apply to the directory itself.
    """
    classes = _Classes(access, owner_sid, group_sid, is_directory, bool(mode & S_ISVTX), sids)
    aces = classes.aces(0)
    if is_directory and default:
        classes = _Classes(default, CREATOR_OWNER, CREATOR_GROUP, True, False, sids)
        aces += classes.aces(OBJECT_INHERIT | CONTAINER_INHERIT | INHERIT_ONLY)
    return SecurityDescriptor(owner_sid, group_sid, Acl(tuple(aces)))


class _Classes:
    """The classes of a POSIX ACL with the access masks they have."""

    def __init__(
        self, acl: PosixAcl, owner: Sid, group: Sid, is_directory: bool, is_sticky: bool, sids: SidSource
    ) -> None:
        self._users: list[tuple[Sid, int]] = []
        self._groups: list[tuple[Sid, int]] = []
        self._other = _ALWAYS
        limit = next((entry.permissions for entry in acl if entry.tag == MASK), 7)
        for tag, permissions, number in acl:
            if tag == USER_OBJ:
                self._users.insert(0, (owner, mask_from_permissions(permissions, is_directory, is_owner=True)))
            elif tag == OTHER:
                self._other |= mask_from_permissions(permissions, is_directory, is_sticky=is_sticky)
            elif tag in (USER, GROUP_OBJ, GROUP):
                mask = mask_from_permissions(permissions & limit, is_directory, is_sticky=is_sticky)
                if tag != USER:
                    self._groups.append((group if tag == GROUP_OBJ else sids.group_sid(number), mask))
                # The owner's own entry goes before one that names them.
                elif (sid := sids.user_sid(number)) != owner:
                    self._users.append((sid, mask))

    def aces(self, flags: int) -> list[Ace]:
        return _aces_of_classes(self._users, self._groups, self._other, flags)


def _aces_of_classes(
    users: list[tuple[Sid, int]], groups: list[tuple[Sid, int]], other: int, flags: int = 0
) -> list[Ace]:
    """ACEs for the owner and named users, then the groups, then everyone, with the denials between them."""
    aces = []
    of_groups = other
    for _, mask in groups:
        of_groups |= mask
    for sid, mask in users:
        # A later user entry never matters to this one: nobody is two users.
        if excess := of_groups & ~mask & ~_ALWAYS:
            aces.append(deny(sid, excess, flags))
        if mask:
            aces.append(allow(sid, mask, flags))
    # A member of several groups has what any of them has, so all are allowed before one is denied.
    aces += [allow(sid, mask, flags) for sid, mask in groups if mask]
    for sid, mask in groups:
        if excess := other & ~mask & ~_ALWAYS:
            aces.append(deny(sid, excess, flags))
    return [*aces, allow(EVERYONE, other, flags)]
