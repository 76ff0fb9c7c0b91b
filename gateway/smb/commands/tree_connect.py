"""TREE_CONNECT: [MS-SMB2] 3.3.5.7."""

import logging

from acl import mask
from gateway.auth.policy import Identity
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BAD_NETWORK_NAME,
    STATUS_REQUEST_NOT_ACCEPTED,
    StatusError,
)
from gateway.smb.answer import Answer
from gateway.smb.context import SessionContext
from gateway.smb.exports import Export
from gateway.smb.registry import command
from gateway.smb.tree import Tree
from gateway.wire.header import Opcode
from gateway.wire.negotiate import DIALECT_300
from gateway.wire.tree_connect import (
    SMB2_SHARE_TYPE_DISK,
    SMB2_SHARE_TYPE_PIPE,
    SMB2_SHAREFLAG_ENCRYPT_DATA,
    SMB2_SHAREFLAG_NO_CACHING,
    TreeConnectRequest,
    TreeConnectResponse,
)

__all__ = ["handle"]

log = logging.getLogger("gateway.smb")

READ_ONLY_ACCESS = mask.FILE_GENERIC_READ | mask.FILE_GENERIC_EXECUTE


@command(Opcode.TREE_CONNECT, TreeConnectRequest, SessionContext)
async def handle(ctx: SessionContext, request: TreeConnectRequest) -> Answer:
    r"""[MS-SMB2] 3.3.5.7. The path is `\\server\share`; which server, the client knows best."""
    session = ctx.session
    service = ctx.connection.service
    identity = session.identity
    export = service.exports.get(request.path.rpartition("\\")[2])
    if export is None:
        raise StatusError(STATUS_BAD_NETWORK_NAME)
    if identity is None or not _may_connect(export, identity):
        raise StatusError(STATUS_ACCESS_DENIED)
    if export.encrypt and session.security.sealer is None:
        raise StatusError(STATUS_ACCESS_DENIED)
    if 0 < export.max_connections <= export.connections:
        raise StatusError(STATUS_REQUEST_NOT_ACCEPTED)
    access = _maximal_access(export, identity)
    limit = service.limits.max_trees_per_session
    tree = session.add_tree(lambda tree_id: Tree(tree_id, session, export, access), limit)
    log.info("%s connected to %s", identity.user or "anonymous", export.name)
    return Answer(_response(ctx, export, tree).to_bytes(), tree_id=tree.tree_id)


def _may_connect(export: Export, identity: Identity) -> bool:
    if export.share is None:
        return True
    if (identity.is_guest or identity.is_anonymous) and not export.guest_ok:
        return False
    return export.may_connect(identity)


def _maximal_access(export: Export, identity: Identity) -> int:
    if export.share is None:
        return mask.FILE_ALL_ACCESS
    return mask.FILE_ALL_ACCESS if export.may_write(identity) else READ_ONLY_ACCESS


def _response(ctx: SessionContext, export: Export, tree: Tree) -> TreeConnectResponse:
    negotiated = ctx.connection.negotiated
    seals = negotiated is not None and negotiated.dialect >= DIALECT_300 and ctx.session.security.sealer is not None
    flags = SMB2_SHAREFLAG_NO_CACHING if export.share is None else 0
    if seals and (export.encrypt or export.encrypt_if_possible):
        flags |= SMB2_SHAREFLAG_ENCRYPT_DATA
    return TreeConnectResponse(
        share_type=SMB2_SHARE_TYPE_PIPE if export.share is None else SMB2_SHARE_TYPE_DISK,
        share_flags=flags,
        maximal_access=tree.maximal_access,
    )
