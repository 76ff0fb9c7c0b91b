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
from gateway.protocol.message import HEADROOM
from gateway.share.opens import Open
from gateway.smb.answer import Answer
from gateway.smb.context import OpenContext
from gateway.smb.opens import FileOpen, PipeOpen, SmbOpen
from gateway.smb.registry import Begun, command
from gateway.wire.header import Opcode
from gateway.wire.read import READ_RESPONSE_SIZE, ReadRequest, ReadResponse

__all__ = ["handle"]

_HEADROOM: Final = HEADROOM + READ_RESPONSE_SIZE
"""What stands in front of the data."""
_LEAD: Final = -_HEADROOM % 64
"""Free bytes in front of that in large storage: the data are then at the beginning of a cache line."""
_WORTHWHILE: Final = 128 * 1024
"""From so many bytes on it is cheaper to send them from the page cache than to copy them."""
_READS: Final = FILE_READ_DATA | FILE_EXECUTE


@command(Opcode.READ, ReadRequest, OpenContext)
def handle(ctx: OpenContext, request: ReadRequest) -> Begun:
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
    if length > SMALL_BUFFER:
        return _read_much(ctx, one.file, request)
    file, buffer = one.file, bytearray(_HEADROOM + length)
    data = memoryview(buffer)[_HEADROOM:]
    count = file.share.read_at_hand(file, offset, data)
    if count < 0:
        return _read_later(file, request, buffer, data)
    return _shortened(buffer, data, _answered(file, request, buffer, count))


async def _read_later(file: Open, request: ReadRequest, buffer: bytearray, data: memoryview) -> bytearray:
    count = await file.share.read_into(file, request.offset, data)
    return _shortened(buffer, data, _answered(file, request, buffer, count))


def _shortened(buffer: bytearray, data: memoryview, filled: int) -> bytearray:
    """As much of an answer as is `filled`, without the view of its data."""
    if filled < len(buffer):
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
    ReadResponse.pack_into(body, HEADROOM, length)
    file.position = request.offset + length
    answer = Answer(body, headroom=True)
    answer.extent = extent
    return answer


async def _read_much(ctx: OpenContext, file: Open, request: ReadRequest) -> Answer:
    """Lend what is to be sent, or read it into memory that is taken from the budget until the answer has left."""
    length = request.length
    if length >= _WORTHWHILE and (answer := await _lend(ctx, file, request)) is not None:
        return answer
    service = ctx.connection.service
    await _reserve(ctx, length)
    lent = service.buffers.take(_LEAD + _HEADROOM + length)
    buffer = lent[_LEAD:]
    try:
        data = buffer[_HEADROOM : _HEADROOM + length]
        filled = _answered(file, request, buffer, await file.share.read_into(file, request.offset, data))
    except BaseException:  # also if it is cancelled: the budget is everybody's
        service.budget.give(length)
        raise
    answer = Answer(buffer[:filled], headroom=True)
    answer.reserved, answer.lent = length, lent
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
    ReadResponse.pack_into(buffer, HEADROOM, count)
    return _HEADROOM + count


def _read_pipe(one: SmbOpen, length: int) -> Answer:
    if not isinstance(one, PipeOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    data, more = one.pipe.read(length)
    buffer = bytearray(_HEADROOM) + data
    ReadResponse.pack_into(buffer, HEADROOM, len(data))
    return Answer(buffer, STATUS_BUFFER_OVERFLOW if more else STATUS_SUCCESS, headroom=True)
