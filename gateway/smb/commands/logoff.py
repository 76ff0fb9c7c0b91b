"""LOGOFF: [MS-SMB2] 3.3.5.6."""

from gateway.smb.context import SessionContext
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.logoff import LogoffRequest, LogoffResponse
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["handle"]


@command(Opcode.LOGOFF, LogoffRequest, SessionContext)
async def handle(ctx: SessionContext, request: LogoffRequest) -> LogoffResponse:
    """[MS-SMB2] 3.3.5.6. What the session has open is closed first, or waits for its client if it is durable."""
    may_wait()
    point_of_no_return()
    await ctx.session.close()
    return LogoffResponse()
