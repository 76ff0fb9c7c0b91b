"""CREATE: [MS-SMB2] 3.3.5.9."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Final, NamedTuple

from acl.descriptor import SecurityDescriptor
from acl.mask import FILE_ALL_ACCESS
from acl.token import Token
from gateway.nt.constants import (
    FILE_ATTRIBUTE_NORMAL,
    FILE_DIRECTORY_FILE,
    FILE_NON_DIRECTORY_FILE,
    FILE_OPEN_BY_FILE_ID,
    FILE_OPENED,
    SECURITY_DELEGATE,
)
from gateway.nt.info import ExtendedAttribute
from gateway.nt.names import PathName, parse_path, plain_path
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BAD_IMPERSONATION_LEVEL,
    STATUS_DUPLICATE_OBJECTID,
    STATUS_NETWORK_NAME_DELETED,
    STATUS_NOT_A_DIRECTORY,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_TOO_MANY_OPENED_FILES,
    StatusError,
)
from gateway.rpc.interface import Caller
from gateway.rpc.registry import open_pipe
from gateway.share.intent import OpenIntent
from gateway.share.share import Share
from gateway.share.streams import has_streams
from gateway.smb.answer import Answer
from gateway.smb.context import TreeContext
from gateway.smb.contexts.create import check_contexts, response_contexts
from gateway.smb.contexts.durable import (
    DurabilityAsked,
    Reconnect,
    durability_asked,
    durability_held,
    grant_durability,
    reconnect_asked,
    replay_key,
)
from gateway.smb.contexts.lease import NO_CACHING, Caching, caching_asked, caching_held, grant_caching
from gateway.smb.info.ea import parse_full_ea
from gateway.smb.opens import FileOpen, PipeOpen, SmbOpen
from gateway.smb.reconnecting import find_unanswered, reconnect
from gateway.smb.registry import command
from gateway.smb.replays import ReplayKey
from gateway.smb.taking_over import instance_asked, take_over
from gateway.smb.views import attributes_of
from gateway.wire.create import (
    SMB2_OPLOCK_LEVEL_BATCH,
    SMB2_OPLOCK_LEVEL_LEASE,
    CreateRequest,
    CreateResponse,
)
from gateway.wire.create_contexts import (
    SMB2_CREATE_ALLOCATION_SIZE,
    SMB2_CREATE_EA_BUFFER,
    SMB2_CREATE_SD_BUFFER,
    SMB2_CREATE_TIMEWARP_TOKEN,
    AllocationSize,
    CreateContext,
    pack_create_contexts,
)
from gateway.wire.errors import WireError
from gateway.wire.header import SMB2_FLAGS_REPLAY_OPERATION, Opcode
from gateway.wire.negotiate import DIALECT_300
from vfs_backends.api import Stat
from vfs_backends.inline import may_wait, point_of_no_return

__all__ = ["handle"]


Contexts = Mapping[bytes, memoryview | bytes]
_NO_CONTEXTS: Final[Contexts] = {}


class _Given(NamedTuple):
    """What a file has from the beginning, if it is created."""

    allocation_size: int = 0
    extended_attributes: Sequence[ExtendedAttribute] = ()
    security: SecurityDescriptor | None = None


_NOTHING_GIVEN: Final = _Given()


@command(Opcode.CREATE, CreateRequest, TreeContext)
def handle(ctx: TreeContext, request: CreateRequest) -> Coroutine[Any, Any, Answer]:
    """[MS-SMB2] 3.3.5.9. Contexts that are not known are passed over."""
    contexts = _contexts(request) if request.contexts else _NO_CONTEXTS
    wanted = reconnect_asked(ctx.negotiated, contexts) if contexts else None
    if wanted is not None:
        return _reconnect(ctx, request, contexts, wanted)
    if request.impersonation_level > SECURITY_DELEGATE:
        raise StatusError(STATUS_BAD_IMPERSONATION_LEVEL)
    service, session = ctx.connection.service, ctx.session
    session.check_open_limit(service.limits.max_opens_per_session)
    if service.opens >= service.limits.max_opens:
        return _create_for_another(ctx, request, contexts)
    if ctx.pending is None:
        return _create(ctx, request, contexts)
    return _create_counted(ctx, request, contexts)


async def _create_counted(ctx: TreeContext, request: CreateRequest, contexts: Contexts) -> Answer:
    """In a task, where many may be at it: what is being opened counts already."""
    service, session = ctx.connection.service, ctx.session
    session.opening += 1
    service.opens += 1
    try:
        return await _create(ctx, request, contexts)
    finally:
        session.opening -= 1
        service.opens -= 1


async def _create_for_another(ctx: TreeContext, request: CreateRequest, contexts: Contexts) -> Answer:
    """Where there is no room for it, but by an open whose client is gone."""
    service, share = ctx.connection.service, ctx.tree.share
    absent = share.disconnected.oldest() if share is not None else None
    if share is not None and absent is not None:
        may_wait()
        share.disconnected.give_up(absent)
        await absent.gone.wait()
    if service.opens >= service.limits.max_opens:
        raise StatusError(STATUS_TOO_MANY_OPENED_FILES)
    return await _create_counted(ctx, request, contexts)


def _create(ctx: TreeContext, request: CreateRequest, contexts: Contexts) -> Coroutine[Any, Any, Answer]:
    token = ctx.tree.token
    share = ctx.tree.share
    if token is None or share is None:
        return _open_pipe(ctx, request)
    caching = NO_CACHING
    if request.requested_oplock_level and ctx.tree.export.oplocks:
        caching = caching_asked(ctx.negotiated, request.requested_oplock_level, contexts)
    asked = durability_asked(ctx.negotiated, contexts) if contexts else None
    key = replay_key(ctx.negotiated, asked) if asked is not None else None
    if key is None:
        return _open(ctx, share, token, request, contexts, caching, asked)
    return _open_once(ctx, share, token, request, contexts, caching, asked, key)


async def _open_once(
    ctx: TreeContext,
    share: Share,
    token: Token,
    request: CreateRequest,
    contexts: Contexts,
    caching: Caching,
    durability: DurabilityAsked | None,
    key: ReplayKey,
) -> Answer:
    """However often the client asks for it. [MS-SMB2] 3.3.5.9.10."""
    is_replay = bool(ctx.request.header.flags & SMB2_FLAGS_REPLAY_OPERATION)
    replays = ctx.connection.service.replays
    earlier = replays.earlier(key, is_replay=is_replay)
    if earlier is not None:
        return await _replay(ctx, share, token, contexts, caching, earlier)
    unanswered = find_unanswered(share, key) if is_replay else None
    if unanswered is not None:
        return await _reconnect_unanswered(ctx, request, contexts, unanswered, key)
    with replays.opening(key):
        if ctx.pending is not None:
            ctx.pending.is_replayable = True
        return await _open(ctx, share, token, request, contexts, caching, durability, key)


async def _open(
    ctx: TreeContext,
    share: Share,
    token: Token,
    request: CreateRequest,
    contexts: Contexts,
    caching: Caching,
    durability: DurabilityAsked | None,
    key: ReplayKey | None = None,
) -> Answer:
    session = ctx.session
    intent = _intent(ctx, share, request, contexts, caching)
    instance = instance_asked(ctx.negotiated, contexts) if contexts else None
    if instance is not None:
        await take_over(ctx.connection.service.instances, share, token, intent, instance)
    file = await share.open(intent, token)
    if session.trees.get(ctx.tree.tree_id) is not ctx.tree:
        # The session, or the tree, has ended while the open waited for somebody.
        await share.close(file)
        raise StatusError(STATUS_NETWORK_NAME_DELETED)
    one = FileOpen(file, ctx.connection.service.new_file_id(), ctx.tree)
    _enter(ctx, one)
    # From here on nothing fails.
    if instance is not None:
        ctx.connection.service.instances.opened(one, instance)
    if key is not None:
        ctx.connection.service.replays.opened(key, one)
    answers = await response_contexts(share, file, token, contexts) if contexts else ()
    level = 0
    if caching is not NO_CACHING:
        # Last, so that no break overtakes the response.
        level, lease = await grant_caching(share, file, one, caching)
        answers = lease + answers
        if durability is not None:
            answers += grant_durability(one, durability, request.name)
    return _answer(one, level, file.action, file.created_stat, answers)


async def _replay(
    ctx: TreeContext, share: Share, token: Token, contexts: Contexts, caching: Caching, one: FileOpen
) -> Answer:
    """Answer a CREATE once more. [MS-SMB2] 3.3.5.9.10. As of Windows, of the request only the contexts count."""
    file = one.file
    if one.tree is not ctx.tree:
        raise StatusError(STATUS_DUPLICATE_OBJECTID)
    if file.lease_key != caching.lease_key:
        raise StatusError(STATUS_ACCESS_DENIED)
    answers = await response_contexts(share, file, token, contexts)
    level, lease = caching_held(share, file, caching)
    if level in (SMB2_OPLOCK_LEVEL_BATCH, SMB2_OPLOCK_LEVEL_LEASE):
        answers += durability_held(one)
    return _answer(one, level, file.action, file.created_stat, lease + answers)


async def _reconnect_unanswered(
    ctx: TreeContext, request: CreateRequest, contexts: Contexts, wanted: Reconnect, key: ReplayKey
) -> Answer:
    """The same, where the connection was lost: the client gets its open back, as the one it asked for."""
    back = await reconnect(ctx, request, contexts, wanted)
    _enter(ctx, back.one)
    ctx.connection.service.replays.opened(key, back.one)
    return _answer(back.one, back.level, back.one.file.action, back.stat, back.contexts + durability_held(back.one))


async def _reconnect(ctx: TreeContext, request: CreateRequest, contexts: Contexts, wanted: Reconnect) -> Answer:
    """[MS-SMB2] 3.3.5.9.7, 3.3.5.9.12."""
    ctx.session.check_open_limit(ctx.connection.service.limits.max_opens_per_session)
    back = await reconnect(ctx, request, contexts, wanted)
    _enter(ctx, back.one)
    return _answer(back.one, back.level, FILE_OPENED, back.stat, back.contexts)


def _contexts(request: CreateRequest) -> Contexts:
    """The contexts by name. Raises `WireError` and `StatusError` for what could not be answered."""
    contexts = {context.name: context.data for context in request.contexts}
    if any(contexts.get(SMB2_CREATE_TIMEWARP_TOKEN, b"")):
        # There are no snapshots, so there was no such file at any time but now.
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    check_contexts(contexts)
    return contexts


def _intent(ctx: TreeContext, share: Share, request: CreateRequest, contexts: Contexts, caching: Caching) -> OpenIntent:
    by_id: int | None = None
    path: str | None = ""
    stream, options = "", request.create_options
    if options & FILE_OPEN_BY_FILE_ID:
        by_id = _file_id(request.name)
    else:
        path = plain_path(request.name)
    if path is None:
        name = parse_path(request.name)
        path, stream, options = name.path, name.stream, _options(share, options, name)
    given = _given(contexts) if contexts else _NOTHING_GIVEN
    leases = caching is not NO_CACHING
    return OpenIntent(
        path,
        request.desired_access,
        request.share_access,
        request.create_disposition,
        options,
        request.file_attributes,
        given.allocation_size,
        by_id,
        given.extended_attributes,
        ctx.negotiated.client_guid,
        ctx.tree.maximal_access,
        caching.lease_key if leases else b"",
        caching.parent_key if leases else b"",
        stream=stream,
        security=given.security,
    )


def _options(share: Share, options: int, name: PathName) -> int:
    """The create options, with what a name says of a stream, or by a separator at its end. Raises `StatusError`."""
    _, stream, stream_type, trailing_separator = name
    if (stream or stream_type) and not has_streams(share):
        # As on FAT, whose names have no colons.
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    if stream_type == "$DATA" and not stream:
        # The default stream by its full name, which directories do not have.
        if options & FILE_DIRECTORY_FILE:
            raise StatusError(STATUS_NOT_A_DIRECTORY)
        options |= FILE_NON_DIRECTORY_FILE
    if trailing_separator or stream_type == "$INDEX_ALLOCATION":
        if options & FILE_NON_DIRECTORY_FILE:
            raise StatusError(STATUS_OBJECT_NAME_INVALID)
        options |= FILE_DIRECTORY_FILE
    return options


def _file_id(name: str) -> int:
    """The inode number that FILE_OPEN_BY_FILE_ID names: 8 bytes of a name, or 16 as of FileIdInformation."""
    data = name.encode("utf-16-le", "surrogatepass")
    if len(data) not in (8, 16):
        raise StatusError(STATUS_NOT_SUPPORTED)
    return int.from_bytes(data, "little")


def _given(contexts: Contexts) -> _Given:
    """What the contexts give to a file that is created. Raises `WireError`, `AclError` and `StatusError`."""
    allocation = contexts.get(SMB2_CREATE_ALLOCATION_SIZE)
    extended = contexts.get(SMB2_CREATE_EA_BUFFER)
    security = contexts.get(SMB2_CREATE_SD_BUFFER)
    return _Given(
        0 if allocation is None else AllocationSize.unpack_from(allocation).allocation_size,
        () if extended is None else parse_full_ea(memoryview(extended)),
        None if security is None else SecurityDescriptor.parse(bytes(security)),
    )


def _answer(one: FileOpen, level: int, action: int, stat: Stat, contexts: tuple[CreateContext, ...]) -> Answer:
    created, read, written, changed, allocated, size, attributes = attributes_of(one, stat)
    persistent, volatile = one.file_id
    area = pack_create_contexts(contexts) if contexts else b""
    body = CreateResponse.body(
        level, action, created, read, written, changed, allocated, size, attributes, persistent, volatile, area
    )
    return Answer(body, file_id=one.file_id)


def _enter(ctx: TreeContext, one: SmbOpen) -> None:
    one.origin = ctx.connection
    if ctx.request.header.status and ctx.negotiated.dialect >= DIALECT_300:
        one.channel_sequence = ctx.request.header.channel_sequence
    ctx.session.opens[one.volatile_file_id] = one
    ctx.connection.service.opens += 1
    one.tree.opens.add(one)


async def _open_pipe(ctx: TreeContext, request: CreateRequest) -> Answer:
    """Open a named pipe of IPC$. [MS-SMB2] 3.3.5.9, for a share that is a pipe."""
    service = ctx.connection.service
    identity, token = ctx.session.identity, ctx.session.token
    if identity is None or token is None:
        raise WireError("a pipe without a user")
    caller = Caller(identity.user, identity.domain, is_anonymous=identity.is_anonymous)
    pipe = open_pipe(request.name, service.rpc_info, caller)
    point_of_no_return()
    volatile = service.new_file_id()
    one = PipeOpen(pipe, volatile, volatile, ctx.tree, token, FILE_ALL_ACCESS)
    _enter(ctx, one)
    response = CreateResponse(
        create_action=FILE_OPENED,
        file_attributes=FILE_ATTRIBUTE_NORMAL,
        persistent_file_id=one.persistent_file_id,
        volatile_file_id=one.volatile_file_id,
    )
    return Answer(response.to_bytes(), file_id=one.file_id)
