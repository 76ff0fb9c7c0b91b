"""WRITE: [MS-SMB2] 3.3.5.13."""

from acl.mask import FILE_APPEND_DATA, FILE_WRITE_DATA
from gateway.nt.constants import FILE_WRITE_THROUGH, LARGEST_OFFSET
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    StatusError,
)
from gateway.protocol.message import HEADROOM
from gateway.smb.context import OpenContext
from gateway.smb.opens import FileOpen, PipeOpen, SmbOpen
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.write import SMB2_WRITEFLAG_WRITE_THROUGH, WriteRequest, WriteResponse
from vfs_backends.inline import point_of_no_return

__all__ = ["handle"]


@command(Opcode.WRITE, WriteRequest, OpenContext)
async def handle(ctx: OpenContext, request: WriteRequest) -> bytearray:
    """[MS-SMB2] 3.3.5.13."""
    one = ctx.open
    data = request.data
    length = len(data)
    if length > ctx.negotiated.max_write_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(length)
    if not isinstance(one, FileOpen):
        return _write_pipe(one, data)
    if one.file.is_directory:
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    granted = one.granted_access
    if not granted & (FILE_WRITE_DATA | FILE_APPEND_DATA):
        raise StatusError(STATUS_ACCESS_DENIED)
    offset = request.offset
    if offset > LARGEST_OFFSET or offset + length > LARGEST_OFFSET:
        raise StatusError(STATUS_INVALID_PARAMETER)
    file = one.file
    through = bool(request.flags & SMB2_WRITEFLAG_WRITE_THROUGH or file.options & FILE_WRITE_THROUGH)
    if length:
        await file.share.write(file, offset, data, through=through)
    file.position = offset + length
    return WriteResponse.behind(HEADROOM, length)


def _write_pipe(one: SmbOpen, data: memoryview) -> bytearray:
    if not isinstance(one, PipeOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    point_of_no_return()
    return WriteResponse.behind(HEADROOM, one.pipe.write(data))
