"""Taking a name away at once, as unlink(2) and rmdir(2) do; what is open stays usable without it.

[MS-FSA] 2.1.5.15.3 with FILE_DISPOSITION_POSIX_SEMANTICS, but told as an error if it cannot be done.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from acl.token import Token
from gateway.nt.constants import FILE_ATTRIBUTE_READONLY
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_CANNOT_DELETE, STATUS_DELETE_PENDING, StatusError
from gateway.share.closing import is_delete_pending
from gateway.share.granting import grant_at_hand, grant_by_parent
from gateway.share.intent import OpenIntent
from gateway.share.listing import name_removed
from gateway.share.opens import Open
from gateway.share.paths import open_parent, split
from gateway.share.preconditions import check_attributes, check_type
from gateway.share.reaching import find_from
from vfs_backends.api import Handle, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import first_effect, may_suspend

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["remove_name", "remove_unopened"]


async def remove_unopened(share: "Share", intent: OpenIntent, token: Token, check: Callable[[Stat], None]) -> bool:
    """Remove the name that `intent` asks to open for deletion, unless anybody has the file open. Whether it is gone.

    An open that begins and ends here would be seen by nobody, so there is none; but all is checked that it would have
    been. `intent.parent` is there, and this an inline pass; else it is left to `Share.open` and `remove_name`. `check`
    raises what the caller has against it. Raises `StatusError` and `VfsError`, too.
    """
    share.enter()
    parent = intent.parent
    if parent is None or may_suspend() or share.outside is not None or share.disconnected.absent:
        return False
    intent.check()
    name = split(intent.path)[1]
    handle = await find_from(share, parent, name, token, case_sensitive=intent.posix)
    if handle is None:
        raise VfsError(Kind.NOT_FOUND, intent.path)
    try:
        if share.table.peek_nowait(handle.node_id) is not None:
            return False
        stat = handle.stat_at_hand() or await handle.stat_found()
        descriptors = share.descriptors
        governing = descriptors.governing_at_hand(handle, stat) or await descriptors.governing(handle, stat)
        check_type(intent, stat)
        grant = grant_at_hand(intent, token, handle, governing)
        grant = grant or await grant_by_parent(share, intent, token, handle, governing)
        check_attributes(intent, stat, grant.access)
        for observer in share.watches.observers:
            await observer.before_opening(handle.node_id, grant.access, intent.owner)
        check(stat)
        _check_readonly(stat)
        caller = share.caller(token, overrules=grant.unlinks_anyway)
        await first_effect(share.fs.remove(parent, name, handle, caller))
        by = (intent.owner, intent.parent_key)
        await name_removed(share, parent, name, by, is_directory=stat.is_directory)
        return True
    finally:
        handle.discard()


def _check_readonly(stat: Stat) -> None:
    if (stat.dos_attributes or 0) & FILE_ATTRIBUTE_READONLY:
        raise StatusError(STATUS_CANNOT_DELETE)


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
    _check_readonly(one.created_stat if known is not None else await one.handle.stat())
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
