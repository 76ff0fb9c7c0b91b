"""TREE_DISCONNECT: [MS-SMB2] 3.3.5.8."""

from gateway.smb.context import TreeContext
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.tree_disconnect import TreeDisconnectRequest, TreeDisconnectResponse
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["handle"]


@command(Opcode.TREE_DISCONNECT, TreeDisconnectRequest, TreeContext)
async def handle(ctx: TreeContext, request: TreeDisconnectRequest) -> TreeDisconnectResponse:
    """[MS-SMB2] 3.3.5.8. What is open in the tree is closed first."""
    may_wait()
    point_of_no_return()
    await ctx.tree.disconnect()
    return TreeDisconnectResponse()
