"""How an open is entered in the record of its file, beside those that are there. [MS-FSA] 2.1.5.1.2."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from gateway.nt.constants import FILE_DELETE_ON_CLOSE
from gateway.nt.status import STATUS_INVALID_PARAMETER, StatusError
from gateway.nt.upcase import upcase
from gateway.share.breaking import Admission, admit
from gateway.share.closing import close_open, set_delete_on_close
from gateway.share.intent import OpenIntent
from gateway.share.record import FileRecord, OpenEntry, add_open
from gateway.share.table import Transition
from vfs_backends.api import Caller, Handle

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["entry_of", "is_admitted", "register", "register_nowait", "unregister"]


def entry_of(intent: OpenIntent, caller: Caller | None, open_id: int, granted: int, link: Hashable = None) -> OpenEntry:
    """What the others are to know of the open."""
    return OpenEntry(
        open_id,
        intent.owner,
        granted,
        intent.share_access,
        upcase(intent.stream) if intent.stream else "",
        link,
        bool(intent.options & FILE_DELETE_ON_CLOSE),
        intent.lease_key,
        intent.parent_key,
        caller,
    )


def is_admitted(share: "Share", intent: OpenIntent, handle: Handle, entry: OpenEntry) -> bool:
    """Whether the others let the file be opened. False if they have to be waited for, `StatusError` if they do not."""
    if entry.lease_key and not share.breaks.is_key_free(entry.owner, entry.lease_key, handle.node_id):
        raise StatusError(STATUS_INVALID_PARAMETER)
    record = share.table.peek_nowait(handle.node_id)
    if record is None:
        return True
    status, conflict = admit(record, entry, overwrite=intent.overwrites)[1]
    if status:
        if share.disconnected.absent and share.disconnected.denying(entry, handle.node_id):
            # Its client is gone, and would have to give it up for this.
            return False
        raise StatusError(status)
    return not conflict.wait_for


async def register(share: "Share", intent: OpenIntent, handle: Handle, entry: OpenEntry) -> bool:
    """Enter the open in the table, if the others still let it. False if somebody has to be waited for (again)."""
    return _told(share, await share.table.transact(handle.node_id, _entering(intent, entry)))


def register_nowait(share: "Share", intent: OpenIntent, handle: Handle, entry: OpenEntry) -> bool:
    """The same in an inline pass."""
    return _told(share, share.table.transact_nowait(handle.node_id, _entering(intent, entry)))


def _entering(intent: OpenIntent, entry: OpenEntry) -> Transition[Admission]:
    overwrite = intent.overwrites

    def enter(record: FileRecord | None) -> tuple[FileRecord | None, Admission]:
        record, admission = admit(record, entry, overwrite=overwrite)
        if admission.status or admission.conflict.wait_for:
            return record, admission
        return add_open(record, entry), admission

    return enter


def _told(share: "Share", admission: Admission) -> bool:
    """Let those know whose leases break by it. False if they have to be waited for."""
    status, conflict = admission
    if status:
        raise StatusError(status)
    if conflict.breaks:
        share.breaks.tell(conflict.breaks)
    return not conflict.wait_for


async def unregister(share: "Share", handle: Handle, open_id: int) -> bool:
    """Take back an open that came to nothing: it deletes nothing on closing. Whether others have the file open."""

    def leave(record: FileRecord | None) -> tuple[FileRecord | None, bool]:
        if record is None:
            return None, False
        left, _ = close_open(set_delete_on_close(record, open_id, False), open_id)
        return left, left is not None and bool(left.opens)

    return await share.table.transact(handle.node_id, leave)
