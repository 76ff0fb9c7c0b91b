"""LOCK: [MS-SMB2] 3.3.5.14."""

from gateway.nt.status import (
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_RANGE_NOT_LOCKED,
    StatusError,
)
from gateway.share.locking import lock, lock_and_wait, unlock
from gateway.share.record import LockEntry
from gateway.smb.context import FileContext
from gateway.smb.lock_sequences import LockSequences
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.lock import (
    SMB2_LOCKFLAG_EXCLUSIVE_LOCK,
    SMB2_LOCKFLAG_FAIL_IMMEDIATELY,
    SMB2_LOCKFLAG_SHARED_LOCK,
    SMB2_LOCKFLAG_UNLOCK,
    LockRequest,
    LockResponse,
)
from gateway.wire.negotiate import DIALECT_300
from vfs_backends.inline import may_wait

__all__ = ["handle"]

_SHARED_NOW = SMB2_LOCKFLAG_SHARED_LOCK | SMB2_LOCKFLAG_FAIL_IMMEDIATELY
_EXCLUSIVE_NOW = SMB2_LOCKFLAG_EXCLUSIVE_LOCK | SMB2_LOCKFLAG_FAIL_IMMEDIATELY
_LOCK_FLAGS = {SMB2_LOCKFLAG_SHARED_LOCK, SMB2_LOCKFLAG_EXCLUSIVE_LOCK, _SHARED_NOW, _EXCLUSIVE_NOW}


@command(Opcode.LOCK, LockRequest, FileContext)
async def handle(ctx: FileContext, request: LockRequest) -> LockResponse:
    """[MS-SMB2] 3.3.5.14."""
    if not request.lock_sequence or ctx.negotiated.dialect < DIALECT_300:
        return await _lock_or_unlock(ctx, request)
    one = ctx.open
    if one.lock_sequences is None:
        one.lock_sequences = LockSequences()
    index, number = request.lock_sequence_index, request.lock_sequence_number
    if one.lock_sequences.is_replay(index, number):
        return LockResponse()
    response = await _lock_or_unlock(ctx, request)
    one.lock_sequences.succeeded(index, number)
    return response


async def _lock_or_unlock(ctx: FileContext, request: LockRequest) -> LockResponse:
    """The first element says whether all lock or all unlock."""
    elements = request.locks
    if not elements:
        raise StatusError(STATUS_INVALID_PARAMETER)
    file = ctx.open.file
    if file.is_directory:
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    share = file.share
    entries = [
        LockEntry(file.open_id, one.offset, one.length, bool(one.flags & SMB2_LOCKFLAG_EXCLUSIVE_LOCK), file.stream)
        for one in elements
    ]
    if elements[0].flags == SMB2_LOCKFLAG_UNLOCK:
        valid = next((i for i, one in enumerate(elements) if one.flags != SMB2_LOCKFLAG_UNLOCK), len(elements))
        await unlock(share.table, share.lock_waiters, file, entries[:valid])
        if valid < len(elements):
            raise StatusError(STATUS_INVALID_PARAMETER)
        return LockResponse()
    if any(one.flags not in _LOCK_FLAGS for one in elements):
        raise StatusError(STATUS_INVALID_PARAMETER)
    waits = not all(one.flags & SMB2_LOCKFLAG_FAIL_IMMEDIATELY for one in elements)
    if waits and len(elements) > 1:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if not waits:
        await lock(share.table, file, entries)
        return LockResponse()
    may_wait()
    if ctx.pending is not None:
        ctx.pending.wait_without_bound(ctx.session)
        with ctx.open.waiting(ctx.pending, STATUS_RANGE_NOT_LOCKED):
            await lock_and_wait(share.table, share.lock_waiters, file, entries[0])
    return LockResponse()
