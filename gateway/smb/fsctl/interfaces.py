"""FSCTL_QUERY_NETWORK_INTERFACE_INFO: by which addresses a client may make more connections. [MS-SMB2] 3.3.5.15.11."""

from ipaddress import ip_address

from gateway.nt.constants import FSCTL_QUERY_NETWORK_INTERFACE_INFO
from gateway.nt.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST, StatusError
from gateway.smb.context import TreeContext
from gateway.smb.fsctl.registry import Output, control
from gateway.smb.opens import SmbOpen
from gateway.wire.ioctl import IoctlRequest
from gateway.wire.negotiate import DIALECT_300
from gateway.wire.network_interface import pack_interfaces

__all__ = ["query"]


@control(FSCTL_QUERY_NETWORK_INTERFACE_INFO, needs_open=False)
async def query(ctx: TreeContext, request: IoctlRequest, _: SmbOpen | None) -> Output:
    """Tell of the server's addresses. Those of the loopback interface are for who has come by it."""
    service = ctx.connection.service
    if not service.negotiate_policy.multi_channel or ctx.negotiated.dialect < DIALECT_300:
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    own = ctx.connection.server_address
    is_local = bool(own) and ip_address(own.partition("%")[0]).is_loopback
    data = pack_interfaces([one for one in service.interfaces() if one.address.is_loopback == is_local])
    if len(data) > request.max_output_response:
        raise StatusError(STATUS_BUFFER_TOO_SMALL)
    return Output(data)
