"""TREE_CONNECT: [MS-SMB2] 3.3.5.7."""

import logging

from acl import mask
from gateway.auth.policy import Identity
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BAD_NETWORK_NAME,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_USER_SESSION_DELETED,
    StatusError,
)
from gateway.protocol.errors import ProtocolError
from gateway.smb.answer import Answer
from gateway.smb.context import SessionContext
from gateway.smb.exports import Export, Visitor
from gateway.smb.registry import command
from gateway.smb.tree import Tree
from gateway.wire.header import Opcode
from gateway.wire.negotiate import DIALECT_300, DIALECT_311
from gateway.wire.tree_connect import (
    SMB2_SHARE_TYPE_DISK,
    SMB2_SHARE_TYPE_PIPE,
    SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM,
    SMB2_SHAREFLAG_ENCRYPT_DATA,
    SMB2_SHAREFLAG_NO_CACHING,
    TreeConnectRequest,
    TreeConnectResponse,
)
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["handle"]

log = logging.getLogger("gateway.smb")

_DIALECTS = {0x0202: "SMB2_02", 0x0210: "SMB2_10", 0x0300: "SMB3_00", 0x0302: "SMB3_02", 0x0311: "SMB3_11"}
READ_ONLY_ACCESS = mask.FILE_GENERIC_READ | mask.FILE_GENERIC_EXECUTE


@command(Opcode.TREE_CONNECT, TreeConnectRequest, SessionContext)
async def handle(ctx: SessionContext, request: TreeConnectRequest) -> Answer:
    r"""[MS-SMB2] 3.3.5.7. The path is `\\server\share`; which server, the client knows best."""
    session = ctx.session
    service = ctx.connection.service
    identity = session.identity
    protected = ctx.request.signed or ctx.request.sealed
    if ctx.negotiated.dialect == DIALECT_311 and session.security.signer is not None and not protected:
        # Somebody between the two may have changed the NEGOTIATE: only this tells.
        raise ProtocolError("a TREE_CONNECT at 3.1.1 that is neither signed nor sealed")
    export = service.exports.get(request.path.rpartition("\\")[2])
    if export is None:
        raise StatusError(STATUS_BAD_NETWORK_NAME)
    visitor = _visitor(ctx, identity) if identity is not None else None
    if visitor is None or not _may_connect(export, visitor):
        raise StatusError(STATUS_ACCESS_DENIED)
    if session.token is not None:
        export.token_of(visitor, session.token)
    if export.encrypt and session.security.sealer is None:
        raise StatusError(STATUS_ACCESS_DENIED)
    if 0 < export.max_connections <= export.connections:
        raise StatusError(STATUS_REQUEST_NOT_ACCEPTED)
    may_wait()
    share = await export.store.open(visitor) if export.store is not None else None
    point_of_no_return()
    if session.closed:
        raise StatusError(STATUS_USER_SESSION_DELETED)
    access = _maximal_access(export, visitor)
    limit = service.limits.max_trees_per_session
    tree = session.add_tree(lambda tree_id: Tree(tree_id, session, export, share, access, visitor), limit)
    log.info("%s connected to %s", visitor.identity.user or "anonymous", export.name)
    return Answer(_response(ctx, export, tree).to_bytes(), tree_id=tree.tree_id)


def _visitor(ctx: SessionContext, identity: Identity) -> Visitor:
    connection = ctx.connection
    dialect = _DIALECTS.get(ctx.negotiated.dialect, "")
    return Visitor(identity, connection.address, connection.server_address, dialect)


def _may_connect(export: Export, visitor: Visitor) -> bool:
    if export.store is None:
        return True
    identity = visitor.identity
    if (identity.is_guest or identity.is_anonymous) and not export.guest_ok:
        return False
    return export.may_connect(visitor)


def _maximal_access(export: Export, visitor: Visitor) -> int:
    if export.store is None:
        return mask.FILE_ALL_ACCESS
    return mask.FILE_ALL_ACCESS if export.may_write(visitor) else READ_ONLY_ACCESS


def _response(ctx: SessionContext, export: Export, tree: Tree) -> TreeConnectResponse:
    negotiated = ctx.connection.negotiated
    seals = negotiated is not None and negotiated.dialect >= DIALECT_300 and ctx.session.security.sealer is not None
    flags = SMB2_SHAREFLAG_NO_CACHING if export.store is None else 0
    if seals and (export.encrypt or export.encrypt_if_possible):
        flags |= SMB2_SHAREFLAG_ENCRYPT_DATA
    if export.hide_unreadable:
        flags |= SMB2_SHAREFLAG_ACCESS_BASED_DIRECTORY_ENUM
    return TreeConnectResponse(
        share_type=SMB2_SHARE_TYPE_PIPE if export.store is None else SMB2_SHARE_TYPE_DISK,
        share_flags=flags,
        maximal_access=tree.maximal_access,
    )
