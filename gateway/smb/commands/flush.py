"""FLUSH: [MS-SMB2] 3.3.5.11."""

from acl.mask import FILE_ADD_FILE, FILE_ADD_SUBDIRECTORY, FILE_APPEND_DATA, FILE_WRITE_DATA
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.smb.context import OpenContext
from gateway.smb.opens import FileOpen
from gateway.smb.registry import command
from gateway.wire.flush import FlushRequest, FlushResponse
from gateway.wire.header import Opcode

__all__ = ["handle"]

_WRITES = FILE_WRITE_DATA | FILE_APPEND_DATA | FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY


@command(Opcode.FLUSH, FlushRequest, OpenContext)
async def handle(ctx: OpenContext, request: FlushRequest) -> FlushResponse:
    """[MS-SMB2] 3.3.5.11. A pipe has nothing to flush: what was written is with its service."""
    one = ctx.open
    if isinstance(one, FileOpen):
        if not one.granted_access & _WRITES:
            raise StatusError(STATUS_ACCESS_DENIED)
        await one.file.share.flush(one.file)
    return FlushResponse()
