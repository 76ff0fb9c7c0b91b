"""A client comes back for an open that it had before it lost its connection. [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12."""

from collections.abc import Mapping
from typing import NamedTuple

from gateway.nt.status import (
    STATUS_NETWORK_NAME_DELETED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_USER_SESSION_DELETED,
    StatusError,
)
from gateway.nt.upcase import upcase
from gateway.share.disconnected import Absent
from gateway.share.durable import Claim, judge
from gateway.share.leases import BATCH
from gateway.share.record import find_open
from gateway.share.share import Share
from gateway.smb.breaks import OpenHolder
from gateway.smb.context import TreeContext
from gateway.smb.contexts.create import response_contexts
from gateway.smb.contexts.durable import Reconnect
from gateway.smb.contexts.lease import caching_asked, caching_held
from gateway.smb.opens import FileOpen, KeptOpen
from gateway.smb.replays import ReplayKey
from gateway.wire.create import SMB2_OPLOCK_LEVEL_LEASE, CreateRequest
from gateway.wire.create_contexts import CreateContext
from vfs_backends.api import Stat
from vfs_backends.inline import point_of_no_return

__all__ = ["Returned", "find_unanswered", "reconnect"]


class Returned(NamedTuple):
    """An open that is its client's again, and is not entered in the session yet."""

    one: FileOpen
    stat: Stat
    level: int
    contexts: tuple[CreateContext, ...]


async def reconnect(
    ctx: TreeContext, request: CreateRequest, contexts: Mapping[bytes, memoryview | bytes], asked: Reconnect
) -> Returned:
    """Give an open back. Of the request, only the contexts count, and the name if there is a lease.

    Raises `StatusError`: OBJECT_NAME_NOT_FOUND if it is not there (any more), or not for this client.
    """
    session, share, token = ctx.session, ctx.tree.share, ctx.tree.token
    if share is None or token is None:
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    absent, kept = await _find(share, asked)
    if session.identity is None:
        raise StatusError(STATUS_USER_SESSION_DELETED)
    caching = caching_asked(ctx.negotiated, SMB2_OPLOCK_LEVEL_LEASE, contexts)
    file = absent.one
    entry = find_open(share.record(file), file.open_id)
    key = caching.lease_key if caching.lease is not None else None
    claim = Claim(session.identity.account, ctx.negotiated.client_guid, asked.create_guid, key, upcase(request.name))
    status = judge(file, absent.terms, claim, deletes=entry is not None and entry.delete_on_close)
    if status:
        raise StatusError(status)
    answers = await response_contexts(share, file, token, contexts)
    stat = await share.disconnected.look(absent)
    if stat is None:
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    if session.trees.get(ctx.tree.tree_id) is not ctx.tree:
        # The session, or the tree, has ended meanwhile; the open waits on.
        raise StatusError(STATUS_NETWORK_NAME_DELETED)
    point_of_no_return()
    one = FileOpen(file, ctx.connection.service.new_file_id(), ctx.tree)
    share.disconnected.give_back(absent, OpenHolder(one))
    one.act_as(token)
    one.durable, one.lock_sequences = absent.terms, kept.lock_sequences
    if kept.instance is not None:
        session.service.instances.opened(one, kept.instance)
    level, lease = caching_held(share, file, caching._replace(state=BATCH))
    return Returned(one, stat, level, lease + answers)


def find_unanswered(share: Share, key: ReplayKey) -> Reconnect | None:
    """The open that a CREATE which is sent again has come to, if its answer was lost with the connection."""
    for absent in share.disconnected:
        if isinstance(absent.kept, KeptOpen) and absent.kept.replay_key == key:
            return Reconnect(absent.one.open_id, absent.terms.create_guid)
    return None


async def _find(share: Share, asked: Reconnect) -> tuple[Absent, KeptOpen]:
    absent = await share.disconnected.find(asked.persistent_file_id)
    if absent is None or absent.one.share is not share or not isinstance(absent.kept, KeptOpen):
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    return absent, absent.kept
