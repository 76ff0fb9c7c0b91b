"""Named streams: finding and making them when a file is opened, listing and renaming them.

[MS-FSA] 2.1.5.1 (open), 2.1.5.15.11.1 (renaming a stream). All opens of a file are in one record, each with the folded
name of its stream; what is shared, locked, leased or about to be deleted is so stream by stream.
"""

from typing import TYPE_CHECKING

from gateway.nt.constants import (
    FILE_ACTION_ADDED_STREAM,
    FILE_ACTION_REMOVED_STREAM,
    FILE_NOTIFY_CHANGE_STREAM_NAME,
)
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DELETE_PENDING,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    StatusError,
)
from gateway.nt.upcase import upcase
from gateway.share.closing import is_delete_pending
from gateway.share.intent import OpenIntent
from gateway.share.listing import stream_renamed
from gateway.share.opens import Open
from gateway.share.paths import find_file
from gateway.share.record import FileRecord, rename_stream_opens
from vfs_backends.api import Capability, Handle, IoAccess, Stat, StreamEntry
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import first_effect

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = [
    "find_stream",
    "has_streams",
    "list_streams",
    "make_stream",
    "remove_streams",
    "rename_stream",
    "stat_of_file",
]

_CHUNK = 1 << 20
_NO_ACCESS = IoAccess(0)


def has_streams(share: "Share") -> bool:
    """Whether files may have named streams: if not, those that are there already stay, out of reach."""
    return share.settings.named_streams and Capability.STREAMS in share.fs.capabilities


async def find_stream(intent: OpenIntent, handle: Handle) -> Handle:
    """A handle on the stream that is asked for, in place of the one on its file; the same one if it has to be created.

    Sets `intent.adds_stream`. Raises `VfsError`: NOT_FOUND if it is not to be created.
    """
    intent.adds_stream = False
    try:
        stream = await handle.open_stream(intent.stream, _NO_ACCESS)
    except VfsError as error:
        if error.kind is Kind.NOT_FOUND and intent.creates:
            intent.adds_stream = True
            return handle
        raise
    handle.discard()
    return stream


async def make_stream(share: "Share", intent: OpenIntent, handle: Handle, access: IoAccess) -> Handle:
    """Add a stream to the file behind `handle`, which is closed then, and return a handle on the stream.

    Raises `VfsError`; then `handle` is still open.
    """
    made = await handle.create_stream(intent.stream, access)
    if intent.allocation_size and Capability.ALLOCATE in share.fs.capabilities:
        try:
            await made.allocate(intent.allocation_size)
        except BaseException:  # also if it is cancelled: nobody knows of the handle yet
            made.discard()
            raise
    handle.discard()
    share.watches.tell(f"{handle.path}:{made.stream}", FILE_ACTION_ADDED_STREAM, FILE_NOTIFY_CHANGE_STREAM_NAME)
    return made


async def list_streams(share: "Share", one: Open) -> list[StreamEntry]:
    """The named streams of an open file. Raises `VfsError`."""
    if not has_streams(share):
        return []
    return await one.handle.list_streams()


async def stat_of_file(share: "Share", one: Open) -> Stat:
    """What the storage tells of the file, whichever of its streams is open. Raises `VfsError`."""
    if not one.stream:
        return await one.handle.stat()
    handle = await find_file(share, one)
    try:
        return await handle.stat()
    finally:
        handle.discard()


async def remove_streams(share: "Share", handle: Handle) -> None:
    """Remove all named streams: overwriting a file takes them away. [MS-FSA] 2.1.5.1.2."""
    if has_streams(share):
        for entry in await handle.list_streams():
            await handle.remove_stream(entry.name)
            told = f"{handle.path}:{entry.name}"
            share.watches.tell(told, FILE_ACTION_REMOVED_STREAM, FILE_NOTIFY_CHANGE_STREAM_NAME)


async def rename_stream(share: "Share", one: Open, name: str, *, replace: bool) -> None:
    """Give the stream that is open another name; an empty one makes it the file's default stream.

    DELETE access was checked. Raises `StatusError` and `VfsError`.
    """
    share.enter()
    if not one.stream:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if is_delete_pending(share.record(one), one.open_id):
        raise StatusError(STATUS_DELETE_PENDING)
    if await share.breaks.before_name_change(one.node_id, one.open_id):
        await rename_stream(share, one, name, replace=replace)  # everything may be different
        return
    if not name:
        await _become_default(share, one, replace=replace)
        return
    old, new = one.stream, upcase(name)
    if new != old:
        await _check_target(share, one, new, replace=replace)
    spelled = one.handle.stream
    await first_effect(one.handle.rename_stream(spelled, name, replace=replace))
    await _renamed(share, one, old, new)
    await stream_renamed(share, one, spelled, name)


async def _check_target(share: "Share", one: Open, new: str, *, replace: bool) -> None:
    """A stream may only take the place of an empty one that nobody uses."""
    existing = next((entry for entry in await one.handle.list_streams() if upcase(entry.name) == new), None)
    if existing is None:
        return
    if not replace:
        raise StatusError(STATUS_OBJECT_NAME_COLLISION)
    if existing.size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    _check_unused(share, one, new)


def _check_unused(share: "Share", one: Open, stream: str) -> None:
    record = share.record(one)
    if record is not None and any(entry.stream == stream for entry in record.opens):
        raise StatusError(STATUS_ACCESS_DENIED)


async def _become_default(share: "Share", one: Open, *, replace: bool) -> None:
    """The default stream cannot be renamed over, only written: what is in the other one is copied there."""
    default = await find_file(share, one)
    try:
        if default.is_directory:
            raise StatusError(STATUS_INVALID_PARAMETER)
        if not replace:
            raise StatusError(STATUS_OBJECT_NAME_COLLISION)
        if (await default.stat()).size:
            raise StatusError(STATUS_INVALID_PARAMETER)
        _check_unused(share, one, "")
        await default.open_io(IoAccess.READ | IoAccess.WRITE)
        source = await one.handle.open_stream(one.handle.stream, IoAccess.READ)
        try:
            await first_effect(_copy(source, default))
        finally:
            source.discard()
        await one.handle.remove_stream(one.handle.stream)
    except BaseException:  # also if it is cancelled: the open keeps its own handle then
        default.discard()
        raise
    spelled = one.handle.stream
    await one.handle.aclose()
    one.handle = default
    await _renamed(share, one, one.stream, "")
    await stream_renamed(share, one, spelled, "")


async def _copy(source: Handle, target: Handle) -> None:
    buffer = memoryview(bytearray(_CHUNK))
    offset = 0
    while count := await source.read_into(offset, buffer):
        await target.write(offset, buffer[:count])
        offset += count


async def _renamed(share: "Share", one: Open, old: str, new: str) -> None:
    """Let the record and everything that is open know."""

    def rename(record: FileRecord | None) -> tuple[FileRecord | None, None]:
        return None if record is None else rename_stream_opens(record, old, new), None

    await share.table.transact(one.node_id, rename)
    for other in share.opens.values():
        if other.node_id == one.node_id and other.stream == old:
            other.stream = new
