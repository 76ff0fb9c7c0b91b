"""FSCTL_VALIDATE_NEGOTIATE_INFO: [MS-SMB2] 3.3.5.15.12."""

from gateway.nt.constants import FSCTL_VALIDATE_NEGOTIATE_INFO
from gateway.nt.status import STATUS_INVALID_PARAMETER, StatusError
from gateway.protocol.errors import ProtocolError
from gateway.smb.context import TreeContext
from gateway.smb.fsctl.registry import Output, control
from gateway.smb.opens import SmbOpen
from gateway.wire.ioctl import IoctlRequest
from gateway.wire.validate_negotiate import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse

__all__ = ["validate"]


@control(FSCTL_VALIDATE_NEGOTIATE_INFO, needs_open=False)
async def validate(ctx: TreeContext, request: IoctlRequest, _: SmbOpen | None) -> Output:
    """Prove to the client that nobody changed its NEGOTIATE; if somebody did, the connection ends."""
    negotiated = ctx.negotiated
    claimed = ValidateNegotiateInfoRequest.parse(request.input)
    answer = ValidateNegotiateInfoResponse(
        capabilities=negotiated.capabilities,
        guid=ctx.connection.service.guid,
        security_mode=negotiated.security_mode,
        dialect=negotiated.dialect,
    ).pack()
    if request.max_output_response < len(answer):
        raise StatusError(STATUS_INVALID_PARAMETER)
    same = (
        claimed.capabilities == negotiated.client_capabilities
        and claimed.guid == negotiated.client_guid
        and claimed.security_mode == negotiated.client_security_mode
        and claimed.dialects == negotiated.client_dialects
    )
    if not same:
        raise ProtocolError("the client's NEGOTIATE was changed on its way")
    return Output(answer)
