"""OPLOCK_BREAK acknowledgments: [MS-SMB2] 3.3.5.22."""

from gateway.nt.status import STATUS_INVALID_OPLOCK_PROTOCOL, STATUS_OBJECT_NAME_NOT_FOUND, StatusError
from gateway.smb.context import TreeContext
from gateway.smb.registry import command
from gateway.wire.header import Opcode
from gateway.wire.oplock_break import (
    LeaseBreakAcknowledgment,
    OplockBreakAcknowledgment,
    OplockBreakResponse,
    parse_acknowledgment,
)

__all__ = ["handle"]


class Acknowledgment:
    """Either of the two structures."""

    def __init__(self, message: memoryview) -> None:
        self.structure: OplockBreakAcknowledgment | LeaseBreakAcknowledgment = parse_acknowledgment(message)

    @classmethod
    def parse(cls, message: memoryview) -> "Acknowledgment":
        return cls(message)


@command(Opcode.OPLOCK_BREAK, Acknowledgment, TreeContext)
async def handle(ctx: TreeContext, request: Acknowledgment) -> OplockBreakResponse:
    """[MS-SMB2] 3.3.5.22. Neither oplocks nor leases are granted, so there is no break to be acknowledged."""
    structure = request.structure
    if isinstance(structure, LeaseBreakAcknowledgment):
        raise StatusError(STATUS_OBJECT_NAME_NOT_FOUND)
    ctx.find_open(structure.persistent_file_id, structure.volatile_file_id)
    raise StatusError(STATUS_INVALID_OPLOCK_PROTOCOL)
