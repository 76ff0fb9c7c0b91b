"""Extended attributes: those that users see, and the one that holds the security blob.

Users' attributes live in the `user.` namespace of xattr(7), as Samba keeps them. Functions here take a descriptor
that is open for I/O, or a path of /proc that stands for one that is not. They raise OSError or VfsError.
"""

import errno
import functools
import os
from collections.abc import Sequence
from typing import Final

from vfs_backends.api import Fold
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.names import name_from_bytes, text_to_bytes

__all__ = [
    "ABSENT",
    "ACCESS_ACL",
    "DEFAULT_ACL",
    "NEEDED",
    "get_user",
    "has_user",
    "list_user",
    "needed_names",
    "remove_user",
    "set_acls",
    "set_needed",
    "set_security",
    "set_user",
]

Target = int | bytes

ACCESS_ACL: Final = b"system.posix_acl_access"
DEFAULT_ACL: Final = b"system.posix_acl_default"

NEEDED: Final = b"user.smbgate.needed"
"""Names of users' attributes, each ended by a zero byte: Samba's form of an attribute has no room for flags."""

ABSENT: Final = frozenset({errno.ENODATA, errno.EOPNOTSUPP, errno.EPERM})
"""Error numbers of there being no such attribute: symbolic links and special files have no user attributes."""

_PREFIX: Final = "user."
_USER: Final = _PREFIX.encode()
_MAX_NAME: Final = 255

_HIDDEN: Final = frozenset({
    "dosattrib", "doseas", "ntacl", "samba_pai", "samba_streams", "smbreparse",
})  # fmt: skip
"""What Samba, KSMBD and we ourselves keep there; in lower case."""
_HIDDEN_PREFIXES: Final = ("dosstream.", "dosstreamext.", "org.netatalk.", "smbgate.")


def _is_hidden(name: str) -> bool:
    lower = name.lower()
    return lower in _HIDDEN or lower.startswith(_HIDDEN_PREFIXES)


def _key(name: str) -> bytes:
    if not name or "\0" in name:
        raise VfsError(Kind.NAME_INVALID, repr(name))
    return text_to_bytes(_PREFIX + name)


def list_user(target: Target) -> list[str]:
    """The names of the users' attributes, without the namespace."""
    names = []
    for listed in os.listxattr(target):
        if listed.startswith(_PREFIX):
            name = name_from_bytes(os.fsencode(listed))[len(_PREFIX) :]
            if not _is_hidden(name):
                names.append(name)
    return names


@functools.lru_cache(256)
def has_user(listed: bytes) -> bool:
    """Whether any of the names that listxattr(2) gave is one of the users' attributes."""
    return any(
        not _is_hidden(name.removeprefix(_USER).decode("ascii", "replace"))
        for name in listed.split(b"\0")
        if name.startswith(_USER)
    )


def _stored_name(target: Target, name: str, fold: Fold) -> str | None:
    """How a name is spelled in the file; NTFS compares such names without regard to case."""
    names = list_user(target)
    if name in names:
        return name
    wanted = fold(name)
    return min((stored for stored in names if fold(stored) == wanted), default=None)


def get_user(target: Target, name: str, fold: Fold) -> bytes:
    key = _key(name)
    if _is_hidden(name):
        raise VfsError(Kind.NO_ATTRIBUTE, name)
    try:
        return os.getxattr(target, key)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
    stored = _stored_name(target, name, fold)
    if stored is None:
        raise VfsError(Kind.NO_ATTRIBUTE, name)
    return os.getxattr(target, _key(stored))


def set_user(target: Target, name: str, value: bytes, fold: Fold) -> None:
    key = _key(name)
    if _is_hidden(name):
        raise VfsError(Kind.ACCESS_DENIED, f"{name} is reserved")
    if len(key) > _MAX_NAME:
        raise VfsError(Kind.NAME_TOO_LONG, name)
    stored = _stored_name(target, name, fold)
    _store(target, key if stored is None else _key(stored), value)


def _store(target: Target, key: bytes, value: bytes) -> None:
    try:
        os.setxattr(target, key, value)
    except OSError as error:
        # What keeps attributes in the inode or in one block says ENOSPC when that is full, the disk being so or not.
        if error.errno == errno.ENOSPC and os.statvfs(target).f_bavail:
            raise VfsError(Kind.TOO_LARGE, name_from_bytes(key)) from error
        raise


def remove_user(target: Target, name: str, fold: Fold) -> None:
    _key(name)
    stored = None if _is_hidden(name) else _stored_name(target, name, fold)
    if stored is None:
        raise VfsError(Kind.NO_ATTRIBUTE, name)
    os.removexattr(target, _key(stored))


def needed_names(stored: bytes) -> list[str]:
    """The names in a value of `NEEDED`."""
    return [name_from_bytes(name) for name in stored.split(b"\0") if name]


def set_needed(target: Target, names: Sequence[str]) -> None:
    if names:
        _store(target, NEEDED, b"".join([text_to_bytes(name) + b"\0" for name in names]))
    else:
        set_security(target, NEEDED, None)


def set_acls(target: Target, access: bytes | None, default: bytes | None, is_directory: bool) -> None:
    set_security(target, ACCESS_ACL, access)
    if is_directory:
        set_security(target, DEFAULT_ACL, default)


def set_security(target: Target, key: bytes, blob: bytes | None) -> None:
    if blob is not None:
        os.setxattr(target, key, blob)
        return
    try:
        os.removexattr(target, key)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
