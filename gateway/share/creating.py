"""Opening and creating: the phases of [MS-FSA] 2.1.5.1, in an order in which nothing happens before all is checked.

An existing file is found first, as a path handle that can be asked but neither reads nor writes. What its descriptor,
its attributes and the other opens say is checked on that. Only then is it opened for what was asked, entered in the
table (which checks the other opens once more: the world may have moved) and, if asked, emptied.
"""

import contextlib
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

from acl import mask
from acl.access import maximal_access
from acl.descriptor import SecurityDescriptor
from acl.token import Token
from gateway.nt import constants as nt
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_SHARING_VIOLATION,
    StatusError,
)
from gateway.nt.upcase import upcase
from gateway.share.access import Governing
from gateway.share.entering import entry_of, is_admitted, register, register_nowait, unregister
from gateway.share.extended import check_not_needed
from gateway.share.granting import check_limit, grant_at_hand, grant_by_parent
from gateway.share.initialising import initialise, overwrite
from gateway.share.intent import OpenIntent
from gateway.share.listing import entry_changed, name_added
from gateway.share.opens import Open
from gateway.share.paths import open_parent, split
from gateway.share.preconditions import (
    NO_ACCESS,
    READ_DATA,
    check_attributes,
    check_delete_on_close,
    check_stays,
    check_type,
    io_access,
    io_wanted,
)
from gateway.share.reaching import find, find_from, reach_by_id
from gateway.share.record import OpenEntry
from gateway.share.securing import new_descriptor, write_descriptor
from gateway.share.shortnames import long_path
from gateway.share.streams import find_stream, make_stream
from gateway.uncompiled import raise_after
from vfs_backends.api import Caller, Capability, Handle, IoAccess, Stat, StatChange
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import first_effect, may_suspend, nothing_happened, point_of_no_return

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["open_file"]

_BOTH: Final = IoAccess.READ | IoAccess.WRITE
_ATTEMPTS: Final = 4
"""How often a file may vanish, or appear, between the look and the deed."""

_OVERWRITTEN: Final = nt.FILE_NOTIFY_CHANGE_ATTRIBUTES | nt.FILE_NOTIFY_CHANGE_SIZE | nt.FILE_NOTIFY_CHANGE_LAST_WRITE
_ACTIONS: Final = {
    nt.FILE_SUPERSEDE: nt.FILE_SUPERSEDED,
    nt.FILE_OVERWRITE: nt.FILE_OVERWRITTEN,
    nt.FILE_OVERWRITE_IF: nt.FILE_OVERWRITTEN,
}


async def open_file(share: "Share", intent: OpenIntent, token: Token) -> Open:
    """Open what `intent` names, or create it. Raises `StatusError` and `VfsError`."""
    intent.check()
    share.enter()
    if share.settings.short_names and not intent.posix:
        intent.path = await long_path(share, intent.path)
    if intent.disposition == nt.FILE_CREATE and intent.parent is None and intent.path and not may_suspend():
        return await _create_beside(share, intent, token)
    attempts = 0
    while attempts < _ATTEMPTS:
        handle = None if intent.is_new and attempts == 0 else await _find(share, intent, token)
        if handle is None and not intent.creates:
            raise VfsError(Kind.NOT_FOUND, intent.path)
        if handle is not None:
            one = await _open_existing(share, intent, token, handle)
            if one is not None:
                share.opened(one)
                return one
            continue
        try:
            made = await _create(share, intent, token)
        except VfsError as error:
            if error.kind is not Kind.EXISTS:
                raise
        else:
            share.opened(made)
            return made
        attempts += 1
    raise StatusError(STATUS_OBJECT_NAME_COLLISION)


async def _create_beside(share: "Share", intent: OpenIntent, token: Token) -> Open:
    """From the directory, which will be needed, it is not far to the file. Nobody is served in between."""
    intent.parent = (await open_parent(share, intent.path, token))[0]
    try:
        return await open_file(share, intent, token)
    finally:
        intent.parent.discard()


def _find(share: "Share", intent: OpenIntent, token: Token) -> Coroutine[Any, Any, Handle | None]:
    """A path handle on the file, or None if there is none."""
    if intent.by_id is not None:
        return reach_by_id(share, intent.by_id, token)
    if intent.parent is not None:
        return find_from(share, intent.parent, split(intent.path)[1], token, case_sensitive=intent.posix)
    return find(share, intent.path, token, case_sensitive=intent.posix, opening=io_wanted(intent))


# --- an existing file


async def _open_existing(share: "Share", intent: OpenIntent, token: Token, handle: Handle) -> Open | None:
    """None if somebody had to give up an oplock or a lease first: then everything may be different."""
    try:
        stat = handle.stat_at_hand() or await handle.stat_found()
        if share.disconnected.absent:
            share.disconnected.looked(stat)
        # A stream has the descriptor of its file.
        descriptors = share.descriptors
        governing = descriptors.governing_at_hand(handle, stat) or await descriptors.governing(handle, stat)
        if intent.stream:
            handle = await find_stream(intent, handle)
            stat = await handle.stat()
        if not intent.adds_stream:
            check_type(intent, stat)
        grant = grant_at_hand(intent, token, handle, governing)
        grant = grant or await grant_by_parent(share, intent, token, handle, governing)
        granted = grant.access
        check_attributes(intent, stat, granted)
        if intent.options & nt.FILE_NO_EA_KNOWLEDGE and not intent.stream:
            await check_not_needed(share, handle)
        caller = share.caller(token, overrules=grant.unlinks_anyway)
        link = share.place(handle.path) if stat.nlink > 1 and not stat.is_directory else None
        entry = entry_of(intent, caller, share.new_open_id(), granted, link)
        if is_admitted(share, intent, handle, entry):
            for observer in share.watches.observers:
                await observer.before_opening(handle.node_id, granted, entry.owner)
        else:
            await _make_room(share, intent, handle, entry)
            handle.discard()
            return None
        access = io_access(granted, stat, is_stream=bool(intent.stream))
        if intent.overwrites:
            access |= IoAccess.WRITE
        if access is not NO_ACCESS and not intent.adds_stream:
            await handle.open_io(access, share.caller(token, overrules=grant.opens_anyway))
        point_of_no_return()
        is_entered = (
            await register(share, intent, handle, entry)
            if may_suspend()
            else register_nowait(share, intent, handle, entry)
        )
        if not is_entered:
            nothing_happened()
            handle.discard()
            return None
    except BaseException:  # also if it is cancelled: nobody knows of the handle yet
        handle.discard()
        raise
    if intent.adds_stream or intent.overwrites:
        return await _begin_anew(share, intent, token, caller, handle, entry, access)
    return _opened(share, intent, token, caller, handle, entry, nt.FILE_OPENED, stat)


async def _begin_anew(
    share: "Share",
    intent: OpenIntent,
    token: Token,
    caller: Caller | None,
    handle: Handle,
    entry: OpenEntry,
    access: IoAccess,
) -> Open:
    """Make the stream, or empty the file, that was opened for this."""
    action = nt.FILE_CREATED if intent.adds_stream else _ACTIONS[intent.disposition]
    try:
        if intent.adds_stream:
            handle = await make_stream(share, intent, handle, access)
            stat = await handle.stat()
        else:
            stat = await overwrite(share, intent, handle)
    except BaseException as error:  # whatever it is: the open was entered, and nobody will have it
        handle.discard()
        ending = raise_after(unregister(share, handle, entry.open_id), error)
    else:
        one = _opened(share, intent, token, caller, handle, entry, action, stat)
        # Who has come while it was emptied may have read, and kept, what is no more.
        await share.breaks.before_change(one)
        await entry_changed(share, one, _OVERWRITTEN)
        return one
    await ending


async def _make_room(share: "Share", intent: OpenIntent, handle: Handle, entry: OpenEntry) -> None:
    """Wait until those who have the file open have given up what is in the way."""
    await share.disconnected.give_way(entry, handle.node_id)
    # A local program only costs an open its handle whose client is gone if it has changed the file by then.
    spares = intent.posix
    await share.breaks.before_opening(handle.node_id, entry, overwrite=intent.overwrites, spares_absent=spares)


# --- a new file


async def _create(share: "Share", intent: OpenIntent, token: Token) -> Open:
    if intent.parent is not None:
        parent, name = intent.parent, split(intent.path)[1]
    else:
        parent, name = await open_parent(share, intent.path, token)
    try:
        above = await _check_parent(share, intent, token, parent)
        if intent.lease_key and not share.breaks.is_key_free(intent.owner, intent.lease_key, None):
            raise StatusError(STATUS_INVALID_PARAMETER)
        descriptor = new_descriptor(share, intent, token, above)
        granted = _grant_new(intent, token, descriptor)
        caller = share.caller(token, overrules=above.overrules)
        entry = entry_of(intent, caller, share.new_open_id(), granted)
        handle = await first_effect(_make(share, intent, caller, parent, name, is_secured=descriptor is not None))
        try:
            await _secure(share, handle, parent, descriptor, token)
            one = await _begin(share, intent, token, caller, handle, entry)
        except BaseException as error:  # whatever it is: nobody will have what was created
            ending = raise_after(_undo(share, parent, name, handle, entry.open_id), error)
        else:
            by = (intent.owner, intent.parent_key)
            await name_added(share, parent, name, by, is_directory=one.is_directory)
            return one
        await ending
    finally:
        if parent is not intent.parent:
            parent.discard()


async def _secure(
    share: "Share", handle: Handle, parent: Handle, descriptor: SecurityDescriptor | None, token: Token
) -> None:
    """Give a new file the owner and the descriptor that it is to have."""
    if share.settings.inherit_owner and Capability.CALLERS in share.fs.capabilities:
        await handle.set_stat(StatChange(uid=(await parent.stat()).uid))
    if descriptor is not None:
        await write_descriptor(share, handle, await handle.stat(), descriptor, token)


async def _check_parent(share: "Share", intent: OpenIntent, token: Token, parent: Handle) -> Governing:
    check_stays(share.table.peek_nowait(parent.node_id))
    needed = mask.FILE_ADD_SUBDIRECTORY if intent.wants_directory else mask.FILE_ADD_FILE
    if needed & ~intent.access_limit:
        raise StatusError(STATUS_ACCESS_DENIED)
    if parent is not intent.parent:
        return await share.descriptors.check(parent, await parent.stat_found(attributes=False), token, needed)
    governing = await share.descriptors.governing_kept(parent)
    governing.check(token, needed, parent.path)
    return governing


def _grant_new(intent: OpenIntent, token: Token, descriptor: SecurityDescriptor | None) -> int:
    """Whoever creates a file gets what they asked for. [MS-FSA] 2.1.5.1.1."""
    if intent.file_attributes & nt.FILE_ATTRIBUTE_ENCRYPTED:
        # Better than a file that is not encrypted and was to be.
        raise StatusError(STATUS_ACCESS_DENIED)
    readonly = intent.file_attributes & nt.FILE_ATTRIBUTE_READONLY
    if readonly and intent.options & nt.FILE_DELETE_ON_CLOSE:
        raise StatusError(STATUS_CANNOT_DELETE)
    granted = intent.access
    if granted & mask.MAXIMUM_ALLOWED:
        most = mask.FILE_ALL_ACCESS if descriptor is None else maximal_access(descriptor, token)
        granted = (granted & ~mask.MAXIMUM_ALLOWED) | (most & intent.access_limit)
    check_limit(intent, token, granted)
    check_delete_on_close(intent, granted)
    return granted


async def _make(
    share: "Share", intent: OpenIntent, caller: Caller | None, parent: Handle, name: str, *, is_secured: bool
) -> Handle:
    mode = intent.mode
    if is_secured:
        # Nobody else gets in before the descriptor is there.
        mode = 0o700 if intent.wants_directory else 0o600
    if intent.wants_directory:
        mode = share.settings.directory_mode() if mode is None else mode
        return await share.fs.create_directory(parent, name, mode, caller)
    mode = share.settings.file_mode() if mode is None else mode
    return await share.fs.create_file(parent, name, mode, _BOTH, caller)


async def _begin(
    share: "Share", intent: OpenIntent, token: Token, caller: Caller | None, handle: Handle, entry: OpenEntry
) -> Open:
    """From a new file to an open of it."""
    if not await register(share, intent, handle, entry):
        # Somebody was faster in opening the new file, and cached it.
        raise StatusError(STATUS_SHARING_VIOLATION)
    if handle.is_directory and entry.granted_access & READ_DATA:
        await handle.open_io(IoAccess.READ)
    await initialise(share, intent, handle)
    if intent.stream:
        access = io_access(entry.granted_access, await handle.stat(), is_stream=True)
        handle = await make_stream(share, intent, handle, access)
    try:
        stat = await handle.stat_found()
    except BaseException:  # also if it is cancelled: nobody knows of the handle yet
        handle.discard()
        raise
    return _opened(share, intent, token, caller, handle, entry, nt.FILE_CREATED, stat)


async def _undo(share: "Share", parent: Handle, name: str, handle: Handle, open_id: int) -> None:
    """Take back a file that this call created, unless others have opened it by now: then it is theirs."""
    try:
        if not await unregister(share, handle, open_id):
            with contextlib.suppress(VfsError):
                # It may be gone already, or the storage fail: the first error is the one to report.
                await share.fs.remove(parent, name, handle)
    finally:
        handle.discard()


# --- both


def _opened(
    share: "Share",
    intent: OpenIntent,
    token: Token,
    caller: Caller | None,
    handle: Handle,
    entry: OpenEntry,
    action: int,
    stat: Stat,
) -> Open:
    one = Open(
        share,
        entry.open_id,
        handle,
        entry.granted_access,
        intent.share_access,
        intent.options,
        token,
        action,
        stat,
        intent.owner,
        intent.lease_key,
        intent.parent_key,
        upcase(intent.stream) if intent.stream else "",
    )
    one.caller = caller
    one.is_posix = intent.posix
    if share.archiving is not None:
        share.archiving.opened(one)
    if share.write_times is not None and not intent.posix:
        share.write_times.opened(one)
    share.opens[one.open_id] = one
    return one
