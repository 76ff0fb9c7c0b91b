"""What access an open of an existing file gets. [MS-FSA] 2.1.5.1.2.1."""

from typing import TYPE_CHECKING

from acl import mask
from acl.token import Token
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.share.intent import OpenIntent
from gateway.share.paths import open_parent
from vfs_backends.api import Handle, Stat

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["grant_existing", "maximal_access"]


async def grant_existing(share: "Share", intent: OpenIntent, token: Token, handle: Handle, stat: Stat) -> int:
    """The access mask that is granted. Raises `StatusError(ACCESS_DENIED)` if it is not all that was asked for."""
    wanted = intent.access
    if intent.overwrites or intent.adds_stream:
        # Emptying a file, or adding to it, is writing to it, also for whoever did not ask to write.
        wanted |= mask.FILE_WRITE_DATA
    maximum = wanted & mask.MAXIMUM_ALLOWED
    explicit = wanted & ~mask.MAXIMUM_ALLOWED
    if explicit & ~intent.access_limit:
        raise StatusError(STATUS_ACCESS_DENIED)
    missing = explicit & ~share.descriptors.maximal(stat, token)
    if missing or maximum:
        missing &= ~await _through_parent(share, token, handle)
        if missing:
            # For the one bit that is a privilege, this tells the right status.
            share.descriptors.check(stat, token, missing)
    granted = intent.access & ~mask.MAXIMUM_ALLOWED
    if maximum:
        granted |= await maximal_access(share, token, handle, stat) & intent.access_limit
        if not granted:
            raise StatusError(STATUS_ACCESS_DENIED)
    return granted


async def maximal_access(share: "Share", token: Token, handle: Handle, stat: Stat) -> int:
    """All that a caller may do with a file, whatever the share allows."""
    return share.descriptors.maximal(stat, token) | await _through_parent(share, token, handle)


async def _through_parent(share: "Share", token: Token, handle: Handle) -> int:
    """What the directory grants on what is in it: deletion, and the attributes it lists anyway."""
    if not handle.path:
        return 0
    parent, _ = await open_parent(share, handle.path)
    try:
        access = share.descriptors.maximal(await parent.stat(), token)
    finally:
        await parent.aclose()
    granted = mask.DELETE if access & mask.FILE_DELETE_CHILD else 0
    return granted | (mask.FILE_READ_ATTRIBUTES if access & mask.FILE_LIST_DIRECTORY else 0)
