"""From a frame's requests to its replies: who answers, with what at hand, and what becomes of errors.

[MS-SMB2] 3.3.5.2. Every element is first run inline. One that would have to wait goes on in a task, together with the
elements behind it in its compound; what was finished before stays finished. This is the only place where an exception
becomes a status.
"""

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final

import trio

import gateway.smb.commands  # noqa: F401 - enters the handlers in the table
from acl.errors import AclError
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INTERNAL_ERROR,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_NETWORK_NAME_DELETED,
    STATUS_NETWORK_SESSION_EXPIRED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    STATUS_USER_SESSION_DELETED,
    StatusError,
)
from gateway.nt.status import name as name_of_status
from gateway.protocol.connection import ANY_ID
from gateway.protocol.errors import ProtocolError
from gateway.protocol.message import Batch, Reply, Request
from gateway.share.errors import status_of
from gateway.smb.answer import Answer, Result
from gateway.smb.binding import recognize
from gateway.smb.channel_sequence import Generation
from gateway.smb.compound import Compound
from gateway.smb.context import ConnectionContext, FileContext, OpenContext, SessionContext, TreeContext
from gateway.smb.opens import FileOpen, SmbOpen
from gateway.smb.pending import Pending
from gateway.smb.registry import COMMANDS, SESSIONLESS, Begun, Command
from gateway.wire.error import ErrorResponse
from gateway.wire.errors import WireError
from gateway.wire.header import Opcode, opcode_name
from gateway.wire.negotiate import DIALECT_311
from vfs_backends.errors import VfsError
from vfs_backends.inline import NotNow, begin_inline, effect_scope, end_inline, run_to_end
from vfs_backends.native import mypyc_attr

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection
    from gateway.smb.session import Session
    from gateway.smb.tree import Tree

__all__ = ["Exchange"]

log = logging.getLogger("gateway.smb")
storage_log = logging.getLogger("gateway.vfs")

_EMPTY_ERROR: Final = ErrorResponse().to_bytes()
_EXPIRED_MAY: Final = frozenset({Opcode.LOGOFF, Opcode.CLOSE, Opcode.SESSION_SETUP})
"""What an expired session may still do. [MS-SMB2] 3.3.5.2.9."""


_TREE: Final = TreeContext.LEVEL
_OPEN: Final = OpenContext.LEVEL
_FILE: Final = FileContext.LEVEL


@mypyc_attr(free_list_len=1)
class Exchange:
    """One frame on its way through the commands."""

    __slots__ = ("_compound", "_done", "_entered", "_held", "_index", "batch", "connection", "replies", "reserved")

    def __init__(self, connection: "SmbConnection", batch: Batch) -> None:
        self.connection = connection
        self.batch = batch
        self.replies: list[Reply] = []
        self.reserved = 0
        """Bytes of the memory budget that the frame holds while it is worked on."""
        self._index = 0
        self._done = False
        """Whether all is answered."""
        self._held: SmbOpen | None = None
        """The open of the element at hand. If the element goes on in a task, it is in use from the moment the element
        came, also if a CLOSE that came later gets its turn earlier."""
        self._entered: Generation | None = None
        """Under what it was entered as in use."""
        self._compound = Compound()

    def run(self) -> bool:
        """Run inline; True if all is answered, False if the rest has to go on in a task."""
        try:
            begun = self._answer_at_hand()
            if begun is not None:
                run_to_end(self._run(begun))
        finally:
            end_inline()
        return self._done

    def _answer_at_hand(self) -> Coroutine[Any, Any, Result] | None:
        """Answer what needs no coroutine, element by element; what is to be awaited for the first that does."""
        while (request := self._next()) is not None:
            begin_inline()
            try:
                begun = self._begin(request, None)
                # Not both at once: that is slower where this is compiled.
                if not (isinstance(begun, bytearray) or isinstance(begun, Answer)):  # noqa: SIM101
                    return begun
                reply = self._success(request, begun)
            except NotNow:
                self._postpone()
                return None
            except Exception as error:  # the barrier for defects: see _failure
                reply = self._failure(request, error)
            self._answered(request, reply)
        self._done = True
        return None

    async def _run(self, begun: Coroutine[Any, Any, Result] | None) -> None:
        while begun is not None:
            request = self.batch.requests[self._index]
            try:
                reply = self._success(request, await begun)
            except NotNow:
                self._postpone()
                return
            except Exception as error:  # the barrier for defects: see _failure
                reply = self._failure(request, error)
            self._answered(request, reply)
            begun = self._answer_at_hand()

    def _answered(self, request: Request, reply: Reply) -> None:
        self._finish(request, reply)
        self.replies.append(reply)
        self._index += 1

    def _postpone(self) -> None:
        """The element at hand would have to wait, and is to go on in a task."""
        if self._held is not None:
            self._entered = self._held.enter()

    def _next(self) -> Request | None:
        """The element at hand, beyond any CANCEL: that is done at once, and has no answer."""
        requests = self.batch.requests
        while self._index < len(requests):
            request = requests[self._index]
            if request.header.command != Opcode.CANCEL:
                return request
            if not request.refused:
                self.connection.in_flight.cancel(request)
            self._index += 1
        return None

    @property
    def held(self) -> int:
        """Bytes of the memory budget that it holds, with the replies that have not been sent."""
        held = self.reserved
        for reply in self.replies:
            held += reply.reserved
        return held

    def let_go(self) -> None:
        """What follows may take for ever: hold no more than the last request, which is small."""
        del self.batch.requests[: self._index]
        self._index = 0
        self.batch.keep()
        self.connection.service.budget.give(self.reserved)
        self.reserved = 0

    def pending(self) -> Pending:
        """The element that could not be answered inline, as a request that waits."""
        return Pending(self, self.batch.requests[self._index], trio.current_time())

    async def run_in_task(self, pending: Pending) -> None:
        """Go on from the element that is `pending` to the end."""
        while True:
            try:
                self.replies.append(await self._answer_cancellable(pending))
            finally:
                if self._held is not None and self._entered is not None:
                    self._held.leave(self._entered)
                self._held = self._entered = None
                # Also at the end of the connection: the session, in which it counts, may have another.
                self.connection.in_flight.settled(pending)
            self._index += 1
            if self._next() is None:
                return
            pending = self.pending()
            self.connection.in_flight.enter(pending)

    async def _answer_cancellable(self, pending: Pending) -> Reply:
        request = pending.request
        with trio.CancelScope() as scope, trio.CancelScope() as effects:
            pending.scope = scope
            if pending.cancelled:
                scope.cancel()
            effect_scope.set(effects)
            try:
                begun = self._begin(request, pending)
                answer = begun if isinstance(begun, (Answer, bytearray)) else await begun
                reply = self._success(request, answer)
            except Exception as error:  # the barrier for defects: see _failure
                reply = self._failure(request, error)
        if scope.cancelled_caught:
            reply = self._error(request, pending.cancel_status)
        self._finish(request, reply)
        reply.async_id = pending.async_id
        return reply

    def announce(self, pending: Pending) -> None:
        """Send STATUS_PENDING for an element, and the finished replies of its compound with it. [MS-SMB2] 3.3.4.2."""
        if pending.async_id:
            return
        pending.async_id = self.connection.in_flight.new_async_id(pending)
        interim = Reply(pending.request, STATUS_PENDING, _EMPTY_ERROR)
        interim.async_id = pending.async_id
        interim.session_id = self._compound.session_id
        replies = [*self.replies, interim]
        self.replies.clear()
        self.connection.send(replies, self.batch.sealed_by)
        pending.request.credits = 0  # the interim has granted what there was to grant

    # --- one element

    def _failure(self, request: Request, error: Exception) -> Reply:
        """The reply to what has failed. Raises what ends the connection."""
        command = request.header.command
        match error:
            case StatusError():
                return self._error(request, error.status, error.data)
            case VfsError():
                storage_log.debug("%s: %s", opcode_name(command), error)
                return self._error(request, status_of(error))
            case WireError():
                log.debug("%s: %s", opcode_name(command), error)
                return self._error(request, STATUS_INVALID_PARAMETER)
            case AclError():
                log.debug("%s: %s", opcode_name(command), error)
                return self._error(request, STATUS_INVALID_SECURITY_DESCR)
            case NotNow() | ProtocolError():
                raise error
        # A defect costs one request, and is told with all there is to know.
        log.error("%s failed", opcode_name(command), exc_info=error)
        return self._error(request, STATUS_INTERNAL_ERROR)

    def _finish(self, request: Request, reply: Reply) -> None:
        if (request.signed or request.refused) and not reply.sign:
            # Also without a session context: the answer to a signed ECHO is signed. [MS-SMB2] 3.3.4.1.1. And also where
            # the signature was wrong or missing, as Samba does it: clients hang up on a refusal that nobody has signed.
            reply.sign, reply.security = True, request.security
        if self.connection.is_traced:
            header = request.header
            what = opcode_name(header.command), name_of_status(reply.status)
            log.debug("session %#x, message %d: %s: %s", reply.session_id, header.message_id, *what)

    def _begin(self, request: Request, pending: Pending | None) -> Begun:
        """Find what the handler needs, and call it. Raises `StatusError`, and `WireError` for a malformed body."""
        compound = self._compound
        compound.enter(request, first=self._index == 0)
        held = self._held if pending is not None else None
        self._held = held
        command = COMMANDS.get(request.header.command)
        level = 0 if command is None else command.level
        try:
            session = self._session(request) if level else None
        except StatusError:
            command = SESSIONLESS.get(request.header.command)
            if command is None:
                raise
            level, session = 0, None
        if request.refused:
            raise StatusError(request.refused)
        if command is None:
            raise StatusError(STATUS_INVALID_PARAMETER)
        connection = self.connection
        if session is None:
            return command.handler(ConnectionContext(connection, request, pending), command.parse(request.message))
        if level < _TREE:
            context = SessionContext(connection, request, pending, session)
            return command.handler(context, command.parse(request.message))
        tree = self._tree(session, request)
        if level >= _OPEN:
            return self._begin_on_open(command, request, pending, session, tree)
        in_tree = TreeContext(connection, request, pending, session, tree, compound)
        return command.handler(in_tree, command.parse(request.message))

    def _begin_on_open(
        self, command: Command, request: Request, pending: Pending | None, session: "Session", tree: "Tree"
    ) -> Begun:
        compound, held = self._compound, self._held
        parsed = command.parse(request.message)
        context = OpenContext(self.connection, request, pending, session, tree, compound)
        if held is None:
            one = context.find_open(parsed.persistent_file_id, parsed.volatile_file_id)
        else:
            one, compound.file_id = held, held.file_id
        if pending is None:
            self._held = one
        if command.level < _FILE:
            context.open = one
            begun = command.handler(context, parsed)
        elif isinstance(one, FileOpen):
            on_file = FileContext(self.connection, request, pending, session, tree, compound)
            on_file.open = one
            begun = command.handler(on_file, parsed)
        else:
            raise StatusError(STATUS_INVALID_DEVICE_REQUEST)
        return begun if pending is None or isinstance(begun, (Answer, bytearray)) else _using(one, begun)

    def _session(self, request: Request) -> "Session":
        """The session of an element. Raises `StatusError`."""
        connection, compound = self.connection, self._compound
        session = connection.sessions.get(compound.session_id)
        if session is None or session.token is None:
            # Related elements after this one have nothing to be related to.
            compound.session_id = ANY_ID
            if session is None:
                recognize(connection, request)
            raise StatusError(STATUS_USER_SESSION_DELETED)
        if (
            session.expires is not None
            and request.header.command not in _EXPIRED_MAY
            and session.is_expired(connection.service.now())
        ):
            raise StatusError(STATUS_NETWORK_SESSION_EXPIRED)
        return session

    def _tree(self, session: "Session", request: Request) -> "Tree":
        tree = session.trees.get(self._compound.tree_id)
        if tree is None:
            raise StatusError(STATUS_NETWORK_NAME_DELETED)
        if tree.export.encrypt and not request.sealed:
            raise StatusError(STATUS_ACCESS_DENIED)
        return tree

    def _success(self, request: Request, answer: Result) -> Reply:
        compound = self._compound
        if isinstance(answer, bytearray):
            reply = Reply(request, STATUS_SUCCESS, answer, headroom=True)
        elif isinstance(answer, Answer):
            reply = self._with_more(request, answer)
        else:
            reply = Reply(request, STATUS_SUCCESS, answer.to_bytes())
        reply.session_id, reply.tree_id = compound.session_id, compound.tree_id
        return reply

    def _with_more(self, request: Request, answer: Answer) -> Reply:
        compound = self._compound
        reply = Reply(request, answer.status, answer.body, headroom=answer.headroom)
        if answer.session_id is not None:
            compound.session_id = answer.session_id
        if answer.tree_id is not None:
            compound.tree_id = answer.tree_id
        if answer.file_id is not None:
            compound.opens(answer.file_id)
        reply.security, reply.hash = answer.security, answer.hash
        reply.reserved, reply.lent, reply.extent = answer.reserved, answer.lent, answer.extent
        reply.sign = answer.security is not None
        return reply

    def _wants_contexts(self) -> bool:
        negotiated = self.connection.negotiated
        return negotiated is not None and negotiated.dialect == DIALECT_311

    def _error(self, request: Request, status: int, data: bytes = b"") -> Reply:
        compound = self._compound
        if request.header.command == Opcode.CREATE:
            compound.create_status = status
        body = ErrorResponse.of(data, in_context=self._wants_contexts()).to_bytes() if data else _EMPTY_ERROR
        reply = Reply(request, status, body)
        if compound.related:
            reply.session_id, reply.tree_id = compound.session_id, compound.tree_id
        return reply


async def _using(one: SmbOpen, handler: Coroutine[Any, Any, Result]) -> Result:
    """Run a handler in a task, and let the open know that it is used meanwhile."""
    with one.in_use():
        return await handler
