"""QUERY_DIRECTORY: [MS-SMB2] 3.3.5.18."""

from acl.mask import FILE_LIST_DIRECTORY
from gateway.nt.names import check_search_pattern
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_FILES,
    STATUS_NO_SUCH_FILE,
    STATUS_OBJECT_NAME_INVALID,
    StatusError,
)
from gateway.smb.context import FileContext
from gateway.smb.info.directory import DirectoryPacker, ShortNamesPacker
from gateway.smb.opens import FileOpen
from gateway.smb.registry import command
from gateway.smb.search import Search
from gateway.wire.header import Opcode
from gateway.wire.query_directory import (
    SMB2_REOPEN,
    SMB2_RESTART_SCANS,
    SMB2_RETURN_SINGLE_ENTRY,
    QueryDirectoryRequest,
    QueryDirectoryResponse,
)

__all__ = ["handle"]


@command(Opcode.QUERY_DIRECTORY, QueryDirectoryRequest, FileContext)
async def handle(ctx: FileContext, request: QueryDirectoryRequest) -> QueryDirectoryResponse:
    """[MS-SMB2] 3.3.5.18. FileIndex means nothing here, as on NTFS: an enumeration goes on where it was."""
    one = ctx.open
    length = request.output_buffer_length
    if not one.file.is_directory or length > ctx.negotiated.max_transact_size:
        raise StatusError(STATUS_INVALID_PARAMETER)
    ctx.check_charge(length)
    if not one.granted_access & FILE_LIST_DIRECTORY:
        raise StatusError(STATUS_ACCESS_DENIED)
    make_packer = ShortNamesPacker if one.file.share.settings.short_names else DirectoryPacker
    packer = make_packer(request.file_information_class, length, hides=one.tree.export.hides)
    one.file.share.enter()
    search = await _search(ctx, request)
    single = bool(request.flags & SMB2_RETURN_SINGLE_ENTRY)
    if ctx.pending is None:
        search.check_turn()
        await search.fill(packer, single=single)
    else:
        await search.lock.acquire()
        try:
            await search.fill(packer, single=single)
        finally:
            search.lock.release()
    if not packer.count:
        raise StatusError(STATUS_NO_MORE_FILES if search.started else STATUS_NO_SUCH_FILE)
    return QueryDirectoryResponse(output=packer.to_bytes())


async def _search(ctx: FileContext, request: QueryDirectoryRequest) -> Search:
    """The enumeration that goes on, or a new one.

    A scan that is restarted takes a new pattern if it names one, as a reopened one does: Windows and Samba both do so.
    """
    one = ctx.open
    if one.search is not None and not request.flags & (SMB2_RESTART_SCANS | SMB2_REOPEN):
        return one.search
    if not request.pattern:
        raise StatusError(STATUS_OBJECT_NAME_INVALID)
    check_search_pattern(request.pattern)
    while one.search is not None:
        await _give_up(one, one.search, in_task=ctx.pending is not None)
    search = one.search = Search(one.file, request.pattern, hide_unreadable=one.tree.export.hide_unreadable)
    return search


async def _give_up(one: FileOpen, search: Search, *, in_task: bool) -> None:
    """End an enumeration, when whoever is at it has done."""
    if not in_task:
        search.check_turn()
        one.search = None
        search.discard()
        return
    await search.lock.acquire()
    try:
        if one.search is search:
            one.search = None
            search.discard()
    finally:
        search.lock.release()
