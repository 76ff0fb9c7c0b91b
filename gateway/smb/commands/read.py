"""READ: [MS-SMB2] 3.3.5.12."""

from typing import Final

from acl.mask import FILE_EXECUTE, FILE_READ_DATA
from gateway.nt.constants import LARGEST_OFFSET
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_END_OF_FILE,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
    StatusError,
)
from gateway.protocol.framing import SMALL_BUFFER
from gateway.share.opens import Open
from gateway.smb.answer import Answer, Result
from gateway.smb.context import OpenContext
from gateway.smb.opens import FileOpen, PipeOpen, SmbOpen
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.read import READ_HEADROOM, ReadRequest, ReadResponse

__all__ = ["handle"]

_HEADROOM: Final = READ_HEADROOM
_WORTHWHILE: Final = 128 * 1024
"""From so many bytes on it is cheaper to send them from the page cache than to copy them."""
_READS: Final = FILE_READ_DATA | FILE_EXECUTE


@command(Opcode.READ, ReadRequest, OpenContext)
async def handle(ctx: OpenContext, request: ReadRequest) -> Result:
    """[MS-SMB2] 3.3.5.12."""
    one, length, offset = ctx.open, request.length, request.offset
    if length > ctx.negotiated.max_read_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(length)
    if not isinstance(one, FileOpen):
        return _read_pipe(one, length)
    if one.file.is_directory:
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    if not one.granted_access & _READS:
        raise StatusError(STATUS_ACCESS_DENIED)
    if offset > LARGEST_OFFSET or offset + length > LARGEST_OFFSET:
        raise StatusError(STATUS_INVALID_PARAMETER)
    size = _HEADROOM + length
    if length > SMALL_BUFFER:
        if length >= _WORTHWHILE and (answer := await _lend(ctx, one.file, request)) is not None:
            return answer
        return await _read_much(ctx, one.file, request, size)
    file, buffer = one.file, bytearray(size)
    data = memoryview(buffer)[_HEADROOM:]
    count = file.share.read_at_hand(file, offset, data)
    if count < 0:
        count = await file.share.read_into(file, offset, data)
    filled = _answered(file, request, buffer, count)
    if filled < size:
        data.release()  # or the buffer could not be resized
        del buffer[filled:]
    return buffer


async def _lend(ctx: OpenContext, file: Open, request: ReadRequest) -> Answer | None:
    """Answer with what is to be sent from where the storage keeps it; None if that cannot be.

    Inline only: there, nothing comes between here and the outbox, which has the extent released.
    """
    carrier = ctx.request
    if carrier.signed or carrier.sealed or ctx.pending is not None:
        return None
    if not ctx.compound.is_first or carrier.header.next_command:
        return None
    length = request.length
    extent = await file.share.extent(file, request.offset, length)
    if extent is None:
        return None
    body = bytearray(_HEADROOM)
    ReadResponse.pack_into(body, length)
    file.position = request.offset + length
    answer = Answer(body, headroom=True)
    answer.extent = extent
    return answer


async def _read_much(ctx: OpenContext, file: Open, request: ReadRequest, size: int) -> Answer:
    """Read into memory that is taken from the budget, and lent by the pool, until the answer has been sent."""
    service = ctx.connection.service
    await _reserve(ctx, request.length)
    buffer = service.buffers.take(size)
    try:
        data = buffer[_HEADROOM:size]
        filled = _answered(file, request, buffer, await file.share.read_into(file, request.offset, data))
    except BaseException:  # also if it is cancelled: the budget is everybody's
        service.budget.give(request.length)
        raise
    answer = Answer(buffer[:filled], headroom=True)
    answer.reserved, answer.lent = request.length, buffer
    return answer


async def _reserve(ctx: OpenContext, size: int) -> None:
    """Take memory, and wait for it; but not while other memory is held, or all could come to wait for each other."""
    budget, pending = ctx.connection.service.budget, ctx.pending
    if pending is None or not pending.exchange.held:
        await budget.take(size)
    elif not budget.try_take(size):
        raise StatusError(STATUS_INSUFFICIENT_RESOURCES)


def _answered(file: Open, request: ReadRequest, buffer: bytearray | memoryview, count: int) -> int:
    """Make an answer of the `count` bytes that were read to where they belong in it; its size."""
    if count < request.minimum_count or (count == 0 and request.length):
        raise StatusError(STATUS_END_OF_FILE)
    file.position = request.offset + count
    ReadResponse.pack_into(buffer, count)
    return _HEADROOM + count


def _read_pipe(one: SmbOpen, length: int) -> Answer:
    if not isinstance(one, PipeOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    data, more = one.pipe.read(length)
    buffer = bytearray(_HEADROOM) + data
    ReadResponse.pack_into(buffer, len(data))
    return Answer(buffer, STATUS_BUFFER_OVERFLOW if more else STATUS_SUCCESS, headroom=True)
