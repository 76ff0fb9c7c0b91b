"""Context handles: what an association keeps for its client from call to call ([C706] 9.2, [MS-RPCE] 2.2.4)."""

from typing import Final, TypeVar
from uuid import UUID

from gateway.rpc.errors import FaultStatus, RpcFault
from gateway.rpc.ndr import NdrReader, NdrWriter

MAX_HANDLES: Final = 256
"""That one association may have open."""

_NONE: Final = UUID(int=0)

T = TypeVar("T")


class Handles:
    """The context handles of one association. They are good in no other one, so they need not be hard to guess."""

    def __init__(self) -> None:
        self._open: dict[UUID, object] = {}
        self._made = 0

    @property
    def is_full(self) -> bool:
        return len(self._open) >= MAX_HANDLES

    def open(self, what: object) -> UUID:
        """A new handle for `what`. Raises `RpcFault` if there are too many."""
        if self.is_full:
            raise RpcFault(FaultStatus.REMOTE_NO_MEMORY)
        self._made += 1
        handle = UUID(int=self._made)
        self._open[handle] = what
        return handle

    def read(self, reader: NdrReader, kind: type[T]) -> T:
        """What the handle in a request stands for. Raises `RpcError`, and `RpcFault` if it is none of that kind."""
        found = self._open.get(_read(reader))
        if not isinstance(found, kind):
            raise RpcFault(FaultStatus.CONTEXT_MISMATCH)
        return found

    def close(self, reader: NdrReader) -> None:
        """Forget the handle in a request. Raises `RpcError`, and `RpcFault` if there is none."""
        if self._open.pop(_read(reader), None) is None:
            raise RpcFault(FaultStatus.CONTEXT_MISMATCH)


def _read(reader: NdrReader) -> UUID:
    reader.u32()  # attributes, of no use to anybody
    return reader.uuid()


def write_handle(writer: NdrWriter, handle: UUID | None) -> None:
    """A context handle; None is the one that stands for nothing."""
    writer.u32(0)
    writer.uuid(handle or _NONE)
