"""What a file begins with when it is created or overwritten. [MS-FSA] 2.1.5.1.1, 2.1.5.1.2."""

from typing import TYPE_CHECKING

from gateway.nt import constants as nt
from gateway.share.extended import replace_attributes
from gateway.share.intent import OpenIntent
from gateway.share.streams import remove_streams
from vfs_backends.api import Capability, Handle, Stat, StatChange

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["initialise", "overwrite"]


async def initialise(share: "Share", intent: OpenIntent, handle: Handle) -> None:
    """Give a new file its first attributes, extended attributes and allocation.

    Raises `StatusError` and `VfsError`; then it has some of them.
    """
    await _begin(share, intent, handle)
    if intent.extended_attributes:
        await replace_attributes(share, handle, intent.extended_attributes)


async def _begin(share: "Share", intent: OpenIntent, handle: Handle) -> None:
    """What a new file and one that is overwritten have in common."""
    capabilities, is_directory = share.fs.capabilities, handle.is_directory
    if share.settings.store_dos_attributes and Capability.DOS_ATTRIBUTES in capabilities and not intent.posix:
        attributes = intent.file_attributes & nt.SETTABLE_ATTRIBUTES
        if not is_directory:
            attributes |= nt.FILE_ATTRIBUTE_ARCHIVE
        if attributes or not is_directory:
            await handle.set_stat(StatChange(dos_attributes=attributes))
    allocates = intent.allocation_size and not is_directory and not intent.stream
    if allocates and Capability.ALLOCATE in capabilities:
        await handle.allocate(intent.allocation_size)


async def overwrite(share: "Share", intent: OpenIntent, handle: Handle) -> Stat:
    """Empty the file, which takes its streams and attributes away, and begin anew; of a stream only its contents go."""
    if not intent.stream:
        # First, since it may fail: there may be no room for them.
        await replace_attributes(share, handle, intent.extended_attributes)
    await handle.set_size(0)
    if not intent.stream:
        await remove_streams(share, handle)
        await _begin(share, intent, handle)
    return await handle.stat()
