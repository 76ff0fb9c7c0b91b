"""Controls of named pipes. [MS-SMB2] 3.3.5.15.10, [MS-FSCC] 2.3.49."""

from gateway.nt.constants import FSCTL_PIPE_TRANSCEIVE
from gateway.nt.status import STATUS_BUFFER_OVERFLOW, STATUS_INVALID_DEVICE_REQUEST, STATUS_SUCCESS, StatusError
from gateway.smb.context import TreeContext
from gateway.smb.fsctl.registry import Output, control
from gateway.smb.opens import PipeOpen, SmbOpen
from gateway.wire.ioctl import IoctlRequest
from vfs_backends.inline import point_of_no_return

__all__ = ["transceive"]


@control(FSCTL_PIPE_TRANSCEIVE)
async def transceive(ctx: TreeContext, request: IoctlRequest, one: SmbOpen | None) -> Output:
    """Write a message to the pipe, and read its answer."""
    if not isinstance(one, PipeOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    point_of_no_return()
    data, more = one.pipe.transact(request.input, request.max_output_response)
    return Output(data, STATUS_BUFFER_OVERFLOW if more else STATUS_SUCCESS)
