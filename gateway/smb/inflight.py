"""The requests of one connection that go on in tasks: how many, who is told of it, and what CANCEL finds.

[MS-SMB2] 3.3.1.7 Connection.AsyncCommandList, 3.3.4.2, 3.3.5.16.
"""

from collections.abc import Awaitable, Callable

import trio

from gateway.nt.status import STATUS_INSUFFICIENT_RESOURCES, StatusError
from gateway.protocol.message import Request
from gateway.smb.limits import Limits
from gateway.smb.pending import Pending
from gateway.smb.session import Session
from gateway.wire.header import SMB2_FLAGS_ASYNC_COMMAND

__all__ = ["InFlight"]


class InFlight:
    """`start` runs a coroutine function as a task of the connection."""

    def __init__(self, limits: Limits, start: Callable[[Callable[[], Awaitable[None]]], None]) -> None:
        self._most = limits.max_requests_in_flight
        self._most_unbounded = limits.max_async_requests
        self._interim_seconds = limits.interim_seconds
        self._start = start
        self.pendings: dict[tuple[int, int], Pending] = {}
        """By message id and element."""
        self._by_async_id: dict[int, Pending] = {}
        self._last_async_id = 0
        self._sweeping = False
        self.running = 0
        """How many there are, but for those that may wait for ever."""
        self._room: trio.Event | None = None

    @property
    def full(self) -> bool:
        """Whether as many requests go on in tasks as may."""
        return self.running >= self._most

    async def has_room(self) -> None:
        """Wait until fewer requests go on in tasks than may."""
        while self.full:
            self._room = trio.Event()
            await self._room.wait()

    def enter(self, pending: Pending) -> None:
        """Enter a request, so that it is announced in time and can be cancelled."""
        self.pendings[pending.request.header.message_id, id(pending)] = pending
        self.running += 1
        if not self._sweeping:
            self._sweeping = True
            self._start(self._sweep)

    def settled(self, pending: Pending) -> None:
        """The request has its answer."""
        self.pendings.pop((pending.request.header.message_id, id(pending)), None)
        self._by_async_id.pop(pending.async_id, None)
        if pending.unbounded_in is not None:
            pending.unbounded_in.pending -= 1
        else:
            self._leave()

    def wait_unbounded(self, pending: Pending, session: Session) -> None:
        """The request waits for something that may never happen; other requests need not wait for it.

        Raises INSUFFICIENT_RESOURCES if the session has too many of those.
        """
        if session.pending >= self._most_unbounded:
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
        session.pending += 1
        pending.unbounded_in = session
        self._leave()

    def _leave(self) -> None:
        self.running -= 1
        if self._room is not None:
            self._room.set()
            self._room = None

    def new_async_id(self, pending: Pending) -> int:
        """The id by which the client is told that the request goes on."""
        self._last_async_id += 1
        self._by_async_id[self._last_async_id] = pending
        return self._last_async_id

    def cancel(self, request: Request) -> None:
        """CANCEL: [MS-SMB2] 3.3.5.16. Has no answer."""
        header = request.header
        if header.flags & SMB2_FLAGS_ASYNC_COMMAND:
            pending = self._by_async_id.get(header.async_id)
            if pending is not None:
                pending.cancel()
            return
        for (message_id, _), pending in list(self.pendings.items()):
            if message_id == header.message_id:
                pending.cancel()

    async def _sweep(self) -> None:
        """Announce the requests that take long."""
        delay = self._interim_seconds
        while any(pending.awaits_announcement for pending in self.pendings.values()):
            await trio.sleep(delay)
            due = trio.current_time() - delay
            for pending in list(self.pendings.values()):
                if pending.awaits_announcement and pending.since <= due:
                    pending.announce()
        self._sweeping = False
