"""A request that goes on in a task: how it is announced to the client, and how it is cancelled. [MS-SMB2] 3.3.4.2."""

from typing import TYPE_CHECKING, Final

import trio

from gateway.nt.status import STATUS_CANCELLED, STATUS_INTERNAL_ERROR, StatusError
from gateway.protocol.message import Request
from gateway.wire.header import Opcode

if TYPE_CHECKING:
    from gateway.smb.dispatch import Exchange
    from gateway.smb.session import Session

__all__ = ["Pending"]


_NEVER_ANNOUNCED: Final = (Opcode.SESSION_SETUP, Opcode.TREE_CONNECT)
"""In the header of an asynchronous answer there is no room for the tree's id, and a log-on's are hashed."""


class Pending:
    """One element of a frame, from the moment it left the inline pass until its answer is queued."""

    __slots__ = (
        "async_id",
        "cancel_status",
        "cancelled",
        "exchange",
        "is_replayable",
        "is_unanswered",
        "request",
        "scope",
        "since",
        "unbounded_in",
    )

    def __init__(self, exchange: "Exchange", request: Request, since: float) -> None:
        self.exchange = exchange
        self.request = request
        self.since = since
        """When it left, on trio's clock."""
        self.async_id = 0
        """By which the client knows it, once it was told that the request goes on."""
        self.scope: trio.CancelScope | None = None
        self.cancelled = False
        self.cancel_status = STATUS_CANCELLED
        self.unbounded_in: Session | None = None
        """The session it counts in, if it waits for something that may never happen."""
        self.is_replayable = False
        """Whether the client will send it again by another channel, should this one end."""
        self.is_unanswered = False
        """Whether its client has lost the connection that it came by."""

    @property
    def awaits_announcement(self) -> bool:
        """Whether the client is to be told, should the answer take its time."""
        return not self.async_id and not self.is_unanswered and self.request.header.command not in _NEVER_ANNOUNCED

    def announce(self) -> None:
        """Tell the client, now, that the answer will take its time. Does nothing the second time."""
        self.exchange.announce(self)

    def wait_without_bound(self, session: "Session") -> None:
        """Say that the answer may never come, and announce it.

        Raises INSUFFICIENT_RESOURCES if the session has too many such requests, and INTERNAL_ERROR if other elements of
        a compound would have to wait for it: only the last one may ([MS-SMB2] 3.3.5.2.7, as Windows does it).
        """
        if self.request is not self.exchange.batch.requests[-1]:
            raise StatusError(STATUS_INTERNAL_ERROR)
        self.exchange.connection.in_flight.wait_unbounded(self, session)
        self.announce()
        self.exchange.let_go()

    def cancel(self, status: int = STATUS_CANCELLED) -> None:
        """End it, if it still waits; `status` is then its answer.

        A log-on is not ended: whoever guesses passwords has to wait for each answer.
        """
        if not self.cancelled and self.request.header.command != Opcode.SESSION_SETUP:
            self.cancelled = True
            self.cancel_status = status
            if self.scope is not None:
                self.scope.cancel()
