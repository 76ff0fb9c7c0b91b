"""CHANGE_NOTIFY: [MS-SMB2] 3.3.5.19."""

from acl.mask import FILE_LIST_DIRECTORY
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DELETE_PENDING,
    STATUS_INVALID_PARAMETER,
    STATUS_NOTIFY_CLEANUP,
    STATUS_NOTIFY_ENUM_DIR,
    StatusError,
)
from gateway.share.notify import Change, Watch
from gateway.smb.answer import Answer
from gateway.smb.context import FileContext
from gateway.smb.info.notify import pack_changes
from gateway.smb.opens import FileOpen
from gateway.smb.registry import command
from gateway.wire.change_notify import SMB2_WATCH_TREE, ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.header import Opcode
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["handle"]


@command(Opcode.CHANGE_NOTIFY, ChangeNotifyRequest, FileContext)
async def handle(ctx: FileContext, request: ChangeNotifyRequest) -> Answer:
    """[MS-SMB2] 3.3.5.19. What happens between two requests is told by the second one."""
    one = ctx.open
    length = request.output_buffer_length
    if not one.file.is_directory or length > ctx.negotiated.max_transact_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(length)
    if not one.granted_access & FILE_LIST_DIRECTORY:
        raise StatusError(STATUS_ACCESS_DENIED)
    watch = _watch(one, request)
    if watch and not watch.is_awaited:
        point_of_no_return()
        changes = watch.take()
    else:
        watch.line_up(ctx.request.header.message_id)
        may_wait()
        changes = await _wait(ctx, watch)
    if watch.is_doomed and not changes:
        raise StatusError(STATUS_DELETE_PENDING)
    output = pack_changes(changes, min(length, watch.limit)) if changes is not None else None
    if output is None:
        return Answer(ChangeNotifyResponse().to_bytes(), STATUS_NOTIFY_ENUM_DIR)
    return Answer(ChangeNotifyResponse(output=output).to_bytes())


def _watch(one: FileOpen, request: ChangeNotifyRequest) -> Watch:
    """The watch of an open: the first request says for good what it is for ([MS-FSA] 2.1.5.11)."""
    if one.watch is None:
        recursive = bool(request.flags & SMB2_WATCH_TREE)
        one.watch = Watch(one.file, request.completion_filter, request.output_buffer_length, recursive=recursive)
        one.file.share.watches.add(one.watch)
    return one.watch


async def _wait(ctx: FileContext, watch: Watch) -> list[Change] | None:
    pending = ctx.pending
    if pending is None:
        raise RuntimeError("a request waits that is in no task")
    ticket = ctx.request.header.message_id
    try:
        pending.wait_without_bound(ctx.session)
        with ctx.open.waiting(pending, STATUS_NOTIFY_CLEANUP):
            return await watch.happened(ticket)
    finally:
        watch.leave(ticket)
