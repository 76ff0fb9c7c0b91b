"""What a change means to those who look at a directory: leases on it break, and its watchers are told.

[MS-SMB2] 3.3.4.7 (directory leases), [MS-FSA] 2.1.4.1 (change notification). Everything that changes a name, or what a
directory lists of it, goes through here after it has happened.
"""

from collections.abc import Coroutine, Hashable
from typing import TYPE_CHECKING, Any, Final

from gateway.nt.constants import (
    FILE_ACTION_ADDED,
    FILE_ACTION_ADDED_STREAM,
    FILE_ACTION_MODIFIED,
    FILE_ACTION_MODIFIED_STREAM,
    FILE_ACTION_REMOVED,
    FILE_ACTION_REMOVED_STREAM,
    FILE_ACTION_RENAMED_NEW_NAME,
    FILE_ACTION_RENAMED_OLD_NAME,
    FILE_NOTIFY_CHANGE_ATTRIBUTES,
    FILE_NOTIFY_CHANGE_CREATION,
    FILE_NOTIFY_CHANGE_DIR_NAME,
    FILE_NOTIFY_CHANGE_FILE_NAME,
    FILE_NOTIFY_CHANGE_LAST_WRITE,
    FILE_NOTIFY_CHANGE_SIZE,
    FILE_NOTIFY_CHANGE_STREAM_NAME,
    FILE_NOTIFY_CHANGE_STREAM_SIZE,
    FILE_NOTIFY_CHANGE_STREAM_WRITE,
)
from gateway.share.notify import Entry, Place
from gateway.share.opens import Open
from gateway.share.paths import join, open_parent
from vfs_backends.api import NodeId
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = [
    "NOBODY",
    "By",
    "contents_changed",
    "directory_doomed",
    "entry_changed",
    "links_changed",
    "name_added",
    "name_moved",
    "name_removed",
    "names_exchanged",
    "stream_renamed",
]

By = tuple[Hashable, bytes]
"""Owner and parent lease key of the open that changes something: its own lease on the directory stays."""
NOBODY: Final[By] = (None, b"")
"""By whom it was done, if not by the share: nobody's own lease stays."""


async def entry_changed(share: "Share", one: Open, what: int, by: By | None = None) -> None:
    """By this open (or `by`), something of its file has changed: the FILE_NOTIFY_CHANGE_* bits in `what`."""
    contents_changed(share, one, what)
    if not share.breaks.watches_directories or not one.path:
        return
    try:
        parent, _ = await open_parent(share, one.path)
    except VfsError:
        # It has gone meanwhile, and so has what anybody could cache of it.
        return
    try:
        await share.breaks.directory_changed(parent.node_id, by or (one.owner, one.parent_key))
    finally:
        parent.discard()


def contents_changed(share: "Share", one: Open, what: int) -> None:
    """The same for what is written: leases on the directory break once, when the open is closed."""
    watches = share.watches
    for observer in watches.observers:
        observer.file_changed(one.node_id, one.owner)
    if watches:
        if one.stream:
            what = _tell_of_stream(share, one, what)
        watches.tell(one.path, FILE_ACTION_MODIFIED, what)


def _tell_of_stream(share: "Share", one: Open, what: int) -> int:
    """Tell of a named stream what has changed of it; the bits that are left for its file."""
    of_stream = 0
    if what & FILE_NOTIFY_CHANGE_SIZE:
        of_stream = FILE_NOTIFY_CHANGE_STREAM_SIZE
    if what & FILE_NOTIFY_CHANGE_LAST_WRITE:
        of_stream |= FILE_NOTIFY_CHANGE_STREAM_WRITE
    share.watches.tell(f"{one.path}:{one.handle.stream}", FILE_ACTION_MODIFIED_STREAM, of_stream)
    return what & ~FILE_NOTIFY_CHANGE_SIZE


def links_changed(share: "Share", node_id: NodeId, by: Hashable) -> None:
    """A file has more names, or fewer, than it had; `by` is the owner of the open that did it."""
    for observer in share.watches.observers:
        observer.file_changed(node_id, by)


async def stream_renamed(share: "Share", one: Open, old: str, new: str) -> None:
    """A stream has another name; empty is that of the default stream, which is not told of."""
    told = [
        (f"{one.path}:{name}", action)
        for name, action in ((old, FILE_ACTION_REMOVED_STREAM), (new, FILE_ACTION_ADDED_STREAM))
        if name
    ]
    share.watches.tell_all(told, FILE_NOTIFY_CHANGE_STREAM_NAME)
    await entry_changed(share, one, 0)


async def name_added(share: "Share", parent: Place, name: str, by: By, *, is_directory: bool) -> None:
    """A file was created, or got another name."""
    for observer in share.watches.observers:
        observer.name_added(Entry(parent.node_id, name), by[0])
    await _added(share, parent, name, by, is_directory=is_directory)


async def _added(share: "Share", parent: Place, name: str, by: By, *, is_directory: bool) -> None:
    path = join(parent.path, name)
    share.watches.tell(path, FILE_ACTION_ADDED, _kind(is_directory), outside=by is NOBODY)
    await share.breaks.directory_changed(parent.node_id, by)


def directory_doomed(share: "Share", one: Open) -> None:
    """A directory will be deleted when it is closed: it is not watched any more."""
    share.watches.doom(one.path)


def name_removed(share: "Share", parent: Place, name: str, by: By, *, is_directory: bool) -> Coroutine[Any, Any, None]:
    """A file was deleted, or lost a name."""
    if share.tunnel is not None:
        share.tunnel.removed(parent.node_id, name)
    for observer in share.watches.observers:
        observer.name_removed(Entry(parent.node_id, name), by[0])
    return _removed(share, parent, name, by, is_directory=is_directory)


def _removed(share: "Share", parent: Place, name: str, by: By, *, is_directory: bool) -> Coroutine[Any, Any, None]:
    path = join(parent.path, name)
    if is_directory:
        share.watches.doom(path)
    share.watches.tell(path, FILE_ACTION_REMOVED, _kind(is_directory), outside=by is NOBODY)
    return share.breaks.directory_changed(parent.node_id, by)


async def name_moved(
    share: "Share", old: tuple[Place, str], new: tuple[Place, str], by: By, *, is_directory: bool
) -> None:
    """A file was renamed. In another directory it is one that comes, and in its own one that goes."""
    parent, name = old
    new_parent, new_name = new
    if share.tunnel is not None:
        share.tunnel.removed(parent.node_id, name)
    for observer in share.watches.observers:
        observer.name_moved(Entry(parent.node_id, name), Entry(new_parent.node_id, new_name), by[0])
    if new_parent.node_id != parent.node_id:
        await _removed(share, parent, name, by, is_directory=is_directory)
        await _added(share, new_parent, new_name, by, is_directory=is_directory)
        _moved_file(share, new_parent, new_name, by, is_directory=is_directory)
        return
    what = _kind(is_directory)
    renamed = (
        (join(parent.path, name), FILE_ACTION_RENAMED_OLD_NAME),
        (join(parent.path, new_name), FILE_ACTION_RENAMED_NEW_NAME),
    )
    share.watches.tell_all(renamed, what, outside=by is NOBODY)
    _moved_file(share, new_parent, new_name, by, is_directory=is_directory)
    await share.breaks.directory_changed(parent.node_id, by)


async def names_exchanged(
    share: "Share", one: tuple[Place, str], other: tuple[Place, str], by: By, *, are_directories: tuple[bool, bool]
) -> None:
    """Two names have changed places. There is no action for that: both have gone, and are there again."""
    for observer in share.watches.observers:
        observer.names_exchanged(Entry(one[0].node_id, one[1]), Entry(other[0].node_id, other[1]), by[0])
    paths = [join(parent.path, name) for parent, name in (one, other)]
    for path, is_directory in zip(paths, are_directories, strict=True):
        share.watches.tell(path, FILE_ACTION_REMOVED, _kind(is_directory), outside=by is NOBODY)
    for path, is_directory in zip(paths, reversed(are_directories), strict=True):
        share.watches.tell(path, FILE_ACTION_ADDED, _kind(is_directory), outside=by is NOBODY)
    for parent in {parent.node_id for parent, _ in (one, other)}:
        await share.breaks.directory_changed(parent, by)


def _moved_file(share: "Share", parent: Place, name: str, by: By, *, is_directory: bool) -> None:
    """Windows tells those who did not ask for names that a renamed file, but not a directory, has changed."""
    if not is_directory:
        what = FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_CREATION
        path, unless = join(parent.path, name), FILE_NOTIFY_CHANGE_FILE_NAME
        share.watches.tell(path, FILE_ACTION_MODIFIED, what, unless=unless, outside=by is NOBODY)


def _kind(is_directory: bool) -> int:
    return FILE_NOTIFY_CHANGE_DIR_NAME if is_directory else FILE_NOTIFY_CHANGE_FILE_NAME
