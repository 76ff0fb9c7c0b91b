"""Which connections a client has: a lease is the client's, whichever connection it came by. [MS-SMB2] 3.3.1.4."""

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection

__all__ = ["Clients"]


class Clients:
    """The connections on which somebody has logged on, by the GUID of their client."""

    def __init__(self) -> None:
        self._connections: dict[Hashable, dict[SmbConnection, None]] = {}

    def add(self, connection: "SmbConnection") -> None:
        """Once somebody has logged on. May be called again."""
        negotiated = connection.negotiated
        if negotiated is not None:
            self._connections.setdefault(negotiated.client_guid, {})[connection] = None

    def remove(self, connection: "SmbConnection") -> None:
        """At the end of a connection."""
        guid = connection.negotiated.client_guid if connection.negotiated is not None else b""
        connections = self._connections.get(guid, {})
        connections.pop(connection, None)
        if not connections:
            self._connections.pop(guid, None)

    def connections(self, guid: Hashable) -> Sequence["SmbConnection"]:
        """Those of one client, oldest first."""
        return tuple(self._connections.get(guid, ()))
