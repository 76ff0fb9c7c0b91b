"""The way to a file: who may not search a directory does not get past it, unless a descriptor governs it.

[MS-FSA] 2.1.5.1: everybody holds SeChangeNotifyPrivilege, so descriptors do not bar the way. POSIX permissions do, and
nobody must get further through a share than by a local path.
"""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from acl import mask
from acl.token import Token
from vfs_backends.api import Caller, Handle, IoAccess
from vfs_backends.errors import Kind, VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["find", "find_from", "reach", "reach_by_id"]


async def reach(share: "Share", path: str, token: Token | None, *, case_sensitive: bool = False) -> Handle:
    """A path handle on what `path` leads to for the caller. Raises `VfsError`, as `FileSystem.lookup` does."""
    handle = await find(share, path, token, case_sensitive=case_sensitive)
    if handle is None:
        raise VfsError(Kind.NOT_FOUND, path)
    return handle


def find(
    share: "Share",
    path: str,
    token: Token | None,
    *,
    case_sensitive: bool = False,
    opening: IoAccess | None = None,
) -> Coroutine[Any, Any, Handle | None]:
    """The same, but None if nothing has the last name. `opening`: for what they will have it opened, if known."""
    caller = None if token is None else share.caller(token)
    if token is None or caller is None:
        return share.fs.find(share.root, path, case_sensitive=case_sensitive)
    return _find_as(share, path, token, caller, case_sensitive=case_sensitive, opening=opening)


async def _find_as(
    share: "Share", path: str, token: Token, caller: Caller, *, case_sensitive: bool, opening: IoAccess | None
) -> Handle | None:
    try:
        return await share.fs.find(share.root, path, case_sensitive=case_sensitive, caller=caller, opening=opening)
    except VfsError as error:
        if error.kind is not Kind.ACCESS_DENIED:
            raise
    return await _find_in_steps(share, path, token, case_sensitive=case_sensitive)


async def find_from(
    share: "Share", directory: Handle, name: str, token: Token, *, case_sensitive: bool = False
) -> Handle | None:
    """What has a name in a directory that the caller has got to; None if nothing has. Raises `VfsError`."""
    caller = share.caller(token)
    try:
        return await share.fs.find(directory, name, case_sensitive=case_sensitive, caller=caller)
    except VfsError as error:
        if error.kind is not Kind.ACCESS_DENIED or caller is None:
            raise
    await _check_way(share, directory, token)
    return await share.fs.find(directory, name, case_sensitive=case_sensitive)


async def _find_in_steps(share: "Share", path: str, token: Token, *, case_sensitive: bool) -> Handle | None:
    *directories, last = path.split("/")
    here = await share.fs.lookup(share.root, "")
    try:
        for name in directories:
            await _check_way(share, here, token)
            below = await share.fs.lookup(here, name, case_sensitive=case_sensitive)
            here.discard()
            here = below
        await _check_way(share, here, token)
        return await share.fs.find(here, last, case_sensitive=case_sensitive)
    finally:
        here.discard()


async def _check_way(share: "Share", directory: Handle, token: Token) -> None:
    governing = await share.descriptors.governing(directory, await directory.stat_found(attributes=False))
    if not governing.overrules and not governing.maximal_access(token) & mask.FILE_TRAVERSE:
        raise VfsError(Kind.ACCESS_DENIED, directory.path)


async def reach_by_id(share: "Share", inode: int, token: Token) -> Handle:
    """A path handle on the file of this number, if there is a way to it for the caller. Raises `VfsError`."""
    found = await share.fs.open_by_id(inode)
    if not found.path or share.caller(token) is None:
        return found
    try:
        handle = await reach(share, found.path, token, case_sensitive=True)
    finally:
        found.discard()
    if handle.node_id != found.node_id:
        handle.discard()
        raise VfsError(Kind.NOT_FOUND, f"inode {inode}")
    return handle
