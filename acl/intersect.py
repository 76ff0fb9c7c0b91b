"""A descriptor that grants nothing which not both of two descriptors grant."""

from dataclasses import replace

from acl import mask as m
from acl.ace import (
    ACCESS_ALLOWED,
    CONTAINER_INHERIT,
    DENIED_TYPES,
    INHERIT_ONLY,
    INHERITANCE_FLAGS,
    OBJECT_INHERIT,
    Ace,
    Acl,
    allow,
)
from acl.descriptor import SecurityDescriptor
from acl.sid import EVERYONE, Sid

_INHERITABLE = OBJECT_INHERIT | CONTAINER_INHERIT


def intersect(stored: SecurityDescriptor, limit: SecurityDescriptor) -> SecurityDescriptor:
    """The rights of ``stored`` as far as ``limit`` grants them too; owner and group are those of ``limit``.

    That two SIDs are held at once cannot be said in an ACE, unless one is Everyone: such rights are left out, so the
    result may grant less than both do, but never more. All denials come first. What ``stored`` passes on to new
    objects stays, as do its SACL and control.
    """
    if stored.dacl is None or limit.dacl is None:
        dacl = limit.dacl if stored.dacl is None else stored.dacl
        return SecurityDescriptor(limit.owner, limit.group, dacl, stored.sacl, stored.control)
    denials = [_here(ace) for acl in (stored.dacl, limit.dacl) for ace in acl if _denies(ace)]
    granted: dict[Sid, int] = {}
    for ace in stored.dacl:
        for other in limit.dacl:
            if _allows(ace) and _allows(other) and (sid := _both(ace.sid, other.sid)) is not None:
                granted[sid] = granted.get(sid, 0) | m.map_generic(ace.mask) & m.map_generic(other.mask)
    allowed = [allow(sid, mask) for sid, mask in granted.items() if mask]
    passed_on = [replace(ace, flags=ace.flags | INHERIT_ONLY) for ace in stored.dacl if ace.flags & _INHERITABLE]
    acl = Acl.of(*denials, *allowed, *passed_on)
    return SecurityDescriptor(limit.owner, limit.group, acl, stored.sacl, stored.control)


def _denies(ace: Ace) -> bool:
    return ace.type in DENIED_TYPES and not ace.flags & INHERIT_ONLY


def _allows(ace: Ace) -> bool:
    # Of the allowing types, the others depend on what is not evaluated; leaving them out only narrows.
    return ace.type == ACCESS_ALLOWED and not ace.flags & INHERIT_ONLY


def _here(ace: Ace) -> Ace:
    return replace(ace, flags=ace.flags & ~INHERITANCE_FLAGS)


def _both(one: Sid, other: Sid) -> Sid | None:
    """The SID whose holders hold both."""
    if other in (one, EVERYONE):
        return one
    return other if one == EVERYONE else None
