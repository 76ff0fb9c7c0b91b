"""Oplock break notifications: how a client is told that others need what it caches. [MS-SMB2] 3.3.4.6, 3.3.4.7."""

from typing import TYPE_CHECKING, Final

from gateway.share.leases import BATCH, EXCLUSIVE, LEVEL_II, Break
from gateway.wire.create import (
    SMB2_OPLOCK_LEVEL_BATCH,
    SMB2_OPLOCK_LEVEL_EXCLUSIVE,
    SMB2_OPLOCK_LEVEL_II,
    SMB2_OPLOCK_LEVEL_NONE,
)
from gateway.wire.oplock_break import (
    SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED,
    LeaseBreakNotification,
    OplockBreakNotification,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from gateway.smb.connection import SmbConnection
    from gateway.smb.opens import FileOpen
    from gateway.smb.session import Session

__all__ = ["LEVEL_OF_STATE", "STATE_OF_LEVEL", "OpenHolder"]

STATE_OF_LEVEL: Final = {
    SMB2_OPLOCK_LEVEL_NONE: 0,
    SMB2_OPLOCK_LEVEL_II: LEVEL_II,
    SMB2_OPLOCK_LEVEL_EXCLUSIVE: EXCLUSIVE,
    SMB2_OPLOCK_LEVEL_BATCH: BATCH,
}
"""What the levels of [MS-SMB2] 2.2.13 are to the store; a level that is not here is none."""
LEVEL_OF_STATE: Final = {state: level for level, state in STATE_OF_LEVEL.items()}


class OpenHolder:
    """The client that has an open, as the holder of its oplock or lease."""

    __slots__ = ("_open",)

    def __init__(self, one: "FileOpen") -> None:
        self._open = one

    def broken(self, told: Break, *, since: float | None = None) -> "SmbConnection | None":
        """Send the notification; the connection that took it, or None if all are at their end.

        An oplock's goes to the connection that the open came by, or to another one of its session; a lease's to the
        oldest connection that the same user has from the same client, as Windows does. Those come last whose client's
        system takes its time to acknowledge what was sent before, and not at all if the client was told before.
        """
        one = self._open
        if told.version:
            ways, body = _ways_of_client(told.holder[0], one.tree.session), _lease(told)
        else:
            ways, body = _ways_of_open(one), _oplock(one, told)
        for connection, session in sorted(ways, key=_is_slow):
            if since is not None and connection.delivery.is_slow:
                break
            sealed = session.encrypt_data or one.tree.export.encrypt
            if connection.notify(body, session.channels[connection] if sealed else None, since):
                return connection
        return None


def _is_slow(way: "tuple[SmbConnection, Session]") -> bool:
    return way[0].delivery.is_slow


def _ways_of_open(one: "FileOpen") -> "Iterator[tuple[SmbConnection, Session]]":
    """The connections of an open's session, that first by which it came. [MS-SMB2] 3.3.4.6."""
    session, origin = one.tree.session, one.origin
    if origin in session.channels:
        yield origin, session
    for connection in tuple(session.channels):
        if connection is not origin:
            yield connection, session


def _ways_of_client(client: "Hashable", own: "Session") -> "Iterator[tuple[SmbConnection, Session]]":
    """Each connection of a client, and a session of the same user on it. [MS-SMB2] 3.3.4.7."""
    for connection in own.service.clients.connections(client):
        for session in connection.sessions.values():
            if session.is_of(own.identity):
                yield connection, session
                break


def _oplock(one: "FileOpen", told: Break) -> bytes:
    return OplockBreakNotification(
        oplock_level=LEVEL_OF_STATE[told.new_state],
        persistent_file_id=one.persistent_file_id,
        volatile_file_id=one.volatile_file_id,
    ).to_bytes()


def _lease(told: Break) -> bytes:
    return LeaseBreakNotification(
        new_epoch=told.epoch,
        flags=SMB2_NOTIFY_BREAK_LEASE_FLAG_ACK_REQUIRED if told.acknowledge else 0,
        lease_key=told.holder[1],
        current_lease_state=told.old_state,
        new_lease_state=told.new_state,
    ).to_bytes()
