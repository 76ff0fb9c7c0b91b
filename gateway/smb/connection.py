"""One client connection: reads, hands frames to dispatch, and sends what comes back. [MS-SMB2] 3.3.1.7, 3.3.5.1.

The reader takes whatever has arrived, answers all of it, sends the answers with one system call, and only waits when
the socket has nothing more. No task, queue or timer is involved in a request that can be answered at once.
"""

import itertools
import logging
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from gateway.debug import connection_id
from gateway.protocol.connection import Connection
from gateway.protocol.dialect import Negotiated
from gateway.protocol.errors import ProtocolError
from gateway.protocol.framing import SMALL_BUFFER, FrameBuffer
from gateway.protocol.message import Reply
from gateway.protocol.security import ChannelSecurity, KeyRing
from gateway.smb.dispatch import Exchange
from gateway.smb.handover import hand_over
from gateway.smb.inflight import InFlight
from gateway.smb.multiprotocol import answer_smb1
from gateway.smb.pending import Pending
from gateway.smb.service import Service
from gateway.smb.session import Session, Setup
from gateway.transport.arrival import Arrival
from gateway.transport.delivery import Delivery
from gateway.transport.lookout import Lookout
from gateway.transport.outbox import Outbox
from gateway.uncompiled import in_nursery, raise_after
from gateway.wire.header import Opcode
from gateway.wire.smb1 import SMB1_MAGIC

__all__ = ["SmbConnection"]

log = logging.getLogger("gateway.conn")

_BATCH: Final = 64
"""Frames handled before others get their turn."""
_RECEIVES: Final = 8
"""How often the rest of a message, or the next one, is looked for before it is waited for."""
_UNORDERED: Final = (Opcode.READ, Opcode.WRITE)
"""What may begin after the requests that came after it."""
_FLUSH_SIZE: Final = 256 * 1024
"""Bytes of replies that do not wait for the rest of a batch."""
_numbers = itertools.count(1)


def _own_address(sock: socket.socket) -> str:
    """The address that the client connected to; empty if that cannot be told."""
    name = sock.getsockname()
    return str(name[0]) if isinstance(name, tuple) else ""


class SmbConnection:
    """A connection and what was agreed on it. `run` serves it to its end; the socket is non-blocking and its own."""

    def __init__(self, service: Service, sock: socket.socket, address: str) -> None:
        self.service = service
        self.address = address
        self.server_address = _own_address(sock)
        self.number = next(_numbers)
        self.is_traced = logging.getLogger("gateway.smb").isEnabledFor(logging.DEBUG)
        """Whether every request is told of: asked once, since it is asked for every request."""
        self._sock = sock
        limits = service.limits
        self._keys = KeyRing()
        self.protocol = Connection(self._keys.find, limits.unauthenticated_credits, limits.max_compound_elements)
        self.negotiated: Negotiated | None = None
        self.sessions: dict[int, Session] = {}
        """Sessions of this connection, those being set up too."""
        self.setups: dict[int, Setup] = {}
        """Authentications that go on, by session id; also of sessions that are to be bound to the connection."""
        self._lookout = Lookout()
        self._frames = FrameBuffer(service.buffers, limits.max_unauthenticated_message)
        self._starting = 0
        """Requests that have gone to tasks which have not begun. What comes after them has to wait for that much."""
        self._reserved = 0
        """Bytes of the memory budget for the message that arrives."""
        self._more = False
        """Whether whole messages are left that have not been handled."""
        self._at_end = False
        """Whether the client has sent its last byte."""
        self._authenticated = False
        self.ended = False
        self._began = 0.0
        self._nursery: trio.Nursery
        self._arrival: Arrival
        self.in_flight: InFlight
        self.outbox: Outbox
        self.delivery: Delivery

    # --- life

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        connection_id.set(self.number)
        log.debug("%s: connected", self.address)
        self._began = trio.current_time()
        try:
            await in_nursery(self._live)
        except BaseException as error:  # whatever it is: nobody else closes what is open
            ending = raise_after(self._end(), error)
        else:
            await self._end()
            return
        await ending

    async def _live(self, nursery: trio.Nursery) -> None:
        limits = self.service.limits
        self._nursery = nursery
        self.in_flight = InFlight(limits, nursery.start_soon)
        self.outbox = Outbox(
            self._sock,
            limit=limits.output_queue,
            stall_seconds=limits.stall_seconds,
            start=nursery.start_soon,
            on_broken=nursery.cancel_scope.cancel,
        )
        self._arrival = Arrival(self._sock, limits.stall_seconds, nursery.start_soon, self._stalled)
        self.delivery = Delivery(
            self._sock,
            limits.redelivery_seconds,
            limits.delivery_seconds,
            nursery.start_soon,
            partial(self.service.delayed, self),
            self._silent,
        )
        try:
            await self._serve()
        finally:
            self.ended = True
        nursery.cancel_scope.cancel()

    async def _end(self) -> None:
        # Without a deadline: what is not closed would be in use for ever. It waits for nothing but storage.
        with trio.CancelScope(shield=True):
            await self._clean_up()
        self.service.budget.give(self._reserved)
        self.outbox.close()
        self._frames.close()
        self._sock.close()

    def _stalled(self) -> None:
        log.debug("%s: connection lost: no progress in the middle of a message", self.address)
        self.close()

    def _silent(self) -> None:
        log.info("%s: connection ended: a notification has not arrived", self.address)
        self.close()

    def start(self, task: Callable[[], Awaitable[None]]) -> None:
        """Run a task that ends with the connection, which must not have `ended`."""
        self._nursery.start_soon(task)

    def close(self) -> None:
        """End the connection as soon as possible."""
        self._nursery.cancel_scope.cancel()

    async def _serve(self) -> None:
        try:
            await self._read()
        except ProtocolError as error:
            log.info("%s: connection ended: %s", self.address, error)
        except (ConnectionError, TimeoutError) as error:
            log.debug("%s: connection lost: %s", self.address, error)
        else:
            log.debug("%s: disconnected", self.address)

    async def _clean_up(self) -> None:
        self.service.clients.remove(self)
        self.service.lost(self)
        for session in list(self.sessions.values()):
            await session.detach(self)

    # --- in

    async def _read(self) -> None:
        while not self._at_end:
            if self._turn():
                await self._wait_for_data()
            # Also after waiting: what has been served meanwhile may have to come first.
            await self._make_way()

    def _turn(self) -> bool:
        """Receive and answer what has arrived. True if more can only arrive; False if the reader has to make way."""
        frames = self._frames
        looks = False
        for _ in range(_RECEIVES):
            if not self._more:
                wanted = frames.wanted
                if wanted > SMALL_BUFFER and wanted > self._reserved and not self._try_reserve(wanted):
                    return False
                count = self._receive()
                if looks:
                    self._lookout.came_to(found=count >= 0)
                if count < 0:
                    break
                if count == 0:
                    self._at_end = True
                    return False
                frames.received(count)
            self._more = self._take_all()
            if self._more or self._starting or self.outbox.full or self.in_flight.full:
                return False
            looks = not frames.pending
            if (looks and not self._lookout.pays()) or frames.missing > SMALL_BUFFER:
                break
        frames.rest()
        if frames.pending:
            self._arrival.begun(frames.missing)
        else:
            self._arrival.ended()
        return True

    def _receive(self) -> int:
        """Receive what has arrived; how many bytes: 0 at the end of all, and -1 if nothing has."""
        frames, receive = self._frames, self._sock.recv_into
        try:
            count = receive(frames.room())
            while 0 < count < frames.at_hand:
                frames.received(count)
                count = receive(frames.room())
        except BlockingIOError:
            return -1
        return count

    async def _make_way(self) -> None:
        """Let others have their turn, and wait for what has to come before the next message."""
        self._arrival.paused()
        if self._more:
            await trio.lowlevel.checkpoint()
        while self._starting:
            await trio.lowlevel.checkpoint()
        if self.outbox.full:
            await self.outbox.has_room()
        if self.in_flight.full:
            await self.in_flight.has_room()
        # If whole messages are left, the peer may wait for their answers before it sends the rest of another.
        wanted = self._frames.wanted
        if not self._more and wanted > SMALL_BUFFER and wanted > self._reserved:
            await self._reserve(wanted)

    def _try_reserve(self, size: int) -> bool:
        """Take memory for the message that arrives, or more of it, if nobody waits for any."""
        if not self.service.budget.try_take(size - self._reserved):
            return False
        self._reserved = size
        return True

    async def _reserve(self, size: int) -> None:
        """Take memory for the message that arrives, or more of it, and wait for that if need be."""
        await self.service.budget.take(size - self._reserved, to_finish=self._reserved > 0)
        self._reserved = size

    def _take_all(self) -> bool:
        """Handle the messages that have arrived; True if it stopped before the last of them."""
        frames, outbox = self._frames, self.outbox
        for _ in range(_BATCH):
            message = frames.next_message()
            if message is None:
                outbox.flush()
                return False
            self._take(message)
            if self._starting:
                outbox.flush()
                return True
            if outbox.size > _FLUSH_SIZE:
                outbox.flush()
                if outbox.full:
                    return True
        outbox.flush()
        return True

    def _take(self, message: memoryview) -> None:
        """Handle one message."""
        if self.negotiated is None and bytes(message[:4]) == SMB1_MAGIC:
            answer_smb1(self, message)
            return
        exchange = Exchange(self, self.protocol.receive(message))
        exchange.reserved, self._reserved = self._reserved, 0
        try:
            done = exchange.run()
            if done and exchange.replies:
                self._put(exchange.replies, exchange.batch.sealed_by)
        except BaseException:  # whatever it is: the budget is everybody's
            self.service.budget.give(exchange.held)
            raise
        if exchange.reserved:
            # Or the storage would outlive what it has of the budget.
            self._frames.detach(reuse=done)
        if done:
            if exchange.reserved:
                self.service.budget.give(exchange.reserved)
            return
        if exchange.batch.sealed_by is None and not exchange.reserved:
            if 2 * len(message) < self._frames.held:
                exchange.batch.keep()
            else:
                self._frames.detach()
        pending = exchange.pending()
        self.in_flight.enter(pending)
        self._nursery.start_soon(self._finish, exchange, pending)
        if pending.request.header.command not in _UNORDERED:
            self._starting += 1

    async def _wait_for_data(self) -> None:
        """Wait until something arrives. Raises `TimeoutError` for who does not log on."""
        if self._authenticated:
            await self.service.hub.wait(self._sock, self._serve_quiet)
            return
        with trio.move_on_at(self._began + self.service.limits.authentication_seconds) as scope:
            await trio.lowlevel.wait_readable(self._sock)
        if scope.cancelled_caught:
            raise TimeoutError("nobody logged on in time")

    def _serve_quiet(self) -> bool:
        """A turn for which the reader need not wake; True if it may sleep on."""
        self._frames.at_hand = self._arrival.mark
        return self._turn()

    # --- out

    def send(self, replies: list[Reply], sealed_by: ChannelSecurity | None) -> None:
        """Send the replies of one frame."""
        if replies:
            self._put(replies, sealed_by)
            self.outbox.flush()

    def _put(self, replies: list[Reply], sealed_by: ChannelSecurity | None) -> None:
        sent = None
        for reply in replies:
            if reply.reserved:
                sent = partial(self._sent, [reply for reply in replies if reply.reserved])
                break
            if reply.extent is not None:
                self.outbox.put(self.protocol.pack(replies, sealed_by), reply.extent.release, reply.extent)
                return
        self.outbox.put(self.protocol.pack(replies, sealed_by), sent)

    def _sent(self, large: list[Reply]) -> None:
        """These have left, or never will: what they held is for others."""
        for reply in large:
            self.service.budget.give(reply.reserved)
            if reply.lent is not None:
                self.service.buffers.give(reply.lent)

    def notify(self, body: bytes, sealed_by: ChannelSecurity | None, since: float | None = None) -> bool:
        """Send an oplock break notification; False if the connection is at its end. [MS-SMB2] 3.3.4.6, 3.3.4.7.

        `since`: when it was first sent, by another connection, on trio's clock.
        """
        if self.ended or self.outbox.broken:
            return False
        self.outbox.put(self.protocol.notification(body, sealed_by))
        self.outbox.flush()
        self.delivery.expect(since)
        return True

    # --- requests in tasks

    async def _finish(self, exchange: Exchange, pending: Pending) -> None:
        if pending.request.header.command not in _UNORDERED:
            self._starting -= 1
        try:
            await exchange.run_in_task(pending)
            self.send(exchange.replies, exchange.batch.sealed_by)
            exchange.replies.clear()
        except trio.Cancelled:
            hand_over(self, pending)
            raise
        except ProtocolError as error:
            log.info("%s: connection ended: %s", self.address, error)
            self.close()
        finally:
            self.service.budget.give(exchange.held)

    # --- what was agreed

    def agree(self, negotiated: Negotiated) -> None:
        """NEGOTIATE has come to its result."""
        self.negotiated = negotiated
        self.protocol.multi_credit = negotiated.multi_credit

    def authenticated(self) -> None:
        """Somebody has logged on: larger messages may come, and more at a time."""
        self._authenticated = True
        self.service.clients.add(self)
        self.protocol.window.limit = self.service.limits.max_credits
        negotiated = self.negotiated
        if negotiated is not None:
            largest = max(negotiated.max_write_size, negotiated.max_transact_size)
            self._frames.max_message = largest + self.service.limits.message_overhead

    def enter_session(self, session: Session, security: ChannelSecurity) -> None:
        """A session begins here, or is bound to this connection; `security` has its keys here."""
        self.sessions[session.session_id] = session
        self._keys.enter(security)

    def forget_session(self, session: Session) -> None:
        """The session has ended, or is none of this connection's any more."""
        self.sessions.pop(session.session_id, None)
        self.setups.pop(session.session_id, None)
        self._keys.leave(session.session_id)
