"""What the server tells about itself by RPC."""

import time
from collections.abc import Iterable

from gateway.auth.policy import Identity
from gateway.config import Config
from gateway.rpc.interface import Caller, ShareInfo, ShareType, StaticServerInfo
from gateway.rpc.names import Names
from gateway.smb.exports import Exports, Visitor

__all__ = ["make_rpc_info"]


def make_rpc_info(config: Config, exports: Exports, names: Names) -> StaticServerInfo:
    """Name, description, shares, users and groups; paths stay the server's own business."""

    def shares(caller: Caller) -> Iterable[ShareInfo]:
        identity = Identity(caller.user_name, caller.domain, "", b"", is_anonymous=caller.is_anonymous)
        visitor = Visitor(identity, "", "", "")
        for export in exports:
            if export.hides_from_others and not export.may_connect(visitor):
                continue
            is_ipc = export.store is None
            kind = ShareType.IPC | ShareType.SPECIAL if is_ipc else ShareType.DISKTREE
            yield ShareInfo(
                export.name,
                kind,
                export.comment,
                hidden=not export.browseable and not is_ipc,
                current_uses=export.connections,
            )

    return StaticServerInfo(
        config.netbios_name, shares, time.time, names, comment=config.server_string, domain=config.workgroup
    )
