"""SET_INFO: [MS-SMB2] 3.3.5.21."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from acl.descriptor import SecurityDescriptor
from gateway.nt import constants as nt
from gateway.nt.names import parse_path
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_SHARING_VIOLATION,
    StatusError,
)
from gateway.nt.time import ns_from_filetime
from gateway.share.changing import set_allocation, set_delete, set_size, set_stat
from gateway.share.extended import set_attributes
from gateway.share.opens import Open
from gateway.share.renaming import link, rename
from gateway.share.securing import set_security
from gateway.share.streams import rename_stream
from gateway.share.times import KEEP_CHANGE_TIME, KEEP_WRITE_TIME, settle_write_time
from gateway.smb.answer import Answer
from gateway.smb.context import OpenContext
from gateway.smb.info import setfile
from gateway.smb.info.security import set_rights
from gateway.smb.info.setfile import parse_set_info, set_class
from gateway.smb.opens import FileOpen, PipeOpen
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.set_info import SetInfoRequest, SetInfoResponse
from vfs_backends.api import Capability, Stat, StatChange
from vfs_backends.inline import point_of_no_return

__all__ = ["handle"]

_NO_CHANGE = StatChange()
_DONE = Answer(SetInfoResponse().to_bytes())


@command(Opcode.SET_INFO, SetInfoRequest, OpenContext)
async def handle(ctx: OpenContext, request: SetInfoRequest) -> Answer:
    """[MS-SMB2] 3.3.5.21."""
    length = len(request.buffer)
    if length > ctx.negotiated.max_transact_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(length)
    one = ctx.open
    if request.info_type == nt.SMB2_0_INFO_SECURITY and isinstance(one, FileOpen):
        await _set_security(one, request)
        return _DONE
    if request.info_type != nt.SMB2_0_INFO_FILE:
        # Quotas need a storage that has them, and a volume its administrator.
        raise StatusError(STATUS_NOT_SUPPORTED)
    entry = set_class(request.file_info_class)
    if entry.access & ~one.granted_access:
        raise StatusError(STATUS_ACCESS_DENIED)
    change = parse_set_info(entry, request.buffer)
    if isinstance(one, FileOpen):
        if isinstance(change, setfile.Disposition):
            await _set_disposition(one, change, one.file.created_stat if ctx.is_fresh else None)
        else:
            await _set(one, request.file_info_class, change)
    elif isinstance(one, PipeOpen) and not isinstance(change, setfile.PipeChange):
        raise StatusError(STATUS_NOT_SUPPORTED)
    return _DONE


async def _set_security(one: FileOpen, request: SetInfoRequest) -> None:
    """[MS-SMB2] 3.3.5.21.3."""
    information = request.additional_information
    if set_rights(information) & ~one.granted_access:
        raise StatusError(STATUS_ACCESS_DENIED)
    await set_security(one.file.share, one.file, SecurityDescriptor.parse(request.buffer), information)


def _set_disposition(one: FileOpen, change: setfile.Disposition, stat: Stat | None) -> Coroutine[Any, Any, None]:
    """`stat`: what the storage has just told of it, if it has."""
    return set_delete(
        one.file.share,
        one.file,
        change.delete,
        posix=change.posix_semantics,
        on_close=change.on_close,
        ignore_readonly=change.ignore_readonly,
        stat=stat,
    )


async def _set(one: FileOpen, info_class: int, change: setfile.SetRequest) -> None:
    file = one.file
    share = file.share
    match change:
        case setfile.BasicChange():
            await _set_basic(one, change)
        case setfile.RenameTarget(name=name) if name.startswith(":"):
            await rename_stream(share, file, parse_path(name).stream, replace=change.replace_if_exists)
        case setfile.RenameTarget():
            if file.stream:
                # A stream stays with its file, which is in use at least by this open.
                raise StatusError(STATUS_SHARING_VIOLATION)
            await _to_name(rename, file, change)
        case setfile.LinkTarget():
            await _to_name(link, file, change)
        case setfile.PositionChange():
            point_of_no_return()
            file.position = change.position
        case setfile.ModeChange():
            point_of_no_return()
            file.options = file.options & ~setfile.SETTABLE_MODE | change.mode
        case setfile.SizeChange():
            await _set_size(one, info_class, change.size)
        case setfile.EaChange():
            await set_attributes(share, file, change.attributes)
        case _:
            raise StatusError(STATUS_NOT_SUPPORTED)


async def _to_name(
    change: Callable[..., Awaitable[None]], file: Open, target: setfile.RenameTarget | setfile.LinkTarget
) -> None:
    await change(
        file.share,
        file,
        _path(target.name),
        replace=target.replace_if_exists,
        ignore_readonly=target.ignore_readonly,
    )


def _path(name: str) -> str:
    """Where a rename or link leads: never to a stream, or by way of one."""
    target = parse_path(name, absolute=True)
    if target.stream or target.trailing_separator or not target.path:
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    return target.path


async def _set_basic(one: FileOpen, change: setfile.BasicChange) -> None:
    """FileBasicInformation. [MS-FSA] 2.1.5.15.2."""
    attributes = None
    if change.file_attributes:
        setfile.check_attributes(change.file_attributes, is_directory=one.file.is_directory)
        attributes = change.file_attributes & nt.SETTABLE_ATTRIBUTES
    file = one.file
    kept = _kept(_kept(file.kept_times, KEEP_WRITE_TIME, change.last_write_time), KEEP_CHANGE_TIME, change.change_time)
    times = StatChange(
        atime_ns=_time(change.last_access_time),
        mtime_ns=_time(change.last_write_time),
        birthtime_ns=_time(change.creation_time),
        dos_attributes=attributes,
        ctime_ns=_time(change.change_time) if Capability.CHANGE_TIME in file.share.fs.capabilities else None,
    )
    if times == _NO_CHANGE:
        await settle_write_time(file)
        point_of_no_return()
    else:
        if change.change_time == setfile.SUSPEND_TIME:
            file.kept_times |= KEEP_CHANGE_TIME
        await set_stat(file.share, file, times)
    file.kept_times = kept
    if change.last_access_time != setfile.LEAVE_TIME:
        file.handle.keep_access_time(change.last_access_time != setfile.RESUME_TIME)


def _time(filetime: int) -> int | None:
    """A time to be set. Suspending its updates (-1) and taking that up again (-2) changes no time by itself."""
    return ns_from_filetime(filetime) if filetime > 0 else None


def _kept(kept: int, flag: int, filetime: int) -> int:
    """Which times the open keeps from now on: those that were set or suspended, until their updates are resumed."""
    if filetime == setfile.LEAVE_TIME:
        return kept
    return kept & ~flag if filetime == setfile.RESUME_TIME else kept | flag


async def _set_size(one: FileOpen, info_class: int, size: int) -> None:
    file = one.file
    share = file.share
    if file.is_directory:
        raise StatusError(STATUS_INVALID_PARAMETER)
    share.enter()
    if info_class == nt.FILE_END_OF_FILE_INFORMATION:
        await set_size(share, file, size)
    elif info_class == nt.FILE_ALLOCATION_INFORMATION:
        current = (await file.handle.stat()).size
        if size < current:
            # [MS-FSA] 2.1.5.15.1: an allocation below the end of the file cuts it.
            await set_size(share, file, size)
        elif size > current and Capability.ALLOCATE in share.fs.capabilities:
            await set_allocation(share, file, size)
    elif size > (await file.handle.stat()).size:
        raise StatusError(STATUS_INVALID_PARAMETER)
