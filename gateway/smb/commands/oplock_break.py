"""OPLOCK_BREAK acknowledgments: [MS-SMB2] 3.3.5.22."""

from gateway.nt.status import (
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    StatusError,
)
from gateway.smb.breaks import LEVEL_OF_STATE, STATE_OF_LEVEL
from gateway.smb.context import TreeContext
from gateway.smb.opens import FileOpen
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    LeaseBreakResponse,
    OplockBreakAcknowledgment,
    OplockBreakResponse,
    parse_acknowledgment,
)
from vfs_backends.inline import point_of_no_return

__all__ = ["handle"]


class Acknowledgment:
    """Either of the two structures."""

    def __init__(self, message: memoryview) -> None:
        self.structure: OplockBreakAcknowledgment | LeaseBreakAcknowledgment = parse_acknowledgment(message)

    @classmethod
    def parse(cls, message: memoryview) -> "Acknowledgment":
        return cls(message)


@command(Opcode.OPLOCK_BREAK, Acknowledgment, TreeContext)
async def handle(ctx: TreeContext, request: Acknowledgment) -> OplockBreakResponse | LeaseBreakResponse:
    """[MS-SMB2] 3.3.5.22."""
    structure = request.structure
    if isinstance(structure, LeaseBreakAcknowledgment):
        return await _lease(ctx, structure)
    return await _oplock(ctx, structure)


async def _oplock(ctx: TreeContext, request: OplockBreakAcknowledgment) -> OplockBreakResponse:
    """[MS-SMB2] 3.3.5.22.1."""
    one = ctx.find_open(request.persistent_file_id, request.volatile_file_id)
    state = STATE_OF_LEVEL.get(request.oplock_level)
    if state is None:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if not isinstance(one, FileOpen):
        raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
    file = one.file
    point_of_no_return()
    outcome = await file.share.breaks.acknowledge((file.owner, b"", file.open_id), state)
    if outcome.status:
        raise StatusError(outcome.status)
    return OplockBreakResponse(
        oplock_level=LEVEL_OF_STATE[outcome.state],
        persistent_file_id=one.persistent_file_id,
        volatile_file_id=one.volatile_file_id,
    )


async def _lease(ctx: TreeContext, request: LeaseBreakAcknowledgment) -> LeaseBreakResponse:
    """[MS-SMB2] 3.3.5.22.2. The lease may have come by another connection of the same client."""
    share = ctx.tree.share
    if share is None:
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    point_of_no_return()
    name = (ctx.negotiated.client_guid, request.lease_key, 0)
    outcome = await share.breaks.acknowledge(name, request.lease_state)
    if outcome.status:
        raise StatusError(outcome.status)
    return LeaseBreakResponse(lease_key=request.lease_key, lease_state=outcome.state)
