"""Changes of an open file other than of its contents: size, attributes, and whether it goes. [MS-FSA] 2.1.5.15."""

from dataclasses import replace
from typing import TYPE_CHECKING

from gateway.nt.constants import (
    FILE_ATTRIBUTE_READONLY,
    FILE_NOTIFY_CHANGE_ATTRIBUTES,
    FILE_NOTIFY_CHANGE_CREATION,
    FILE_NOTIFY_CHANGE_LAST_ACCESS,
    FILE_NOTIFY_CHANGE_LAST_WRITE,
    FILE_NOTIFY_CHANGE_SECURITY,
    FILE_NOTIFY_CHANGE_SIZE,
)
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_CANNOT_DELETE, STATUS_DIRECTORY_NOT_EMPTY, StatusError
from gateway.share.archiving import archive
from gateway.share.closing import clear_delete_pending, set_delete_on_close, set_delete_pending
from gateway.share.listing import directory_doomed, entry_changed
from gateway.share.opens import Open
from gateway.share.record import FileRecord
from gateway.share.times import KEEP_CHANGE_TIME, kept_times, settle_write_time
from vfs_backends.api import Handle, IoAccess, Stat, StatChange
from vfs_backends.inline import first_effect, may_suspend, point_of_no_return

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["is_empty", "set_allocation", "set_delete", "set_size", "set_stat"]


async def set_size(share: "Share", one: Open, size: int) -> None:
    """Truncate or extend, to `size` bytes. The access was checked. Raises `VfsError`. [MS-FSA] 2.1.5.15.4."""
    share.enter()
    await share.breaks.before_change(one)
    kept = await kept_times(one)
    await first_effect(one.handle.set_size(size))
    await archive(one)
    if kept is not None:
        await one.handle.set_stat(kept)
    await settle_write_time(one)
    await entry_changed(share, one, FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE)


async def set_allocation(share: "Share", one: Open, size: int) -> None:
    """Reserve space for `size` bytes, more than there are. The access was checked. [MS-FSA] 2.1.5.15.1.

    Raises `VfsError`.
    """
    share.enter()
    await share.breaks.before_change(one)
    await first_effect(one.handle.allocate(size))
    await archive(one)
    await entry_changed(share, one, FILE_NOTIFY_CHANGE_SIZE)


async def set_stat(share: "Share", one: Open, change: StatChange) -> None:
    """Change times or attributes. The access was checked. Raises `VfsError`. [MS-FSA] 2.1.5.15.2."""
    share.enter()
    if one.kept_times & KEEP_CHANGE_TIME and change.ctime_ns is None:
        kept = await kept_times(one)
        change = change if kept is None else replace(change, ctime_ns=kept.ctime_ns)
    await settle_write_time(one)
    await first_effect(one.handle.set_stat(change))
    if change.dos_attributes is not None and share.archiving is not None:
        share.archiving.attributes_set(one, change.dos_attributes)
    if change.mtime_ns is not None and share.write_times is not None:
        share.write_times.was_set(one.node_id)
    await entry_changed(share, one, _changed_by(change))


def _changed_by(change: StatChange) -> int:
    """The FILE_NOTIFY_CHANGE_* bits that stand for a change."""
    what = 0
    for value, bit in (
        (change.dos_attributes, FILE_NOTIFY_CHANGE_ATTRIBUTES),
        (change.mode, FILE_NOTIFY_CHANGE_SECURITY),
        (change.uid, FILE_NOTIFY_CHANGE_SECURITY),
        (change.gid, FILE_NOTIFY_CHANGE_SECURITY),
        (change.atime_ns, FILE_NOTIFY_CHANGE_LAST_ACCESS),
        (change.mtime_ns, FILE_NOTIFY_CHANGE_LAST_WRITE),
        (change.birthtime_ns, FILE_NOTIFY_CHANGE_CREATION),
    ):
        if value is not None:
            what |= bit
    return what


async def set_delete(
    share: "Share",
    one: Open,
    delete: bool,
    *,
    posix: bool = False,
    on_close: bool = False,
    ignore_readonly: bool = False,
    stat: Stat | None = None,
) -> None:
    """Decide that the file goes with its last open, or take that back. [MS-FSA] 2.1.5.15.3.

    With `on_close`, set or clear FILE_DELETE_ON_CLOSE of this open instead. `stat`: what the storage has just told, if
    nobody was served since. Raises `StatusError`.
    """
    share.enter()
    if delete:
        record = share.record(one)
        if record is not None and record.leases:
            await share.breaks.before_name_change(one.node_id, one.open_id)
        _check_deletable(one, stat or await one.handle.stat(), ignore_readonly=ignore_readonly)
        if one.is_directory and not await is_empty(share, one.path):
            raise StatusError(STATUS_DIRECTORY_NOT_EMPTY)

    place = share.place(one.path)

    def decide(record: FileRecord | None) -> tuple[FileRecord | None, None]:
        if record is None:
            return None, None
        if on_close:
            return set_delete_on_close(record, one.open_id, delete), None
        if delete:
            return set_delete_pending(record, one.open_id, one.caller, posix=posix, place=place), None
        return clear_delete_pending(record, one.open_id), None

    point_of_no_return()
    if may_suspend():
        await share.table.transact(one.node_id, decide)
    else:
        share.table.transact_nowait(one.node_id, decide)
    if delete and not on_close and one.is_directory:
        directory_doomed(share, one)


def _check_deletable(one: Open, stat: Stat, *, ignore_readonly: bool) -> None:
    if not one.path:
        raise StatusError(STATUS_ACCESS_DENIED)
    if (stat.dos_attributes or 0) & FILE_ATTRIBUTE_READONLY and not ignore_readonly:
        raise StatusError(STATUS_CANNOT_DELETE)


async def is_empty(share: "Share", path: str) -> bool:
    """Whether a directory has nothing in it. Raises `VfsError`."""
    handle: Handle = await share.fs.lookup(share.root, path, case_sensitive=True)
    try:
        await handle.open_io(IoAccess.READ)
        stream = await handle.open_directory()
        try:
            return not await stream.read(1, with_stat=False)
        finally:
            stream.discard()
    finally:
        handle.discard()
