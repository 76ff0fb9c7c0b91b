"""Access checks: [MS-DTYP] 2.5.3.2, with the privileges of [MS-FSA] 2.1.5.1."""

from typing import Final

from acl import mask as m
from acl.ace import (
    ACCESS_ALLOWED,
    ACCESS_ALLOWED_OBJECT,
    ACE_OBJECT_TYPE_PRESENT,
    AUDIT_TYPES,
    DENIED_TYPES,
    FAILED_ACCESS,
    INHERIT_ONLY,
    SUCCESSFUL_ACCESS,
    Ace,
    Acl,
)
from acl.descriptor import SecurityDescriptor
from acl.sid import OWNER_RIGHTS
from acl.token import SE_BACKUP, SE_RESTORE, SE_SECURITY, SE_TAKE_OWNERSHIP, SUPERUSER, Token

# What the privileges give to an open with backup intent, [MS-FSA] 2.1.5.1.
BACKUP_ACCESS: Final = m.READ_CONTROL | m.ACCESS_SYSTEM_SECURITY | m.FILE_GENERIC_READ | m.FILE_TRAVERSE
RESTORE_ACCESS: Final = m.WRITE_DAC | m.WRITE_OWNER | m.ACCESS_SYSTEM_SECURITY | m.FILE_GENERIC_WRITE | m.DELETE

_OWNER_IMPLIED: Final = m.READ_CONTROL | m.WRITE_DAC
_OWNER_RIGHTS = OWNER_RIGHTS.data


class AccessDenied(Exception):
    """The descriptor does not grant what was asked; ``missing`` are the bits, as far as they are known."""

    def __init__(self, missing: int, *, privilege: bool = False) -> None:
        super().__init__(f"access denied: 0x{missing:08x}")
        self.missing = missing
        # Only the lack of SeSecurityPrivilege stood in the way, which has a status of its own.
        self.is_privilege_missing = privilege


def access_check(descriptor: SecurityDescriptor, token: Token, desired: int, *, backup_intent: bool = False) -> int:
    """The granted access mask, which covers ``desired``; with MAXIMUM_ALLOWED, all that could be granted.

    Generic bits are mapped first and never returned. ``backup_intent`` is FILE_OPEN_FOR_BACKUP_INTENT: only with it do
    SeBackupPrivilege and SeRestorePrivilege count. No object tree and no conditions are evaluated: an ACE that needs
    one grants nothing, and denies always. Raises AccessDenied.
    """
    if desired & m.GENERIC_BITS:
        desired = m.map_generic(desired)
    wanted = desired & ~m.MAXIMUM_ALLOWED
    granted = _privileged(token, wanted, backup_intent)
    sids = token.sids
    owner = descriptor.owner
    dacl = descriptor.dacl
    if owner is not None and owner.data in sids:
        if dacl is None or not _has_owner_rights(dacl):
            granted |= _OWNER_IMPLIED
        else:
            sids = sids | {_OWNER_RIGHTS}
    if dacl is None:
        # An absent and a NULL DACL: no policy at all.
        granted |= m.FILE_ALL_ACCESS | wanted & ~m.ACCESS_SYSTEM_SECURITY
    elif desired & m.MAXIMUM_ALLOWED or wanted & ~granted:
        granted |= _evaluate(dacl, sids, granted)
    if wanted & ~granted:
        raise AccessDenied(wanted & ~granted)
    if desired & m.MAXIMUM_ALLOWED:
        if not granted:
            raise AccessDenied(m.MAXIMUM_ALLOWED)
        return granted
    return wanted


def maximal_access(descriptor: SecurityDescriptor, token: Token) -> int:
    """All rights that the descriptor grants this caller, perhaps none; privileges that must be asked for are not in."""
    try:
        return access_check(descriptor, token, m.MAXIMUM_ALLOWED)
    except AccessDenied:
        return 0


def matching_audits(descriptor: SecurityDescriptor, token: Token, mask: int, is_granted: bool) -> tuple[Ace, ...]:
    """The ACEs of the SACL that want a record of this access: ``mask`` was asked for, and granted or not."""
    if descriptor.sacl is None:
        return ()
    outcome = SUCCESSFUL_ACCESS if is_granted else FAILED_ACCESS
    mask = m.map_generic(mask)
    return tuple(
        ace
        for ace in descriptor.sacl.aces
        if ace.type in AUDIT_TYPES
        and ace.flags & outcome
        and not ace.flags & INHERIT_ONLY
        and ace.sid.data in token.sids
        and m.map_generic(ace.mask) & mask
    )


def _privileged(token: Token, wanted: int, backup_intent: bool) -> int:
    """What of ``wanted`` the privileges give, whatever the DACL says."""
    privileges = token.privileges
    if privileges & SUPERUSER:
        return m.FILE_ALL_ACCESS | wanted
    granted = 0
    if wanted & m.ACCESS_SYSTEM_SECURITY:
        # No ACE can give this right.
        if not privileges & SE_SECURITY:
            raise AccessDenied(m.ACCESS_SYSTEM_SECURITY, privilege=True)
        granted |= m.ACCESS_SYSTEM_SECURITY
    if wanted & m.WRITE_OWNER and privileges & SE_TAKE_OWNERSHIP:
        granted |= m.WRITE_OWNER
    if backup_intent:
        if privileges & SE_BACKUP:
            granted |= BACKUP_ACCESS & wanted
        if privileges & SE_RESTORE:
            granted |= RESTORE_ACCESS & wanted
    return granted


def _evaluate(dacl: Acl, sids: frozenset[bytes], granted: int) -> int:
    """Walk the DACL in its order: for each bit the first ACE that allows or denies it decides.

    This is both modes of the specification in one: with a definite request, access fails as soon as a wanted bit that
    is not yet granted is denied, and that is the case exactly if the bit is missing in the end.
    """
    allowed = granted
    denied = 0
    for ace in dacl.aces:
        if ace.sid.data not in sids or ace.flags & INHERIT_ONLY:
            continue
        mask = ace.mask
        if mask & m.GENERIC_BITS:
            mask = m.map_generic(mask)
        ace_type = ace.type
        if ace_type == ACCESS_ALLOWED:
            allowed |= mask & ~denied
        elif ace_type in DENIED_TYPES:
            denied |= mask & ~allowed
        elif _grants_without_tree(ace):
            allowed |= mask & ~denied
    return allowed & ~m.ACCESS_SYSTEM_SECURITY & ~m.MAXIMUM_ALLOWED


def _grants_without_tree(ace: Ace) -> bool:
    return ace.type == ACCESS_ALLOWED_OBJECT and not ace.object_flags & ACE_OBJECT_TYPE_PRESENT


def _has_owner_rights(dacl: Acl) -> bool:
    return any(ace.sid.data == _OWNER_RIGHTS and not ace.flags & INHERIT_ONLY for ace in dacl.aces)
