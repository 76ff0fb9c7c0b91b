"""A CREATE whose connection ends while it waits: another channel of its session goes on with it. [MS-SMB2] 3.3.5.9.10.

The client will send it again by another channel, and is to get the same open, however often it asks.
"""

from functools import partial
from typing import TYPE_CHECKING

import trio

from gateway.protocol.connection import UNSOLICITED
from gateway.protocol.message import Batch, Request
from gateway.smb.dispatch import Exchange
from gateway.wire.header import Header

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection
    from gateway.smb.pending import Pending

__all__ = ["hand_over"]


def hand_over(connection: "SmbConnection", pending: "Pending") -> None:
    """`connection` has ended under a request, which was cancelled before it had any effect.

    Nothing is done if it cannot be sent again, or its session has no other channel that has room.
    """
    request = pending.request
    session = connection.sessions.get(request.header.session_id)
    if not pending.is_replayable or len(pending.exchange.batch.requests) > 1 or session is None:
        return
    for other in session.channels:
        if other is not connection and not other.ended and not other.in_flight.full:
            other.start(partial(_go_on, other, request))
            return


async def _go_on(connection: "SmbConnection", request: Request) -> None:
    """Whoever is told, it is not this connection: the answer goes nowhere, and no CANCEL finds the request."""
    header = Header.parse(request.message)
    header.message_id = UNSOLICITED
    unanswered = Request(header, request.message, sealed=request.sealed)
    unanswered.charge = request.charge
    exchange = Exchange(connection, Batch([unanswered], None))
    pending = exchange.pending()
    pending.is_unanswered = True
    connection.in_flight.enter(pending)
    try:
        await exchange.run_in_task(pending)
    except trio.Cancelled:
        hand_over(connection, pending)
        raise
