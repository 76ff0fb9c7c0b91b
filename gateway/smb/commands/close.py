"""CLOSE: [MS-SMB2] 3.3.5.10."""

from typing import Final

from gateway.smb.answer import Answer
from gateway.smb.context import TreeContext
from gateway.smb.opens import FileOpen, SmbOpen
from gateway.smb.registry import command
from gateway.smb.views import attributes_of
from gateway.uncompiled import raise_after
from gateway.wire.close import SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB, CloseRequest, CloseResponse
from gateway.wire.header import Opcode
from vfs_backends.errors import VfsError
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["handle"]

_PLAIN: Final = Answer(CloseResponse().to_bytes())


@command(Opcode.CLOSE, CloseRequest, TreeContext)
async def handle(ctx: TreeContext, request: CloseRequest) -> Answer:
    """[MS-SMB2] 3.3.5.10. Requests on the open that go on come to their end first."""
    one: SmbOpen = ctx.find_open(request.persistent_file_id, request.volatile_file_id)
    busy = one.busy
    if busy:
        may_wait()
    if isinstance(one, FileOpen):
        one.file.share.enter()
    point_of_no_return()
    one.withdraw()
    if busy:
        await one.drained()
    if not request.flags & SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB or not isinstance(one, FileOpen):
        await one.release()
        return _PLAIN
    try:
        answer = await _attributes(one)
    except BaseException as error:  # whatever it is: the open is in no table any more
        ending = raise_after(one.release(), error)
    else:
        await one.release()
        return answer
    await ending


async def _attributes(one: FileOpen) -> Answer:
    """What the file looks like at the end; without the flag if that cannot be told. The CLOSE succeeds all the same."""
    try:
        if one.file.share.write_times is not None:
            await one.file.share.write_times.settle(one.file)
        stat = await one.file.handle.stat()
    except VfsError:
        return _PLAIN
    created, read, written, changed, allocated, size, attributes = attributes_of(one, stat)
    return Answer(CloseResponse.body(created, read, written, changed, allocated, size, attributes))
