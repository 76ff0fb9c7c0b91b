"""Which entries of a directory a caller may know of, where a share hides those that they may not read."""

from typing import TYPE_CHECKING

from acl.mask import FILE_READ_ATTRIBUTES, FILE_READ_DATA, FILE_READ_EA, READ_CONTROL
from acl.token import Token
from vfs_backends.api import DirectoryEntry, Handle
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["readable"]

_NEEDED = FILE_READ_DATA | FILE_READ_EA | FILE_READ_ATTRIBUTES | READ_CONTROL
"""What it takes to be seen, as Samba has it with `hide unreadable`."""


async def readable(
    share: "Share", directory: Handle, entries: list[DirectoryEntry], token: Token
) -> list[DirectoryEntry]:
    """The entries that the caller may read. What cannot be looked at is left out."""
    return [entry for entry in entries if await _is_readable(share, directory, entry.name, token)]


async def _is_readable(share: "Share", directory: Handle, name: str, token: Token) -> bool:
    try:
        handle = await share.fs.lookup(directory, name, case_sensitive=True)
        try:
            governing = await share.descriptors.governing(handle, await handle.stat_found(attributes=False))
        finally:
            handle.discard()
    except VfsError:
        return False
    return not _NEEDED & ~governing.maximal_access(token)
