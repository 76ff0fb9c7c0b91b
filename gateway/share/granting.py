"""What access an open of an existing file gets. [MS-FSA] 2.1.5.1.2.1.

Two judge: the file's descriptor, here, and the storage, which is asked with the caller's rights. Where a descriptor is
stored and as it was set, the storage is overruled; where there is none it has the last word.
"""

from typing import TYPE_CHECKING, Final

from acl import mask
from acl.token import SE_BACKUP, SE_RESTORE, SE_SECURITY, Token
from gateway.nt.constants import FILE_OPEN_FOR_BACKUP_INTENT
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_PRIVILEGE_NOT_HELD, StatusError
from gateway.share.access import Governing, check_access
from gateway.share.auditing import audit
from gateway.share.intent import OpenIntent
from gateway.share.opens import Open
from gateway.share.parents import keep_parent, take_parent
from gateway.share.paths import find_file, open_parent, split
from vfs_backends.api import Handle, Stat
from vfs_backends.native import mypyc_attr

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = [
    "Grant",
    "check_limit",
    "governing_open",
    "grant_at_hand",
    "grant_by_parent",
    "grant_maximal",
    "maximal_access",
]

_INTO_DIRECTORY: Final = mask.FILE_ADD_FILE | mask.FILE_TRAVERSE


@mypyc_attr(free_list_len=1, acyclic=True)
class Grant:
    """The access mask that is granted, and whether what the storage thinks of it matters."""

    __slots__ = ("access", "opens_anyway", "unlinks_anyway")

    def __init__(self, access: int, opens_anyway: bool, unlinks_anyway: bool) -> None:
        self.access = access
        self.opens_anyway = opens_anyway
        self.unlinks_anyway = unlinks_anyway


class _Above:
    """What the caller may do with the directory that a file is in."""

    __slots__ = ("access", "overrules")

    def __init__(self, access: int, overrules: bool) -> None:
        self.access = access
        self.overrules = overrules


_NOTHING_ABOVE: Final = _Above(_INTO_DIRECTORY, False)
"""For the root, whose name is not in anybody's hands."""


def grant_at_hand(
    intent: OpenIntent, token: Token, handle: Handle, governing: Governing, above: _Above | None = None
) -> Grant | None:
    """The access that is granted; None if the directory above has a say in it.

    Raises `StatusError(ACCESS_DENIED)` if it is not all that was asked for.
    """
    wanted = intent.access
    if intent.overwrites or intent.adds_stream:
        # Emptying a file, or adding to it, is writing to it, also for whoever did not ask to write.
        wanted |= mask.FILE_WRITE_DATA
    maximum = wanted & mask.MAXIMUM_ALLOWED
    explicit = wanted & ~mask.MAXIMUM_ALLOWED
    check_limit(intent, token, explicit)
    own = granted = governing.maximal_access(token)
    if maximum or explicit & ~own or (explicit & mask.DELETE and not governing.overrules):
        if above is None:
            return None
        granted = _with_above(governing, own, above)
    missing = explicit & ~granted
    is_backup = bool(intent.options & FILE_OPEN_FOR_BACKUP_INTENT and token.privileges & (SE_BACKUP | SE_RESTORE))
    if missing:
        if missing & mask.DELETE & own and not is_backup:
            audit(governing.descriptor, token, handle.path, wanted, is_granted=False)
            raise StatusError(STATUS_ACCESS_DENIED)
        # For the bits that are privileges, this tells the right status.
        check_access(governing.descriptor, token, missing, handle.path, backup_intent=is_backup)
    access = intent.access & ~mask.MAXIMUM_ALLOWED
    if maximum:
        access |= granted & intent.access_limit
        if not access:
            raise StatusError(STATUS_ACCESS_DENIED)
    if governing.is_audited:
        audit(governing.descriptor, token, handle.path, access, is_granted=True)
    return Grant(
        access,
        governing.overrules or is_backup,
        is_backup or bool(governing.overrules and own & mask.DELETE) or (above is not None and _removes(above)),
    )


async def grant_by_parent(
    share: "Share", intent: OpenIntent, token: Token, handle: Handle, governing: Governing
) -> Grant:
    """The same with a look at that directory. Raises `VfsError`, too."""
    above = await _above(share, token, handle, intent.parent)
    grant = grant_at_hand(intent, token, handle, governing, above)
    assert grant is not None
    return grant


def check_limit(intent: OpenIntent, token: Token, wanted: int) -> None:
    """See that the way by which the caller came allows what is wanted. Raises `StatusError`."""
    limit = intent.access_limit
    if wanted & mask.ACCESS_SYSTEM_SECURITY:
        if not token.has_privilege(SE_SECURITY):
            raise StatusError(STATUS_PRIVILEGE_NOT_HELD)
        if limit & mask.WRITE_DAC:
            # No descriptor grants this right, and no share can be told to.
            limit |= mask.ACCESS_SYSTEM_SECURITY
    if wanted & ~limit:
        raise StatusError(STATUS_ACCESS_DENIED)


async def maximal_access(share: "Share", token: Token, one: Open) -> int:
    """All that a caller may do with an open file, whatever the share allows. Raises `VfsError`."""
    return (await _maximal(share, token, one.handle, await governing_open(share, one, one.created_stat))).access


async def grant_maximal(share: "Share", token: Token, handle: Handle, stat: Stat) -> Grant:
    """All that a caller may do with a file, and whether what the storage thinks of it matters. Raises `VfsError`."""
    return await _maximal(share, token, handle, await share.descriptors.governing(handle, stat))


async def governing_open(share: "Share", one: Open, stat: Stat | None = None) -> Governing:
    """What governs an open file; a stream has the descriptor of its file. `stat`: what the storage has just told.

    Raises `VfsError`.
    """
    if not one.stream:
        return await share.descriptors.governing(one.handle, stat or await one.handle.stat())
    handle = await find_file(share, one)
    try:
        return await share.descriptors.governing(handle, await handle.stat_found(attributes=False))
    finally:
        handle.discard()


async def _maximal(share: "Share", token: Token, handle: Handle, governing: Governing) -> Grant:
    own = governing.maximal_access(token)
    above = await _above(share, token, handle)
    return Grant(
        _with_above(governing, own, above),
        governing.overrules,
        bool(governing.overrules and own & mask.DELETE) or _removes(above),
    )


async def _above(share: "Share", token: Token, handle: Handle, known: Handle | None = None) -> _Above:
    """`known`: the directory, if it is at hand."""
    if not handle.path:
        return _NOTHING_ABOVE
    if known is not None:
        governing = await share.descriptors.governing_kept(known)
    else:
        parent = take_parent(handle, split(handle.path)[0]) or (await open_parent(share, handle.path))[0]
        try:
            governing = await share.descriptors.governing_kept(parent)
        finally:
            keep_parent(handle, parent)
    return _Above(governing.maximal_access(token), governing.overrules)


def _removes(above: _Above) -> bool:
    return bool(above.overrules and above.access & mask.FILE_DELETE_CHILD)


def _with_above(governing: Governing, own: int, above: _Above) -> int:
    """What a directory grants on what is in it: deletion, and the attributes that it lists anyway.

    Where POSIX governs, names belong to their directory, and to delete one's own file takes the right to write there.
    """
    if above.access & mask.FILE_DELETE_CHILD:
        own |= mask.DELETE
    elif not governing.overrules and above.access & _INTO_DIRECTORY != _INTO_DIRECTORY:
        own &= ~mask.DELETE
    return own | (mask.FILE_READ_ATTRIBUTES if above.access & mask.FILE_LIST_DIRECTORY else 0)
