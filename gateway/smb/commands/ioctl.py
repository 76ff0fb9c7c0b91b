"""IOCTL: [MS-SMB2] 3.3.5.15."""

from gateway.nt.status import STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, StatusError
from gateway.smb.answer import Answer
from gateway.smb.context import TreeContext
from gateway.smb.fsctl.registry import CONTROLS
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.ioctl import NO_FILE_ID, SMB2_0_IOCTL_IS_FSCTL, IoctlRequest, IoctlResponse

__all__ = ["handle"]


@command(Opcode.IOCTL, IoctlRequest, TreeContext)
async def handle(ctx: TreeContext, request: IoctlRequest) -> Answer:
    """[MS-SMB2] 3.3.5.15."""
    if request.flags != SMB2_0_IOCTL_IS_FSCTL:
        raise StatusError(STATUS_NOT_SUPPORTED)
    limit = ctx.negotiated.max_transact_size
    largest = max(len(request.input), request.max_input_response + request.max_output_response)
    if max(len(request.input), request.max_input_response, request.max_output_response) > limit:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(largest)
    control = CONTROLS.get(request.ctl_code)
    persistent, volatile = request.persistent_file_id, request.volatile_file_id
    one = None
    names_file = persistent != NO_FILE_ID or volatile != NO_FILE_ID or ctx.compound.related
    if (control is not None and control.needs_open) or (control is None and names_file):
        one = ctx.find_open(persistent, volatile)
    if control is None:
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    if one is not None and ctx.pending is not None:
        with one.in_use():
            output = await control.handler(ctx, request, one)
    else:
        output = await control.handler(ctx, request, one)
    response = IoctlResponse(
        ctl_code=request.ctl_code, persistent_file_id=persistent, volatile_file_id=volatile, output=output.data
    )
    return Answer(response.to_bytes(output.padding), output.status)
