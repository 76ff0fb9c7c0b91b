"""The descriptor of a new object: [MS-DTYP] 2.5.3.4.

The result is what Windows makes, which says the same as the specification's in fewer entries: an inherited ACE of a
directory stays one entry, unless its effective and its inheritable half differ (a creator SID, generic rights).
"""

from dataclasses import replace
from typing import Final

from acl import ace as a
from acl import mask as m
from acl.ace import Ace, Acl
from acl.descriptor import (
    SE_DACL_AUTO_INHERITED,
    SE_DACL_PRESENT,
    SE_DACL_PROTECTED,
    SE_SACL_AUTO_INHERITED,
    SE_SACL_PRESENT,
    SE_SACL_PROTECTED,
    SecurityDescriptor,
)
from acl.sid import CREATOR_GROUP, CREATOR_OWNER, SYSTEM, Sid
from acl.token import Token

_INHERITABLE: Final = a.OBJECT_INHERIT | a.CONTAINER_INHERIT


def default_dacl(owner: Sid) -> Acl:
    """What an object gets of which nobody says anything: full control for its owner and the system."""
    return Acl.of(a.allow(owner, m.FILE_ALL_ACCESS), a.allow(SYSTEM, m.FILE_ALL_ACCESS))


def create_descriptor(
    parent: SecurityDescriptor | None,
    creator: SecurityDescriptor | None,
    token: Token,
    is_container: bool,
    default: Acl | None = None,
    *,
    auto_inherit: bool | None = None,
) -> SecurityDescriptor:
    """CreateSecurityDescriptor, [MS-DTYP] 2.5.3.4.1.

    ``creator`` is what the caller asked for (the SecD create context), ``default`` the DACL where neither it nor the
    parent has one to give; without it such an object has no DACL, and the result's ``has_dacl`` says so.
    ``auto_inherit`` is DACL_AUTO_INHERIT and SACL_AUTO_INHERIT: whether a DACL that is given is joined by what is
    inherited, and inherited ACEs are marked; None does what Windows' file systems do, and asks the parent's control.
    """
    owner = creator.owner if creator is not None and creator.owner is not None else token.user
    group = creator.group if creator is not None and creator.group is not None else token.group
    place = _Place(owner, group, is_container)
    parent_control = parent.control if parent is not None else 0
    creator_control = creator.control if creator is not None else 0

    is_marking = bool(parent_control & SE_DACL_AUTO_INHERITED) if auto_inherit is None else auto_inherit
    inherited = place.inherited(parent.dacl if parent is not None else None, is_marking)
    if creator is not None and creator_control & SE_DACL_PRESENT:
        is_protected = bool(creator_control & SE_DACL_PROTECTED)
        dacl, is_joined = place.joined(creator.dacl, inherited, is_protected, is_marking)
        control = SE_DACL_PRESENT | creator_control & SE_DACL_PROTECTED
    else:
        dacl, is_joined, control = (Acl.of(*inherited), True, 0) if inherited else (default, False, 0)
    if is_joined and is_marking:
        control |= SE_DACL_AUTO_INHERITED

    is_marking = bool(parent_control & SE_SACL_AUTO_INHERITED) if auto_inherit is None else auto_inherit
    inherited = place.inherited(parent.sacl if parent is not None else None, is_marking)
    if creator is not None and creator_control & SE_SACL_PRESENT:
        is_protected = bool(creator_control & SE_SACL_PROTECTED)
        sacl, is_joined = place.joined(creator.sacl, inherited, is_protected, is_marking)
        control |= SE_SACL_PRESENT | creator_control & SE_SACL_PROTECTED
    else:
        sacl, is_joined = (Acl.of(*inherited), True) if inherited else (None, False)
    if is_joined and is_marking:
        control |= SE_SACL_AUTO_INHERITED
    return SecurityDescriptor(owner, group, dacl, sacl, control)


def _passes_on(ace: Ace, is_container: bool) -> bool:
    if not is_container:
        return bool(ace.flags & a.OBJECT_INHERIT) and _applies_to_files(ace)
    if ace.flags & a.CONTAINER_INHERIT and _applies_to_files(ace):
        return True
    return bool(ace.flags & _INHERITABLE) and not ace.flags & a.NO_PROPAGATE_INHERIT


def _applies_to_files(ace: Ace) -> bool:
    # An inherited object type names a class of the directory service, and files are of none.
    return not ace.object_flags & a.ACE_INHERITED_OBJECT_TYPE_PRESENT


class _Place:
    """The new object: whose it is and what it is."""

    def __init__(self, owner: Sid, group: Sid, is_container: bool) -> None:
        self._creators = {CREATOR_OWNER: owner, CREATOR_GROUP: group}
        self._is_container = is_container

    def inherited(self, acl: Acl | None, is_marking: bool) -> list[Ace]:
        """The ACEs from the parent's list, in its order: ComputeInheritedACLfromParent, [MS-DTYP] 2.5.3.4.4."""
        mark = a.INHERITED if is_marking else 0
        aces = []
        for ace in acl or ():
            if _passes_on(ace, self._is_container):
                aces += self._inherit(ace, ace.flags & ~a.INHERITANCE_FLAGS & ~a.INHERITED | mark)
        return aces

    def _inherit(self, ace: Ace, flags: int) -> list[Ace]:
        if not self._is_container:
            return [self._effective(ace, flags)]
        is_effective = bool(ace.flags & a.CONTAINER_INHERIT) and _applies_to_files(ace)
        if ace.flags & a.NO_PROPAGATE_INHERIT:
            return [self._effective(ace, flags)]
        passing = flags | ace.flags & _INHERITABLE
        if not is_effective:
            return [replace(ace, flags=passing | a.INHERIT_ONLY)]
        return self._split(ace, flags, passing)

    def _split(self, ace: Ace, flags: int, passing: int) -> list[Ace]:
        """One ACE for the object and what is below it, or two where they are not the same."""
        effective = self._effective(ace, flags)
        if effective.sid == ace.sid and effective.mask == ace.mask:
            return [replace(ace, flags=passing)]
        return [effective, replace(ace, flags=passing | a.INHERIT_ONLY)]

    def _effective(self, ace: Ace, flags: int) -> Ace:
        """PostProcessACL, [MS-DTYP] 2.5.3.4.7: creators and generic rights become concrete."""
        if ace.is_opaque:
            return replace(ace, flags=flags)
        return replace(ace, flags=flags, sid=self._creators.get(ace.sid, ace.sid), mask=m.map_generic(ace.mask))

    def joined(
        self, acl: Acl | None, inherited: list[Ace], is_protected: bool, is_joining: bool
    ) -> tuple[Acl | None, bool]:
        """The list that was asked for, behind it what is inherited; and whether that part was allowed to join."""
        is_joined = is_joining and not is_protected
        if acl is None:
            return None, False
        aces = []
        for ace in acl:
            # [MS-DTYP] 2.5.3.4.6: what the creator calls inherited, the parent has to give. A protected list is whole
            # as it is, and leaving ACEs out of it might drop a denial.
            if not ace.flags & a.INHERITED:
                aces += self._explicit(ace)
            elif is_protected:
                aces += self._explicit(replace(ace, flags=ace.flags & ~a.INHERITED))
        return Acl.of(*aces, *(inherited if is_joined else ())), is_joined

    def _explicit(self, ace: Ace) -> list[Ace]:
        if ace.flags & a.INHERIT_ONLY:
            return [ace]
        kept = ace.flags & ~a.INHERITANCE_FLAGS
        if not self._is_container or not ace.flags & _INHERITABLE:
            return [self._effective(ace, ace.flags)]
        effective = self._effective(ace, kept)
        if effective.sid == ace.sid and effective.mask == ace.mask:
            return [ace]
        return [effective, replace(ace, flags=ace.flags | a.INHERIT_ONLY)]
