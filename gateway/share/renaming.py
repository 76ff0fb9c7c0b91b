"""Giving a file another name, or one more. [MS-FSA] 2.1.5.15.11 (rename), 2.1.5.15.6 (link)."""

from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

from acl import mask
from gateway.nt.constants import FILE_ATTRIBUTE_READONLY, FILE_SHARE_DELETE, FILE_SHARE_READ, FILE_SHARE_WRITE
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_SHARING_VIOLATION,
    StatusError,
)
from gateway.share.closing import is_delete_pending
from gateway.share.granting import grant_maximal
from gateway.share.kin import places
from gateway.share.listing import links_changed, name_added, name_moved, names_exchanged
from gateway.share.opens import Open
from gateway.share.parents import forget_parent
from gateway.share.paths import is_below, join, open_parent, split
from gateway.share.preconditions import check_stays
from gateway.share.record import FileRecord, OpenEntry, name_links, rename_links
from gateway.share.sharemodes import conflicting_opens
from gateway.share.shortnames import long_path
from vfs_backends.api import Handle, Link
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import first_effect

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["exchange", "follow", "link", "rename"]


_INTO_DIRECTORY = OpenEntry(0, None, mask.FILE_ADD_FILE, FILE_SHARE_READ | FILE_SHARE_WRITE)


class _How(NamedTuple):
    """What a rename or link may do to others."""

    replace: bool
    ignore_readonly: bool
    posix: bool


async def rename(
    share: "Share", one: Open, target: str, *, replace: bool, ignore_readonly: bool = False, posix: bool = False
) -> None:
    """Move an open file to the path `target`. DELETE access was checked. Raises `StatusError` and `VfsError`.

    With `posix`, names differ by case, and what is open is in the way only if it does not share deletion: neither a
    file or empty directory that is replaced, nor a file in a directory that is moved.
    """
    how = _How(replace, ignore_readonly, posix)
    target = await _target(share, target, how)
    while not await _try_rename(share, one, target, how):
        pass


async def _try_rename(share: "Share", one: Open, target: str, how: _How) -> bool:
    """False if somebody had to give up a lease first: then everything may be different."""
    share.enter()
    if not one.path or not target:
        raise StatusError(STATUS_ACCESS_DENIED if target else STATUS_INVALID_PARAMETER)
    if target == one.path:
        return True
    if not await _check_origin(share, one, target, how):
        return False
    new_parent, new_name = await open_parent(share, target, one.token)
    try:
        if await share.breaks.before_opening(new_parent.node_id, _INTO_DIRECTORY):
            return False
        overrules = await _check_parent(share, one, new_parent)
        existing = await _existing(share, new_parent, new_name, how)
        try:
            stale: Handle | None = None
            if existing is not None and how.posix and existing.node_id == one.node_id:
                # Two names of one file: rename(2) leaves both.
                return True
            if existing is not None and existing.node_id != one.node_id:
                if how.replace and await share.breaks.before_name_change(existing.node_id, None):
                    return False
                overrules &= await _check_replaceable(share, one, existing, how)
                stale = existing
            elif existing is not None and existing.path != one.path:
                # Another name of the same file, and not just another spelling of this one.
                if not how.replace:
                    raise StatusError(STATUS_OBJECT_NAME_COLLISION)
                stale = existing
            await _move(share, one, new_parent, new_name, stale, overrules=overrules)
        finally:
            if existing is not None:
                existing.discard()
    finally:
        new_parent.discard()
    return True


async def _check_origin(share: "Share", one: Open, target: str, how: _How) -> bool:
    """Whether the file may go from where it is; false and raising as `_check_children`."""
    if is_delete_pending(share.record(one), one.open_id):
        raise StatusError(STATUS_DELETE_PENDING)
    if await share.breaks.before_name_change(one.node_id, one.open_id):
        return False
    record = share.record(one)
    if not how.posix and record is not None and any(entry.stream for entry in record.opens):
        # A file goes nowhere while any of its streams is open.
        raise StatusError(STATUS_ACCESS_DENIED)
    return not one.is_directory or await _check_children(share, one, target, how)


async def _check_children(share: "Share", one: Open, target: str, how: _How) -> bool:
    """A directory in which something is open stays where it is, and nothing goes below itself.

    False if somebody had to be asked to close what they keep open only in their cache.
    """
    if is_below(target, one.path):
        raise StatusError(STATUS_INVALID_PARAMETER if how.posix else STATUS_ACCESS_DENIED)
    inside = {
        other.node_id
        for tree, path in places(share, one.path)
        for other in tree.opens.values()
        if is_below(other.path, path) and not (how.posix and other.share_access & FILE_SHARE_DELETE)
    }
    for node_id in inside:
        if await share.breaks.before_name_change(node_id, None):
            return False
    if inside and await share.disconnected.leave_files(inside):
        return False
    if inside:
        raise StatusError(STATUS_SHARING_VIOLATION if how.posix else STATUS_ACCESS_DENIED)
    return True


async def _check_parent(share: "Share", one: Open, parent: Handle) -> bool:
    """Whether the directory takes the file, whatever the storage thinks of it. Raises `StatusError` if it does not."""
    record = share.table.peek_nowait(parent.node_id)
    check_stays(record)
    # Windows opens the directory for this, and shares reading and writing.
    if record is not None and conflicting_opens(record, _INTO_DIRECTORY):
        raise StatusError(STATUS_SHARING_VIOLATION)
    needed = mask.FILE_ADD_SUBDIRECTORY if one.is_directory else mask.FILE_ADD_FILE
    return (await share.descriptors.check(parent, await parent.stat(), one.token, needed)).overrules


async def _existing(share: "Share", parent: Handle, name: str, how: _How) -> Handle | None:
    try:
        return await share.fs.lookup(parent, name, case_sensitive=how.posix)
    except VfsError as error:
        if error.kind is Kind.NOT_FOUND:
            return None
        raise


async def _check_replaceable(share: "Share", one: Open, existing: Handle, how: _How) -> bool:
    """Whether what has the name already goes for it, whatever the storage thinks of it. Raises `StatusError` if it may
    not go."""
    if not how.replace:
        raise StatusError(STATUS_OBJECT_NAME_COLLISION)
    _check_unused(existing, share.table.peek_nowait(existing.node_id), how)
    stat = await existing.stat()
    if (stat.dos_attributes or 0) & FILE_ATTRIBUTE_READONLY and not how.ignore_readonly:
        raise StatusError(STATUS_ACCESS_DENIED)
    grant = await grant_maximal(share, one.token, existing, stat)
    if not grant.access & mask.DELETE:
        raise StatusError(STATUS_ACCESS_DENIED)
    return grant.unlinks_anyway


def _check_unused(existing: Handle, record: FileRecord | None, how: _How) -> None:
    if how.posix:
        # That a directory is replaced by a directory only, and when it is empty, the storage sees to.
        if record is not None and any(not other.share_access & FILE_SHARE_DELETE for other in record.opens):
            raise StatusError(STATUS_SHARING_VIOLATION)
    elif existing.is_directory or (record is not None and record.opens):
        raise StatusError(STATUS_ACCESS_DENIED)


async def _move(
    share: "Share", one: Open, new_parent: Handle, new_name: str, stale: Handle | None, *, overrules: bool
) -> None:
    """The deed. `stale`: what loses its name for it, which may be spelt differently."""
    parent, name = await open_parent(share, one.path)
    try:
        first = split(stale.path)[1] if stale is not None else new_name
        overrules = overrules and one.caller is not None and one.caller.overrules
        caller = share.caller(one.token, overrules=overrules)
        await first_effect(
            share.fs.rename(parent, name, new_parent, first, one.handle, replace=stale is not None, caller=caller)
        )
        await _moved(share, (one.path, join(new_parent.path, first)))
        if first != new_name:
            await share.fs.rename(new_parent, first, new_parent, new_name, one.handle, replace=False, caller=caller)
            await _moved(share, (one.path, join(new_parent.path, new_name)))
        if stale is not None:
            links_changed(share, stale.node_id, one.owner)
        by = (one.owner, one.parent_key)
        await name_moved(share, (parent, name), (new_parent, new_name), by, is_directory=one.is_directory)
    finally:
        parent.discard()


async def _moved(share: "Share", *moves: tuple[str, str]) -> None:
    """Let everything that is open know where it is now: what has moved in one step, from where to where."""
    forget_parent()
    await follow(share, *moves)
    for kin in share.kin:
        there = [(kin.path(old), kin.path(new)) for old, new in moves]
        await follow(kin.share, *[(old, new) for old, new in there if old and new])


async def follow(share: "Share", *moves: tuple[str, str]) -> None:
    """The same for what is open by this share."""

    def after(path: str) -> str | None:
        """What a path has become; None if it is what it was."""
        for old, new in moves:
            if path == old or is_below(path, old):
                return new + path[len(old) :]
        return None

    moved = [(other, path) for other in share.opens.values() if (path := after(other.path)) is not None]
    for other, path in moved:
        other.path = other.handle.path = path
    share.watches.moved()

    def renamed(place: Hashable) -> Hashable:
        path = share.path_at(place)
        new = None if path is None else after(path)
        return place if new is None else share.place(new)

    for node_id in {other.node_id for other, _ in moved}:
        await share.table.transact(
            node_id, lambda record: (None if record is None else rename_links(record, renamed), None)
        )


async def exchange(share: "Share", one: Open, other: Open) -> None:
    """Let two open files have each other's names, in one step; DELETE access to both was checked.

    The rules are those of renaming each of them as POSIX means it. Raises `StatusError` and `VfsError`.
    """
    how = _How(replace=True, ignore_readonly=True, posix=True)
    while not await _try_exchange(share, one, other, how):
        pass


async def _try_exchange(share: "Share", one: Open, other: Open, how: _How) -> bool:
    """False if somebody had to give up a lease first: then everything may be different."""
    share.enter()
    if one.node_id == other.node_id:
        return True
    for moved, target in ((one, other.path), (other, one.path)):
        if not await _check_origin(share, moved, target, how):
            return False
    parent, name = await open_parent(share, one.path, one.token)
    try:
        other_parent, other_name = await open_parent(share, other.path, other.token)
        try:
            links = Link(parent, name, one.handle), Link(other_parent, other_name, other.handle)
            return await _exchange(share, one, other, links)
        finally:
            other_parent.discard()
    finally:
        parent.discard()


async def _exchange(share: "Share", one: Open, other: Open, links: tuple[Link, Link]) -> bool:
    """What is left of that when it is known where the names are."""
    overrules = all(each.caller is not None and each.caller.overrules for each in (one, other))
    for moved, link_ in ((one, links[1]), (other, links[0])):
        if await share.breaks.before_opening(link_.parent.node_id, _INTO_DIRECTORY):
            return False
        overrules &= await _check_parent(share, moved, link_.parent)
    await first_effect(share.fs.exchange(*links, share.caller(one.token, overrules=overrules)))
    await _moved(share, (one.path, other.path), (other.path, one.path))
    await names_exchanged(
        share,
        (links[0].parent, links[0].name),
        (links[1].parent, links[1].name),
        (one.owner, one.parent_key),
        are_directories=(one.is_directory, other.is_directory),
    )
    return True


async def link(
    share: "Share", one: Open, target: str, *, replace: bool, ignore_readonly: bool = False, posix: bool = False
) -> None:
    """Give an open file the further name `target`; with `posix`, names differ by case.

    Raises `StatusError` and `VfsError`.
    """
    how = _How(replace, ignore_readonly, posix)
    target = await _target(share, target, how)
    while not await _try_link(share, one, target, how):
        pass


async def _target(share: "Share", target: str, how: _How) -> str:
    """Where a name leads that may be a short one."""
    share.enter()
    return await long_path(share, target) if share.settings.short_names and not how.posix else target


async def _try_link(share: "Share", one: Open, target: str, how: _How) -> bool:
    """False if somebody had to give up a lease first: then everything may be different."""
    share.enter()
    if one.is_directory:
        raise StatusError(STATUS_FILE_IS_A_DIRECTORY)
    if not target:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if await share.breaks.before_name_change(one.node_id, one.open_id):
        return False
    parent, name = await open_parent(share, target, one.token)
    try:
        if await share.breaks.before_opening(parent.node_id, _INTO_DIRECTORY):
            return False
        overrules = await _check_parent(share, one, parent)
        existing = await _existing(share, parent, name, how)
        if existing is not None:
            try:
                if how.replace and await share.breaks.before_name_change(existing.node_id, None):
                    return False
                overrules &= await _check_replaceable(share, one, existing, how)
                name = split(existing.path)[1]
            finally:
                existing.discard()
        caller = share.caller(one.token, overrules=overrules)
        await first_effect(share.fs.link(one.handle, parent, name, replace=existing is not None, caller=caller))
        links = {each.open_id: share.place(each.path) for each in share.opens.values() if each.node_id == one.node_id}
        await share.table.transact(
            one.node_id, lambda record: (None if record is None else name_links(record, links), None)
        )
        links_changed(share, one.node_id, one.owner)
        if existing is not None:
            links_changed(share, existing.node_id, one.owner)
        await name_added(share, parent, name, (one.owner, one.parent_key), is_directory=False)
    finally:
        parent.discard()
    return True
