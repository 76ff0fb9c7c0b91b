"""DFS referrals: [MS-SMB2] 3.3.5.15.2. There is no DFS here, and clients ask all the same."""

from gateway.nt.constants import FSCTL_DFS_GET_REFERRALS, FSCTL_DFS_GET_REFERRALS_EX
from gateway.nt.status import STATUS_FS_DRIVER_REQUIRED, StatusError
from gateway.smb.context import TreeContext
from gateway.smb.fsctl.registry import Output, control
from gateway.smb.opens import SmbOpen
from gateway.wire.ioctl import IoctlRequest

__all__ = ["refer"]


@control(FSCTL_DFS_GET_REFERRALS, needs_open=False)
@control(FSCTL_DFS_GET_REFERRALS_EX, needs_open=False)
async def refer(ctx: TreeContext, request: IoctlRequest, _: SmbOpen | None) -> Output:
    """Say that nothing here is a DFS link; clients then take the path as it is."""
    raise StatusError(STATUS_FS_DRIVER_REQUIRED)
