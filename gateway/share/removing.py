"""Taking a name away at once, as unlink(2) and rmdir(2) do; what is open stays usable without it.

[MS-FSA] 2.1.5.15.3 with FILE_DISPOSITION_POSIX_SEMANTICS, but told as an error if it cannot be done.
"""

from typing import TYPE_CHECKING

from gateway.nt.constants import FILE_ATTRIBUTE_READONLY
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_CANNOT_DELETE, STATUS_DELETE_PENDING, StatusError
from gateway.share.closing import is_delete_pending
from gateway.share.listing import name_removed
from gateway.share.opens import Open
from gateway.share.paths import open_parent, split
from vfs_backends.api import Handle
from vfs_backends.inline import first_effect

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["remove_name"]


async def remove_name(share: "Share", one: Open, known: Handle | None = None) -> None:
    """Remove the name that `one` was opened by. DELETE access was checked. Raises `StatusError` and `VfsError`.

    `known`: the directory, if it is at hand, and nobody has waited for anything since `one` was opened.
    """
    share.enter()
    if not one.path:
        raise StatusError(STATUS_ACCESS_DENIED)
    await share.breaks.before_name_change(one.node_id, one.open_id)
    if is_delete_pending(share.record(one), one.open_id):
        raise StatusError(STATUS_DELETE_PENDING)
    stat = one.created_stat if known is not None else await one.handle.stat()
    if (stat.dos_attributes or 0) & FILE_ATTRIBUTE_READONLY:
        raise StatusError(STATUS_CANNOT_DELETE)
    if known is not None:
        parent, name = known, split(one.path)[1]
    else:
        parent, name = await open_parent(share, one.path)
    try:
        await first_effect(share.fs.remove(parent, name, one.handle, one.caller))
        await name_removed(share, parent, name, (one.owner, one.parent_key), is_directory=one.is_directory)
    finally:
        if parent is not known:
            parent.discard()
