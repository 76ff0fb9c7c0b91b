"""What all connections of a server share."""

import os
import secrets
import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from acl.token import Token
from gateway.auth.acceptor import Acceptor
from gateway.auth.mechanism import Lookup
from gateway.auth.policy import AuthPolicy, Identity
from gateway.auth.throttle import Throttle
from gateway.protocol.dialect import NegotiatePolicy
from gateway.protocol.framing import BufferPool
from gateway.rpc.interface import ServerInfo
from gateway.share.times import WriteTimes
from gateway.smb.clients import Clients
from gateway.smb.exports import Exports
from gateway.smb.instances import Instances
from gateway.smb.limits import Limits
from gateway.smb.replays import Replays
from gateway.smb.session import SessionTable
from gateway.transport.budget import MemoryBudget
from gateway.transport.hub import Hub
from gateway.wire.network_interface import NetworkInterface

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection

__all__ = ["Encryption", "Service"]


@dataclass(frozen=True, slots=True)
class Encryption:
    """Whether sessions are sealed."""

    desired: bool = False
    """Clients that can seal are told to."""
    required: bool = False
    """Clients that cannot are refused."""


def _new_session_id() -> int:
    # 32 bits: there are clients that keep no more, and an id alone opens no session to anybody.
    return secrets.randbits(32)


@dataclass(slots=True, eq=False)
class Service:
    """Put together by `gateway.server`; `now` is in ns since 1970."""

    negotiate_policy: NegotiatePolicy
    auth_policy: AuthPolicy
    lookup: Lookup
    token_of: Callable[[Identity], Token]
    """Who somebody is once they are authenticated. Raises `AuthError` if they may not log on after all."""
    exports: Exports
    rpc_info: ServerInfo
    write_times: WriteTimes = field(default_factory=WriteTimes)
    """Of the shares that delay them."""
    interfaces: Callable[[], Sequence[NetworkInterface]] = tuple
    """The addresses by which clients may come."""
    limits: Limits = field(default_factory=Limits)
    encryption: Encryption = field(default_factory=Encryption)
    throttle: Throttle = field(default_factory=Throttle)
    sessions: SessionTable = field(default_factory=lambda: SessionTable(_new_session_id))
    buffers: BufferPool = field(default_factory=BufferPool)
    guid: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    now: Callable[[], int] = time.time_ns
    started: int = field(default_factory=time.time_ns)
    budget: MemoryBudget = field(default_factory=lambda: MemoryBudget(128 << 20))
    hub: Hub = field(default_factory=Hub)
    """Serves the quiet connections, if somebody runs it."""
    clients: Clients = field(default_factory=Clients)
    replays: Replays = field(default_factory=Replays)
    instances: Instances = field(default_factory=Instances)
    opens: int = 0
    """Files and pipes that are open."""
    _file_ids: list[int] = field(default_factory=list)
    """Random numbers at hand."""

    def lost(self, connection: "SmbConnection") -> None:
        """A connection has ended: the breaks that were sent on it are sent on another one of the same client."""
        for export in self.exports:
            for share in export.store or ():
                share.breaks.lost(connection)

    def delayed(self, connection: "SmbConnection") -> None:
        """Breaks that were sent on this connection have not arrived in time: another one may be better."""
        for export in self.exports:
            for share in export.store or ():
                share.breaks.delayed(connection)

    def new_acceptor(self) -> Acceptor:
        """An acceptor for one log-on."""
        return Acceptor(self.auth_policy, self.lookup, os.urandom)

    def new_file_id(self) -> int:
        """A volatile file id; not to be guessed from another one. Never 0, and of 61 bits, which makes a small number
        of it where this is compiled."""
        ids = self._file_ids
        if not ids:
            # Many at a time, for the system call costs more than all the rest.
            ids.extend([number >> 3 for number in struct.unpack("128Q", os.urandom(1024))])
        return ids.pop() or 1
