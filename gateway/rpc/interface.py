"""What an RPC interface is, and what its operations see of the server and of their caller."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Protocol

from gateway.rpc.handles import Handles
from gateway.rpc.names import Names
from gateway.rpc.ndr import NdrReader, NdrWriter
from gateway.rpc.pdu import SyntaxId

UNLIMITED = 0xFFFF_FFFF


class ShareType(IntFlag):
    """The kind of a share ([MS-SRVS] 2.2.2.4)."""

    DISKTREE = 0
    PRINTQ = 1
    DEVICE = 2
    IPC = 3
    SPECIAL = 0x8000_0000


@dataclass(frozen=True, slots=True)
class ShareInfo:
    """One share as SHARE_INFO_502_I and SHARE_INFO_1005 describe it ([MS-SRVS] 2.2.4.26, 2.2.4.29)."""

    name: str
    type: int = ShareType.DISKTREE
    comment: str = ""
    hidden: bool = False
    """Not among the shares enumerated; asked for by name, it answers."""
    path: str = ""
    """As a Windows path; only administrators are told it."""
    permissions: int = 0
    max_uses: int = UNLIMITED
    current_uses: int = 0
    flags: int = 0
    """SHI1005_FLAGS_*: DFS, caching, access-based enumeration."""
    security_descriptor: bytes | None = None
    """Self-relative."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who opened the pipe."""

    user_name: str = ""
    domain: str = ""
    is_administrator: bool = False
    is_anonymous: bool = False


class ServerInfo(Protocol):
    """What the server tells about itself. `shares` may leave out what the caller must not see."""

    @property
    def netbios_name(self) -> str: ...

    @property
    def comment(self) -> str: ...

    @property
    def domain(self) -> str: ...

    @property
    def version(self) -> tuple[int, int]:
        """The version of Windows whose behaviour is shown, major and minor."""

    @property
    def names(self) -> Names: ...

    def shares(self, caller: Caller) -> Iterable[ShareInfo]: ...

    def clock(self) -> float:
        """Seconds since 1970, UTC."""


@dataclass(frozen=True, slots=True)
class StaticServerInfo:
    """A `ServerInfo` made of plain values and callables."""

    netbios_name: str
    shares: Callable[[Caller], Iterable[ShareInfo]]
    clock: Callable[[], float]
    names: Names
    comment: str = ""
    domain: str = "WORKGROUP"
    version: tuple[int, int] = (6, 1)


@dataclass(frozen=True, slots=True)
class Call:
    """What a call of an operation may know; the same for all calls of an association."""

    server: ServerInfo
    caller: Caller
    handles: Handles = field(default_factory=Handles)


Operation = Callable[[Call, NdrReader, NdrWriter], None]
"""Reads its parameters, writes its results. May raise `RpcError` (bad stub data) and `RpcFault`."""


@dataclass(frozen=True, slots=True, eq=False)
class Interface:
    """An RPC interface: its identity, the named pipe it is reached by, and its operations by opnum."""

    pipe_name: str
    syntax: SyntaxId
    operations: Mapping[int, Operation]
