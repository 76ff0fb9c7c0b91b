"""What a file has of permissions beyond owner and mode: the security blob, and ACLs as of acl(5)."""

from collections.abc import Callable
from typing import Final

from vfs_backends.api import Permissions
from vfs_backends.posix.xattrs import ACCESS_ACL, DEFAULT_ACL

__all__ = ["read_acls", "read_permissions"]

_NOTHING: Final = Permissions(None, None, None)

Read = Callable[[bytes], bytes | None]
"""The value of an extended attribute; None if there is none. Raises OSError."""


def read_acls(read: Read, *, is_directory: bool) -> tuple[bytes | None, bytes | None]:
    """The access ACL and, of a directory, the default ACL. Raises OSError."""
    return read(ACCESS_ACL), read(DEFAULT_ACL) if is_directory else None


def read_permissions(
    read: Read, listed: bytes | int, attribute: bytes | None, *, acls: bool, is_directory: bool
) -> Permissions:
    """The value of `attribute` and, with `acls`, those. Most files have nothing of the kind, and nothing is read then.

    `listed`: the names of all attributes there are, each with a zero byte after it; a number if they could not be
    listed. Raises OSError.
    """
    if not listed:
        return _NOTHING
    if isinstance(listed, int):
        blob = read(attribute) if attribute is not None else None
        access, default = read_acls(read, is_directory=is_directory) if acls else (None, None)
        return Permissions(blob, access, default)
    names = listed.split(b"\0")
    blob = read(attribute) if attribute is not None and attribute in names else None
    if not acls or (ACCESS_ACL not in names and DEFAULT_ACL not in names):
        return _NOTHING if blob is None else Permissions(blob, None, None)
    access, default = read_acls(lambda name: read(name) if name in names else None, is_directory=is_directory)
    return Permissions(blob, access, default)
