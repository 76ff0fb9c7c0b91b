"""CHANGE_NOTIFY: [MS-SMB2] 3.3.5.19."""

import trio

from acl.mask import FILE_LIST_DIRECTORY
from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, StatusError
from gateway.smb.context import FileContext
from gateway.smb.registry import command
from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.header import Opcode
from vfs_backends.inline import may_wait

__all__ = ["handle"]


@command(Opcode.CHANGE_NOTIFY, ChangeNotifyRequest, FileContext)
async def handle(ctx: FileContext, request: ChangeNotifyRequest) -> ChangeNotifyResponse:
    """[MS-SMB2] 3.3.5.19. Waits until it is cancelled or its directory is closed; changes are not told yet.

    A refusal would be worse than waiting: macOS hangs on unmounting when its request is answered with an error.
    """
    one = ctx.open
    if not one.file.is_directory or request.output_buffer_length > ctx.negotiated.max_transact_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(request.output_buffer_length)
    if not one.granted_access & FILE_LIST_DIRECTORY:
        raise StatusError(STATUS_ACCESS_DENIED)
    may_wait()
    pending = ctx.pending
    if pending is None:
        raise RuntimeError("a request waits that is in no task")
    pending.wait_without_bound(ctx.session)
    one.waiters.add(pending)
    try:
        await trio.sleep_forever()
    finally:
        one.waiters.discard(pending)
