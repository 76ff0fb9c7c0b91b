"""When what a directory lists of a file has changed: who caches the listing must know. [MS-SMB2] 3.3.4.7."""

from typing import TYPE_CHECKING

from gateway.share.opens import Open
from gateway.share.paths import open_parent
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["entry_changed"]


async def entry_changed(share: "Share", one: Open) -> None:
    """By this open, size, times or attributes of its file have changed. Free while no directory is cached."""
    if not share.breaks.watches_directories or not one.path:
        return
    try:
        parent, _ = await open_parent(share, one.path)
    except VfsError:
        # It has gone meanwhile, and so has what anybody could cache of it.
        return
    try:
        await share.breaks.directory_changed(parent.node_id, (one.owner, one.parent_key))
    finally:
        await parent.aclose()
