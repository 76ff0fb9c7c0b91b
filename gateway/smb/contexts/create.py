"""What the response to a CREATE tells in its contexts. [MS-SMB2] 3.3.5.9.5, 3.3.5.9.9."""

from collections.abc import Mapping

from acl.token import Token
from gateway.nt.status import STATUS_NONE_MAPPED, STATUS_SUCCESS
from gateway.nt.time import filetime_from_ns
from gateway.share.errors import status_of
from gateway.share.granting import maximal_access
from gateway.share.opens import Open
from gateway.share.share import Share
from gateway.wire.create_contexts import (
    SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST,
    SMB2_CREATE_QUERY_ON_DISK_ID,
    CreateContext,
    MaximalAccessRequest,
    MaximalAccessResponse,
    OnDiskIdResponse,
)
from vfs_backends.errors import VfsError

__all__ = ["check_contexts", "response_contexts"]


def check_contexts(asked: Mapping[bytes, memoryview | bytes]) -> None:
    """Raise `WireError` for what could not be answered, before anything is opened."""
    data = asked.get(SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST)
    if data is not None:
        MaximalAccessRequest.parse(data)


async def response_contexts(
    share: Share, file: Open, token: Token, asked: Mapping[bytes, memoryview | bytes]
) -> tuple[CreateContext, ...]:
    """The contexts that answer those that were asked for, which were checked. Does not fail: the file is open."""
    answers: list[CreateContext] = []
    data = asked.get(SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST)
    if data is not None:
        answers.append(
            CreateContext(SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST, await _maximal(share, file, token, data))
        )
    if SMB2_CREATE_QUERY_ON_DISK_ID in asked:
        node = file.node_id
        answer = OnDiskIdResponse(disk_file_id=node.inode, volume_id=share.volume_id)
        answers.append(CreateContext(SMB2_CREATE_QUERY_ON_DISK_ID, answer.pack()))
    return tuple(answers)


async def _maximal(share: Share, file: Open, token: Token, data: memoryview | bytes) -> bytes:
    request = MaximalAccessRequest.parse(data)
    if request.timestamp and request.timestamp == filetime_from_ns(file.created_stat.mtime_ns):
        # The client knows it already ([MS-SMB2] 3.3.5.9.5).
        return MaximalAccessResponse(query_status=STATUS_NONE_MAPPED).pack()
    try:
        access = await maximal_access(share, token, file)
    except VfsError as error:
        return MaximalAccessResponse(query_status=status_of(error)).pack()
    return MaximalAccessResponse(query_status=STATUS_SUCCESS, maximal_access=access).pack()
