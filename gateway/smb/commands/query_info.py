"""QUERY_INFO: [MS-SMB2] 3.3.5.20."""

from typing import Final

from gateway.nt import constants as nt
from gateway.nt.info import ExtendedAttribute, StreamInfo
from gateway.nt.names import wire_path
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    StatusError,
)
from gateway.share.closing import is_delete_pending
from gateway.share.extended import attributes_length, known_attributes_length, read_attributes
from gateway.share.granting import governing_open
from gateway.share.share import Share
from gateway.share.streams import has_streams, list_streams, stat_of_file
from gateway.smb.answer import Answer
from gateway.smb.context import OpenContext
from gateway.smb.info.ea import ea_size, pack_full_ea, parse_get_ea
from gateway.smb.info.file import FileClass, file_class
from gateway.smb.info.filesystem import VolumeInfo, pack_file_system_info
from gateway.smb.info.pipe import PipeInfo, pack_pipe_info
from gateway.smb.info.security import query_rights
from gateway.smb.info.stat import file_info_from_stat
from gateway.smb.opens import FileOpen, PipeOpen
from gateway.smb.registry import Begun, command
from gateway.wire.header import Opcode
from gateway.wire.query_info import (
    SL_INDEX_SPECIFIED,
    SL_RESTART_SCAN,
    SL_RETURN_SINGLE_ENTRY,
    QueryInfoRequest,
    QueryInfoResponse,
)
from vfs_backends.api import Capability, Stat

__all__ = ["handle"]

_MODE_OPTIONS: Final = (
    nt.FILE_WRITE_THROUGH
    | nt.FILE_SEQUENTIAL_ONLY
    | nt.FILE_NO_INTERMEDIATE_BUFFERING
    | nt.FILE_SYNCHRONOUS_IO_ALERT
    | nt.FILE_SYNCHRONOUS_IO_NONALERT
    | nt.FILE_DELETE_ON_CLOSE
)
_NEEDS_EA_SIZE: Final = frozenset({nt.FILE_EA_INFORMATION, nt.FILE_ALL_INFORMATION})


@command(Opcode.QUERY_INFO, QueryInfoRequest, OpenContext)
def handle(ctx: OpenContext, request: QueryInfoRequest) -> Begun:
    """[MS-SMB2] 3.3.5.20."""
    length = request.output_buffer_length
    if length > ctx.negotiated.max_transact_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(max(length, len(request.input)))
    one, info_type = ctx.open, request.info_type
    if isinstance(one, FileOpen):
        one.file.share.enter()
        if info_type == nt.SMB2_0_INFO_FILE:
            return _file(ctx, one, request)
        if info_type == nt.SMB2_0_INFO_FILESYSTEM:
            return _file_system(one, request)
        if info_type == nt.SMB2_0_INFO_SECURITY:
            return _security(one, request)
        if info_type == nt.SMB2_0_INFO_QUOTA:
            raise StatusError(STATUS_NOT_SUPPORTED)
    elif isinstance(one, PipeOpen) and info_type == nt.SMB2_0_INFO_FILE:
        return _pipe(one, request)
    raise StatusError(STATUS_INVALID_PARAMETER)


def _answer(status: int, data: bytes) -> Answer:
    return Answer(QueryInfoResponse.body(data), status)


def _pipe(one: PipeOpen, request: QueryInfoRequest) -> Answer:
    info, room = PipeInfo(available=one.pipe.available), request.output_buffer_length
    return _answer(*pack_pipe_info(request.file_info_class, info, room))


def _file(ctx: OpenContext, one: FileOpen, request: QueryInfoRequest) -> Begun:
    info_class = request.file_info_class
    entry = file_class(info_class, ctx.negotiated.dialect)
    if entry.access & ~one.granted_access:
        raise StatusError(STATUS_ACCESS_DENIED)
    if info_class == nt.FILE_FULL_EA_INFORMATION:
        return _extended_attributes(one, request)
    share, stat = one.file.share, one.file.created_stat
    if not ctx.is_fresh or info_class == nt.FILE_STREAM_INFORMATION:
        return _from_storage(ctx, one, request, entry)
    length = known_attributes_length(share, stat) if info_class in _NEEDS_EA_SIZE else 0
    return _from_storage(ctx, one, request, entry) if length is None else _packed(one, request, entry, stat, length)


async def _from_storage(ctx: OpenContext, one: FileOpen, request: QueryInfoRequest, entry: FileClass) -> Answer:
    """Of what the storage has to be asked for."""
    file, length = one.file, 0
    streams: tuple[StreamInfo, ...] = ()
    if request.file_info_class == nt.FILE_STREAM_INFORMATION:
        streams = tuple([StreamInfo(*stream) for stream in await list_streams(file.share, file)])
        stat = await stat_of_file(file.share, file)
    else:
        stat = file.created_stat if ctx.is_fresh else await file.handle.stat()
        if request.file_info_class in _NEEDS_EA_SIZE:
            length = await attributes_length(file.share, file.handle, stat)
    return _packed(one, request, entry, stat, length, streams)


def _packed(
    one: FileOpen,
    request: QueryInfoRequest,
    entry: FileClass,
    stat: Stat,
    attributes_size: int,
    streams: tuple[StreamInfo, ...] = (),
) -> Answer:
    file = one.file
    info = file_info_from_stat(
        stat,
        name=wire_path(file.path, file.handle.stream),
        volume_id=file.share.volume_id,
        ea_size=ea_size(attributes_size),
        hides=one.tree.export.hides,
        delete_pending=is_delete_pending(file.share.record(file), file.open_id),
        access_granted=one.granted_access,
        mode=file.options & _MODE_OPTIONS,
        position=file.position,
        streams=streams,
    )
    info.has_short_name = file.share.settings.short_names
    status, data = entry.pack(info, request.output_buffer_length)
    return _answer(status, data)


async def _extended_attributes(one: FileOpen, request: QueryInfoRequest) -> Answer:
    """FileFullEaInformation: those asked for by name, or all, on from where the last query ended."""
    attributes = await read_attributes(one.file.share, one.file)
    if len(request.input):
        by_name = {attribute.name.upper(): attribute for attribute in attributes}
        wanted = parse_get_ea(request.input)
        attributes = [by_name.get(name.upper(), ExtendedAttribute(name, b"")) for name in wanted]
    elif not request.flags & (SL_RESTART_SCAN | SL_INDEX_SPECIFIED):
        attributes = attributes[one.ea_position :]
    if request.flags & SL_RETURN_SINGLE_ENTRY:
        del attributes[1:]
    status, data, count = pack_full_ea(attributes, request.output_buffer_length)
    if not len(request.input):
        one.ea_position = count + (one.ea_position if not request.flags & SL_RESTART_SCAN else 0)
    return _answer(status, data)


async def _file_system(one: FileOpen, request: QueryInfoRequest) -> Answer:
    share, room = one.file.share, request.output_buffer_length
    volume = VolumeInfo(label=one.tree.export.name, attributes=_volume_attributes(share))
    return _answer(*pack_file_system_info(request.file_info_class, await share.fs.statfs(), volume, room))


def _volume_attributes(share: Share) -> int:
    capabilities = share.fs.capabilities
    attributes = nt.FILE_CASE_SENSITIVE_SEARCH | nt.FILE_CASE_PRESERVED_NAMES | nt.FILE_UNICODE_ON_DISK
    if share.descriptors.stores:
        attributes |= nt.FILE_PERSISTENT_ACLS
    if has_streams(share):
        attributes |= nt.FILE_NAMED_STREAMS
    for capability, flag in (
        (Capability.XATTRS, nt.FILE_SUPPORTS_EXTENDED_ATTRIBUTES),
        (Capability.LINKS, nt.FILE_SUPPORTS_HARD_LINKS),
        (Capability.BY_ID, nt.FILE_SUPPORTS_OPEN_BY_FILE_ID),
        (Capability.READ_ONLY, nt.FILE_READ_ONLY_VOLUME),
    ):
        if capability in capabilities:
            attributes |= flag
    return attributes


async def _security(one: FileOpen, request: QueryInfoRequest) -> Answer:
    """[MS-SMB2] 3.3.5.20.3."""
    information = request.additional_information
    if query_rights(information) & ~one.granted_access:
        raise StatusError(STATUS_ACCESS_DENIED)
    governing = await governing_open(one.file.share, one.file)
    data = governing.descriptor.extract(information).to_bytes()
    if len(data) > request.output_buffer_length:
        raise StatusError(STATUS_BUFFER_TOO_SMALL, len(data).to_bytes(4, "little"))
    return _answer(0, data)
