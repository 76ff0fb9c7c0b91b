"""Object ids. [MS-FSCC] 2.3.1, 2.1.3.1, [MS-SMB2] 3.3.5.15."""

import struct

from gateway.nt.constants import FSCTL_CREATE_OR_GET_OBJECT_ID
from gateway.nt.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, StatusError
from gateway.smb.context import TreeContext
from gateway.smb.fsctl.registry import Output, control
from gateway.smb.opens import FileOpen, SmbOpen
from gateway.wire.ioctl import IoctlRequest

__all__ = ["create_or_get"]

_BUFFER = struct.Struct("<QQQ8xQQ16x")
"""FILE_OBJECTID_BUFFER, type 1: ObjectId, BirthVolumeId, BirthObjectId, DomainId."""


@control(FSCTL_CREATE_OR_GET_OBJECT_ID)
async def create_or_get(ctx: TreeContext, request: IoctlRequest, one: SmbOpen | None) -> Output:
    """The id of a file: made of its volume's and its own number, so every file has had one all along."""
    if not isinstance(one, FileOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    if request.max_output_response < _BUFFER.size:
        raise StatusError(STATUS_BUFFER_TOO_SMALL)
    volume, inode = one.file.share.volume_id, one.file.node_id.inode
    return Output(_BUFFER.pack(volume, inode, volume, volume, inode))
