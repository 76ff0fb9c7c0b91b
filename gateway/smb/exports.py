"""What clients can connect to: shares of files, and IPC$. [MS-SMB2] 3.3.1.6."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from acl.token import Token
from gateway.auth.policy import Identity
from gateway.share.share import Share
from gateway.smb.hiding import HidesName

__all__ = ["IPC", "Export", "Exports", "Store", "Visitor"]

IPC = "IPC$"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who connects, and from where. Addresses are texts, empty where they are not known."""

    identity: Identity
    address: str
    server_address: str
    dialect: str
    """Such as `SMB3_11`."""
    group: str = ""
    """Name of the primary group, if the system knows the user."""


class Store(Protocol):
    """The files of an export, which may be others for each visitor."""

    async def start(self) -> None:
        """Get the storage ready."""

    async def open(self, visitor: Visitor) -> Share:
        """The tree that a visitor sees. Raises `StatusError` if there is none for them."""

    def __iter__(self) -> Iterator[Share]:
        """All trees there are."""


@dataclass(slots=True, eq=False)
class Export:
    """A share as it is offered to SMB clients. `store` is None for IPC$."""

    name: str
    comment: str
    store: Store | None
    browseable: bool = True
    read_only: bool = True
    guest_ok: bool = False
    encrypt: bool = False
    """Whether sealing is demanded in its trees."""
    encrypt_if_possible: bool = False
    hides: HidesName | None = None
    """Which names are shown as hidden."""
    oplocks: bool = True
    """Whether its files may be cached."""
    durable_handles: bool = True
    """Whether files stay open for clients that have lost their connection."""
    max_connections: int = 0
    """0: any number."""
    may_connect: Callable[[Visitor], bool] = field(default=lambda visitor: True)
    may_write: Callable[[Visitor], bool] = field(default=lambda visitor: False)
    token_of: Callable[[Visitor, Token], Token] = field(default=lambda visitor, token: token)
    """As whom somebody acts in it. Raises `StatusError` if as nobody."""
    hide_unreadable: bool = False
    """Whether directories do not list what a caller may not read."""
    hides_from_others: bool = False
    """Whether lists of shares leave it out for those who may not connect."""
    connections: int = 0
    """Tree connects there are."""


class Exports:
    """The exports by name; names compare without case."""

    def __init__(self, exports: Iterable[Export]) -> None:
        self._exports = {export.name.casefold(): export for export in exports}

    def get(self, name: str) -> Export | None:
        return self._exports.get(name.casefold())

    def __iter__(self) -> Iterator[Export]:
        return iter(list(self._exports.values()))
