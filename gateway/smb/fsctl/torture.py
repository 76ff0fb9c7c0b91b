"""Controls by which Samba's smbtorture disturbs a server, to see what becomes of others.

Importing this module enters them in the tables. Only a server that was told twice to heed them does so, by
`smbd:fsctl_smbtorture` and on its command line; for all others there are no such controls.
"""

from typing import Any, Final

import trio

from gateway.nt.status import (
    STATUS_FILE_CLOSED,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_USER_SESSION_DELETED,
    StatusError,
)
from gateway.protocol.message import HEADROOM
from gateway.smb.answer import Answer, Result
from gateway.smb.context import ConnectionContext, OpenContext, TreeContext
from gateway.smb.fsctl.registry import Output, control
from gateway.smb.opens import FileOpen, SmbOpen
from gateway.smb.registry import COMMANDS, SESSIONLESS, Command
from gateway.wire.header import Opcode
from gateway.wire.ioctl import IoctlRequest, IoctlResponse
from gateway.wire.read import READ_HEADROOM, READ_RESPONSE_SIZE
from vfs_backends.inline import may_wait

__all__ = ["FORCE_UNACKED_TIMEOUT", "FSP_ASYNC_SLEEP", "GLOBAL_READ_RESPONSE_BODY_PADDING8"]

FORCE_UNACKED_TIMEOUT: Final = 0x83848003
IOCTL_RESPONSE_BODY_PADDING8: Final = 0x83848013
GLOBAL_READ_RESPONSE_BODY_PADDING8: Final = 0x83848023
FSP_ASYNC_SLEEP: Final = 0x83848043

_PADDING: Final = 8
_DATA_OFFSET_AT: Final = HEADROOM + 2
_FIXED_AT: Final = HEADROOM + READ_RESPONSE_SIZE


def _check_no_input(request: IoctlRequest) -> None:
    if len(request.input):
        raise StatusError(STATUS_INVALID_PARAMETER)


@control(FORCE_UNACKED_TIMEOUT, needs_open=False)
async def force_unacked_timeout(ctx: TreeContext, request: IoctlRequest, _: SmbOpen | None) -> Output:
    """From now on take it that this client's system acknowledges nothing that is sent to it."""
    _fall_silent(ctx, request)
    return Output()


def _fall_silent(ctx: ConnectionContext, request: IoctlRequest) -> None:
    _check_no_input(request)
    ctx.connection.delivery.pretends_silence = True


async def _ioctl(ctx: ConnectionContext, request: IoctlRequest) -> Answer:
    """smbtorture sends that one without a session."""
    if request.ctl_code != FORCE_UNACKED_TIMEOUT:
        raise StatusError(STATUS_USER_SESSION_DELETED)
    _fall_silent(ctx, request)
    response = IoctlResponse(
        ctl_code=request.ctl_code,
        persistent_file_id=request.persistent_file_id,
        volatile_file_id=request.volatile_file_id,
    )
    return Answer(response.to_bytes(), session_id=0)


SESSIONLESS[Opcode.IOCTL] = Command(IoctlRequest.parse, _ioctl, ConnectionContext.LEVEL)


@control(IOCTL_RESPONSE_BODY_PADDING8, needs_open=False)
async def ioctl_response_body_padding(_: TreeContext, request: IoctlRequest, __: SmbOpen | None) -> Output:
    """Answer with as many eights as asked for, and with eight bytes more before them than there have to be."""
    _check_no_input(request)
    return Output(bytes([8]) * request.max_output_response, padding=_PADDING)


@control(GLOBAL_READ_RESPONSE_BODY_PADDING8, needs_open=False)
async def global_read_response_body_padding(ctx: TreeContext, request: IoctlRequest, _: SmbOpen | None) -> Output:
    """From now on let eight bytes stand before the data of all that is read on this connection."""
    _check_no_input(request)
    _padded.add(ctx.connection.number)
    return Output()


@control(FSP_ASYNC_SLEEP)
async def fsp_async_sleep(_: TreeContext, request: IoctlRequest, one: SmbOpen | None) -> Output:
    """Keep an open in use for so many milliseconds, and see whether it is still there then."""
    if len(request.input) != 1:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if not isinstance(one, FileOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    may_wait()
    await trio.sleep(request.input[0] / 1000)
    if one.file.closed:
        raise StatusError(STATUS_FILE_CLOSED)
    return Output()


_padded: set[int] = set()
"""The numbers of the connections whose READs are answered with padding: of no more than a torturer opens."""
_READ = COMMANDS[Opcode.READ]


async def _read(ctx: OpenContext, request: Any) -> Result:
    begun = _READ.handler(ctx, request)
    answer = begun if isinstance(begun, (Answer, bytearray)) else await begun
    body = answer.body if isinstance(answer, Answer) else answer
    if isinstance(body, bytearray) and ctx.connection.number in _padded:
        body[_DATA_OFFSET_AT] = READ_HEADROOM + _PADDING
        body[_FIXED_AT:_FIXED_AT] = bytes(_PADDING)
    return answer


COMMANDS[Opcode.READ] = Command(_READ.parse, _read, _READ.level)
