"""Carrying out a deletion that was decided earlier. [MS-FSA] 2.1.5.5."""

import logging
from typing import TYPE_CHECKING

from gateway.nt.constants import FILE_ACTION_REMOVED_STREAM, FILE_NOTIFY_CHANGE_STREAM_NAME
from gateway.share.listing import entry_changed, name_removed
from gateway.share.opens import Open
from gateway.share.parents import take_parent
from gateway.share.paths import open_parent, split
from gateway.share.record import DeletePending
from vfs_backends.api import Caller
from vfs_backends.errors import Kind, VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["delete_name"]

log = logging.getLogger("gateway.vfs")

_NOT_THERE = (Kind.NOT_FOUND, Kind.PATH_NOT_FOUND, Kind.STALE)


async def delete_name(share: "Share", one: Open, pending: DeletePending) -> None:
    """Remove the name or stream that is to go, now that `one` is closed. Somebody may have been faster: as good."""
    try:
        if pending.stream:
            await one.handle.remove_stream(pending.stream)
            told = f"{one.path}:{one.handle.stream}"
            share.watches.tell(told, FILE_ACTION_REMOVED_STREAM, FILE_NOTIFY_CHANGE_STREAM_NAME)
            await entry_changed(share, one, 0, pending.by)
            return
        # The open that ends last may have come by another name of the file.
        path = share.path_at(pending.place) or one.path
        directory, name = split(path)
        parent = take_parent(one.handle, directory) or (await open_parent(share, path))[0]
        try:
            caller = pending.token if isinstance(pending.token, Caller) else None
            await share.fs.remove(parent, name, one.handle, caller)
            await name_removed(share, parent, name, pending.by, is_directory=one.is_directory)
        finally:
            parent.discard()
    except VfsError as error:
        if error.kind not in _NOT_THERE:
            log.warning("%s: cannot delete %r: %s", share.name, one.path, error)
