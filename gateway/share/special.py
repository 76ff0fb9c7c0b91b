"""Making what only POSIX has: symbolic links, FIFOs, sockets, devices. See symlink(2), mknod(2)."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from acl import mask
from acl.token import Token
from gateway.share.listing import By, name_added
from gateway.share.paths import open_parent
from gateway.share.preconditions import check_stays
from vfs_backends.api import Caller, Handle, Stat
from vfs_backends.inline import first_effect

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["make_node", "make_symlink"]


async def make_symlink(share: "Share", path: str, target: str, token: Token, by: By) -> Stat:
    """Create a symbolic link that leads to `target`. Raises `StatusError` and `VfsError`."""
    return await _make(
        share, path, token, by, lambda parent, name, caller: share.fs.create_symlink(parent, name, target, caller)
    )


async def make_node(share: "Share", path: str, mode: int, rdev: int, token: Token, by: By) -> Stat:
    """Create a FIFO, a socket or a device; `mode` has the type in it. Raises `StatusError` and `VfsError`."""
    return await _make(
        share, path, token, by, lambda parent, name, caller: share.fs.create_node(parent, name, mode, rdev, caller)
    )


async def _make(
    share: "Share", path: str, token: Token, by: By, make: Callable[[Handle, str, Caller | None], Awaitable[Handle]]
) -> Stat:
    share.enter()
    parent, name = await open_parent(share, path, token)
    try:
        check_stays(share.table.peek_nowait(parent.node_id))
        above = await share.descriptors.check(
            parent, await parent.stat_found(attributes=False), token, mask.FILE_ADD_FILE
        )
        handle = await first_effect(make(parent, name, share.caller(token, overrules=above.overrules)))
        try:
            await name_added(share, parent, name, by, is_directory=False)
            return await handle.stat()
        finally:
            handle.discard()
    finally:
        parent.discard()
