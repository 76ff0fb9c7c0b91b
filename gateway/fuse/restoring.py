"""Inodes that an NFS client still has a handle of, and the kernel has forgotten."""

import errno

import pyfuse3

from gateway.fuse.core import Core, join
from gateway.fuse.exports import Mounted
from gateway.fuse.inodes import Inode
from vfs_backends.api import Capability
from vfs_backends.errors import VfsError

__all__ = ["restored"]


async def restored(core: Core, number: int) -> Inode:
    """What an NFS client means, whom the kernel has forgotten. Raises ESTALE."""
    inode = core.inodes.get(number)
    if inode is not None:
        return inode
    origin = core.inodes.origin(number)
    if origin is None or Capability.BY_ID not in origin[0].share.fs.capabilities:
        raise pyfuse3.FUSEError(errno.ESTALE)
    mounted, inode_number = origin
    try:
        handle = await mounted.share.fs.open_by_id(inode_number)
    except VfsError as error:
        raise pyfuse3.FUSEError(errno.ESTALE) from error
    path, node_id = handle.path, handle.node_id
    handle.discard()
    return await _walked(core, mounted, path) if path else core.inodes.enter(mounted, node_id)


async def _walked(core: Core, mounted: Mounted, path: str) -> Inode:
    """The inode at the end of a path, with those on the way to it."""
    share = mounted.share
    inode = core.inodes.enter(mounted, share.root.node_id)
    reached = ""
    for name in path.split("/") if path else ():
        reached = join(reached, name)
        handle = await share.fs.lookup(share.root, reached, case_sensitive=True)
        inode = core.inodes.enter_child(inode, name, handle.node_id)
        handle.discard()
    return inode
