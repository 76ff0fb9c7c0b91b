"""Whom the descriptors in a tree name, and nobody here is: before and after a tree comes from another server."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from acl.descriptor import SecurityDescriptor
from acl.errors import AclError
from acl.idmap import IdMap
from acl.ntacl_xattr import parse_ntacl
from acl.sid import Sid
from gateway.server.idmap import is_account

__all__ = ["Survey", "survey"]

_ATTRIBUTES: Final = ("security.NTACL", "user.NTACL")


@dataclass(slots=True)
class Places:
    """In how many files something was found, and in which one first."""

    first: Path
    count: int = 0


@dataclass(slots=True)
class Survey:
    """What was found. `unknown`: by SID, where it stands."""

    descriptors: int = 0
    unknown: dict[Sid, Places] = field(default_factory=dict)
    unreadable: list[str] = field(default_factory=list)
    """One sentence for each file whose descriptor cannot be read."""


def survey(ids: IdMap, top: Path) -> Survey:
    """Look at all descriptors stored in and below `top`; symbolic links are not followed."""
    found = Survey()
    for path in _tree(top, found):
        descriptor = _stored(path, found)
        if descriptor is None:
            continue
        found.descriptors += 1
        for sid in _named(descriptor):
            if is_account(sid) and ids.lookup(sid) is None and sid not in ids.foreign:
                found.unknown.setdefault(sid, Places(path)).count += 1
    return found


def _tree(top: Path, found: Survey) -> Iterator[Path]:
    yield top
    for parent, directories, files in os.walk(top, onerror=lambda error: found.unreadable.append(str(error))):
        for name in (*directories, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                yield path


def _stored(path: Path, found: Survey) -> SecurityDescriptor | None:
    for name in _ATTRIBUTES:
        try:
            data = os.getxattr(path, name, follow_symlinks=False)
        except OSError:  # it has none, or the file system has no such attributes
            continue
        try:
            return parse_ntacl(data).descriptor
        except AclError as error:
            found.unreadable.append(f"{path}: {error}")
    return None


def _named(descriptor: SecurityDescriptor) -> set[Sid]:
    entries = (*(descriptor.dacl or ()), *(descriptor.sacl or ()))
    return {sid for sid in (descriptor.owner, descriptor.group, *(ace.sid for ace in entries)) if sid is not None}
