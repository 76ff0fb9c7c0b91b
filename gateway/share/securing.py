"""Giving files their descriptors: the one that is inherited or asked for at creation, and one that is set later.

[MS-FSA] 2.1.5.1.1 (creation), 2.1.5.17 (setting); [MS-DTYP] 2.5.3.4. What a descriptor says is put into owner, mode and
ACL of the file first, as well as POSIX can say it and never wider; then it is stored, with a mark of what these were.
"""

from dataclasses import replace
from stat import S_ISGID
from typing import TYPE_CHECKING

from acl.ace import INHERIT_ONLY, Acl
from acl.descriptor import (
    DACL_SECURITY_INFORMATION,
    OWNER_SECURITY_INFORMATION,
    SE_DACL_AUTO_INHERIT_REQ,
    SE_DACL_AUTO_INHERITED,
    SE_DACL_PRESENT,
    SE_SACL_AUTO_INHERIT_REQ,
    SE_SACL_AUTO_INHERITED,
    SE_SACL_PRESENT,
    SecurityDescriptor,
)
from acl.idmap import PosixId
from acl.inherit import create_descriptor, default_dacl
from acl.mask import GENERIC_BITS, map_generic
from acl.ntacl_xattr import make_ntacl, ntacl_to_bytes
from acl.posix_acl import USER_OBJ, PosixAcl, acl_from_mode, posix_acl_to_bytes
from acl.posix_permissions import permissions_from_descriptor
from acl.sid import Sid
from acl.token import SE_RESTORE, SE_SECURITY, Token
from gateway.nt.constants import FILE_NOTIFY_CHANGE_SECURITY
from gateway.nt.status import (
    STATUS_INVALID_OWNER,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_NOT_SUPPORTED,
    STATUS_PRIVILEGE_NOT_HELD,
    StatusError,
)
from gateway.share.access import Governing
from gateway.share.intent import OpenIntent
from gateway.share.listing import entry_changed
from gateway.share.opens import Open
from gateway.share.paths import find_file
from vfs_backends.api import Capability, Handle, Stat, StatChange
from vfs_backends.inline import point_of_no_return

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["new_descriptor", "set_security", "write_descriptor"]

_TO_OWNER = {False: 0o600, True: 0o700}
_SETTABLE = 0o7777
_INHERITED = (
    (SE_DACL_AUTO_INHERITED, SE_DACL_AUTO_INHERIT_REQ),
    (SE_SACL_AUTO_INHERITED, SE_SACL_AUTO_INHERIT_REQ),
)
_LARGEST = 65536 - 256
"""Bytes: XATTR_SIZE_MAX of Linux, less what goes with the descriptor."""


def new_descriptor(share: "Share", intent: OpenIntent, token: Token, parent: Governing) -> SecurityDescriptor | None:
    """The descriptor to store with a new file; None if its mode is to govern it. Raises `StatusError`."""
    creator = intent.security
    if not share.descriptors.stores or (creator is None and not parent.is_stored):
        return None
    if creator is not None:
        if creator.owner is not None:
            _check_owner(share, token, creator.owner)
        if creator.control & SE_SACL_PRESENT and not token.has_privilege(SE_SECURITY):
            raise StatusError(STATUS_PRIVILEGE_NOT_HELD)
    above = parent.descriptor if parent.is_stored else None
    made = create_descriptor(above, creator, token, intent.wants_directory)
    if share.settings.inherit_owner and parent.descriptor.owner is not None:
        made = made.replace(owner=parent.descriptor.owner)
    if not made.has_dacl and made.owner is not None:
        # Where a descriptor governs the directory, anybody gets past it: a mode for all would let them in.
        made = made.replace(dacl=default_dacl(made.owner))
    return made


async def set_security(share: "Share", one: Open, new: SecurityDescriptor, information: int) -> None:
    """Set the parts of the descriptor that the SECURITY_INFORMATION bits name; the access was checked.

    Raises `StatusError` (NOT_SUPPORTED where descriptors cannot be stored, INVALID_OWNER), `AclError`, `VfsError`.
    """
    share.enter()
    descriptors = share.descriptors
    if not descriptors.stores:
        raise StatusError(STATUS_NOT_SUPPORTED)
    handle = one.handle if not one.stream else await find_file(share, one)
    try:
        stat = await handle.stat()
        present = (await descriptors.governing(handle, stat)).descriptor
        merged = present.merge(_as_stored(share, new, information), information)
        if information & OWNER_SECURITY_INFORMATION and merged.owner is not None and merged.owner != present.owner:
            _check_owner(share, one.token, merged.owner)
        if len(merged.to_bytes()) > _LARGEST:
            raise StatusError(STATUS_INVALID_SECURITY_DESCR)
        point_of_no_return()
        await write_descriptor(share, handle, stat, merged, one.token)
    finally:
        if handle is not one.handle:
            handle.discard()
    await entry_changed(share, one, FILE_NOTIFY_CHANGE_SECURITY)


def _as_stored(share: "Share", new: SecurityDescriptor, information: int) -> SecurityDescriptor:
    """What is asked for, with concrete rights; a DACL that is not there means that there is to be none."""
    control = new.control
    if not share.settings.canonical_inheritance:
        for inherited, requested in _INHERITED:
            control |= requested if control & inherited else 0
    if information & DACL_SECURITY_INFORMATION:
        control |= SE_DACL_PRESENT
    return replace(new, dacl=_concrete(new.dacl), sacl=_concrete(new.sacl), control=control)


def _concrete(acl: Acl | None) -> Acl | None:
    """Generic rights become those of files where they count; what is only inherited may keep them."""
    if acl is None or not any(ace.mask & GENERIC_BITS for ace in acl):
        return acl
    aces = (ace if ace.flags & INHERIT_ONLY else replace(ace, mask=map_generic(ace.mask)) for ace in acl)
    return replace(acl, aces=tuple(aces))


def _check_owner(share: "Share", token: Token, owner: Sid) -> None:
    """[MS-DTYP] 2.5.3.4.1, [MS-FSA] 2.1.5.17: oneself, or a group one is in; others take SeRestorePrivilege.

    Windows lets only some groups own. Here each may, as Samba has it: the storage sees no owner in any of them.
    """
    if owner in token or token.has_privilege(SE_RESTORE):
        return
    posix = share.descriptors.ids.lookup(owner)
    if posix is None or posix.uid is None or posix.uid != token.uid:
        raise StatusError(STATUS_INVALID_OWNER)


async def write_descriptor(
    share: "Share", handle: Handle, stat: Stat, descriptor: SecurityDescriptor, token: Token
) -> Stat:
    """Make a descriptor the one of a file: what the storage tells afterwards. Raises `VfsError`.

    If that fails half-way, the file is left with permissions that the stored descriptor does not know: then what both
    grant counts.
    """
    descriptors = share.descriptors
    if descriptors.maps:
        await _set_owner(share, handle, stat, descriptor, token)
        stat = await handle.stat()
        await _set_permissions(share, handle, stat, descriptor)
        stat = await handle.stat()
    access = default = None
    if descriptors.has_acls:
        access, default = await handle.get_posix_acls()
    state = descriptors.state(stat.mode, stat.uid, stat.gid, access, default)
    ntacl = make_ntacl(descriptor, state, descriptors.posix_descriptor(state))
    await handle.set_security(ntacl_to_bytes(ntacl))
    descriptors.forget(handle.node_id)
    return await handle.stat()


async def _set_owner(share: "Share", handle: Handle, stat: Stat, descriptor: SecurityDescriptor, token: Token) -> None:
    """Give the file to whom the descriptor names, where there is such a user and the storage can."""
    if Capability.CALLERS not in share.fs.capabilities:
        return
    owner, group = _posix_id(share, descriptor.owner).uid, _posix_id(share, descriptor.group).gid
    uid = owner if owner not in (None, stat.uid) else None
    # The group counts for locals: nobody gives a file to one that they are not in.
    may = group in (token.gid, *token.gids) or token.has_privilege(SE_RESTORE)
    gid = group if may and group not in (None, stat.gid) else None
    if uid is not None or gid is not None:
        await handle.set_stat(StatChange(uid=uid, gid=gid))


def _posix_id(share: "Share", sid: Sid | None) -> PosixId:
    return (share.descriptors.assign(sid) if sid is not None else None) or PosixId()


async def _set_permissions(share: "Share", handle: Handle, stat: Stat, descriptor: SecurityDescriptor) -> None:
    """Let mode and ACL say what the descriptor says, as far as they can without granting more."""
    descriptors, ids = share.descriptors, share.descriptors.ids
    permissions = permissions_from_descriptor(
        descriptor,
        ids.user_sid(stat.uid),
        ids.group_sid(stat.gid),
        stat.is_directory,
        ids.lookup,
        with_acl=descriptors.has_acls,
    )
    mode = permissions.mode
    if Capability.CALLERS not in share.fs.capabilities:
        # The process is the owner: it could take such rights back at any time, but not do without them.
        mode |= _TO_OWNER[stat.is_directory]
    kept = stat.mode & S_ISGID if stat.is_directory else 0
    if descriptors.has_acls:
        access = permissions.access
        if access is None or mode != permissions.mode:
            access = _with_owner(access, mode)
        default = permissions.default
        # Both at once, so that there is no moment in which they do not fit.
        await handle.set_posix_acls(
            posix_acl_to_bytes(access), posix_acl_to_bytes(default) if default is not None else None
        )
        stat = await handle.stat()
    if stat.mode & _SETTABLE != mode | kept:
        await handle.set_stat(StatChange(mode=mode | kept))


def _with_owner(access: PosixAcl | None, mode: int) -> PosixAcl:
    """The ACL, with the owner's permissions of the mode."""
    if access is None:
        return acl_from_mode(mode)
    return tuple(entry._replace(permissions=mode >> 6 & 7) if entry.tag == USER_OBJ else entry for entry in access)
