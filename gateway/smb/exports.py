"""What clients can connect to: shares of files, and IPC$. [MS-SMB2] 3.3.1.6."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.share.share import Share

if TYPE_CHECKING:
    from gateway.auth.acceptor import Identity

__all__ = ["IPC", "Export", "Exports"]

IPC = "IPC$"


@dataclass(slots=True, eq=False)
class Export:
    """A share as it is offered to SMB clients. `share` is None for IPC$."""

    name: str
    comment: str
    share: Share | None
    browseable: bool = True
    read_only: bool = True
    guest_ok: bool = False
    encrypt: bool = False
    """Whether sealing is demanded in its trees."""
    encrypt_if_possible: bool = False
    hide_dot_files: bool = True
    max_connections: int = 0
    """0: any number."""
    may_connect: "Callable[[Identity], bool]" = field(default=lambda identity: True)
    may_write: "Callable[[Identity], bool]" = field(default=lambda identity: False)
    connections: int = 0
    """Tree connects there are."""


class Exports:
    """The exports by name; names compare without case."""

    def __init__(self, exports: list[Export]) -> None:
        self._exports = {export.name.casefold(): export for export in exports}

    def get(self, name: str) -> Export | None:
        return self._exports.get(name.casefold())

    def __iter__(self) -> Iterator[Export]:
        return iter(list(self._exports.values()))
