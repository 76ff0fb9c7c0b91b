"""One connection without its socket: from a frame to checked requests, from replies to a frame.

[MS-SMB2] 3.3.5.2.1 to 3.3.5.2.7 on the way in, 3.3.4.1 on the way out.
"""

import struct
from collections.abc import Callable, Sequence

from gateway.crypto.errors import CryptoError
from gateway.crypto.preauth import PreauthHash
from gateway.crypto.sealing import sealed_session_id
from gateway.nt.status import STATUS_ACCESS_DENIED
from gateway.protocol.credits import MessageWindow
from gateway.protocol.errors import ProtocolError
from gateway.protocol.message import Batch, Reply, Request
from gateway.protocol.security import ChannelSecurity
from gateway.wire.errors import WireError
from gateway.wire.header import (
    HEADER,
    SMB2_FLAGS_ASYNC_COMMAND,
    SMB2_FLAGS_SERVER_TO_REDIR,
    SMB2_FLAGS_SIGNED,
    Header,
    Opcode,
)
from gateway.wire.header import SMB2_FLAGS_RELATED_OPERATIONS as RELATED

__all__ = ["ANY_ID", "Connection"]

HEADER_SIZE = 64
SMB2_MAGIC = b"\xfeSMB"
SEALED_MAGIC = b"\xfdSMB"
SMB1_MAGIC = b"\xffSMB"
ANY_ID = 0xFFFFFFFFFFFFFFFF
"""In a related element: the session, tree or file of the element before."""
UNSOLICITED = 0xFFFFFFFFFFFFFFFF
"""MessageId of an oplock break notification."""

_PREFIX = struct.Struct(">I")
_PROTOCOL_ID = b"\xfeSMB"
_NO_SIGNATURE = bytes(16)
_NEXT_COMMAND_AT = 20

FindSecurity = Callable[[int], ChannelSecurity | None]


class Connection:
    """What a connection agreed on, which message ids it used, and how its messages are checked and made.

    `find_security` gives a session's keys on this connection, by session id.
    """

    def __init__(self, find_security: FindSecurity, max_credits: int, max_elements: int) -> None:
        self._find_security = find_security
        self.window = MessageWindow(max_credits)
        self.max_elements = max_elements
        """Elements a compound may have."""
        self.multi_credit = False
        """Whether CreditCharge counts ([MS-SMB2] 3.3.1.7 Connection.SupportsMultiCredit)."""
        self.preauth_hash = PreauthHash()

    # --- in

    def receive(self, frame: memoryview) -> Batch:
        """Take one frame apart and check all that can be checked without knowing what its elements ask for.

        An element that must be refused says so in `Request.refused`. `frame` must be writable and is kept by the
        result. Raises `ProtocolError`.
        """
        magic = bytes(frame[:4])
        if magic == SMB2_MAGIC:
            return self._split(frame, None)
        if magic == SEALED_MAGIC:
            return self._unseal(frame)
        raise ProtocolError(f"a message that begins with {magic!r}")

    def _unseal(self, frame: memoryview) -> Batch:
        try:
            session_id = sealed_session_id(frame)
            security = self._find_security(session_id)
            if security is None or security.opener is None:
                raise ProtocolError(f"a sealed message for session {session_id:#x}, which has no key here")
            message = security.opener.unseal(frame)
        except CryptoError as error:
            raise ProtocolError(str(error)) from error
        if message[:4] != SMB2_MAGIC:
            raise ProtocolError("a sealed message with no SMB2 message in it")
        return self._split(memoryview(message), security)

    def _split(self, frame: memoryview, sealed_by: ChannelSecurity | None) -> Batch:
        requests: list[Request] = []
        security: ChannelSecurity | None = sealed_by
        rest = frame
        while True:
            try:
                header = Header.parse(rest)
            except WireError as error:
                raise ProtocolError(str(error)) from error
            following = header.next_command
            message = rest
            if following:
                if following % 8 or not HEADER_SIZE <= following <= len(rest) - HEADER_SIZE:
                    raise ProtocolError(f"a compound element that ends at {following} of {len(rest)}")
                message = rest[:following]
            if header.flags & SMB2_FLAGS_SERVER_TO_REDIR:
                raise ProtocolError("a response, where a request was due")
            request = Request(header, message, sealed=sealed_by is not None)
            if header.command != Opcode.CANCEL:
                self._use_credits(request)
            if not (requests and header.flags & RELATED):
                security = self._find_security(header.session_id)
            request.security = security
            self._check_protection(request, security, sealed_by)
            requests.append(request)
            if not following:
                return Batch(requests, sealed_by)
            if len(requests) == self.max_elements:
                raise ProtocolError(f"a compound of more than {self.max_elements} elements")
            rest = rest[following:]

    def _use_credits(self, request: Request) -> None:
        header = request.header
        charge = header.credit_charge if self.multi_credit else 1
        request.charge = charge or 1
        if not self.window.use(header.message_id, charge):
            raise ProtocolError(f"message id {header.message_id} (charge {charge}) is not to be used")

    def _check_protection(
        self, request: Request, security: ChannelSecurity | None, sealed_by: ChannelSecurity | None
    ) -> None:
        """Signature and sealing. [MS-SMB2] 3.3.5.2.1.1, 3.3.5.2.4, 3.3.5.2.9."""
        header = request.header
        if sealed_by is not None:
            if security is not sealed_by:
                raise ProtocolError("an element of another session than the one that sealed it")
            return
        if security is None:
            return
        if security.sealing_required and header.command != Opcode.SESSION_SETUP:
            request.refused = STATUS_ACCESS_DENIED
        elif header.flags & SMB2_FLAGS_SIGNED and security.signer is not None:
            if security.signer.verify(request.message):
                request.signed = True
            else:
                request.refused = STATUS_ACCESS_DENIED
        elif security.signing_required and header.command != Opcode.SESSION_SETUP:
            request.refused = STATUS_ACCESS_DENIED

    # --- out

    def grant(self, request: Request) -> int:
        """The credits the answer to `request` grants; the same each time it is asked."""
        if request.credits is None:
            request.credits = 0 if request.header.command == Opcode.CANCEL else self._grant(request)
        return request.credits

    def _grant(self, request: Request) -> int:
        return self.window.grant(request.header.credits or request.charge)

    def pack(self, replies: Sequence[Reply], sealed_by: ChannelSecurity | None) -> list[bytes | bytearray]:
        """The frame that carries `replies` (one, or the elements of a compound), as buffers in order.

        `sealed_by`: the session whose key seals it, if it is to be sealed.
        """
        if len(replies) == 1:
            message = self._message(replies[0], 0)
            self._protect(message, replies[0], sealed_by)
        else:
            message = self._compound(replies, sealed_by)
        if sealed_by is not None and sealed_by.sealer is not None and sealed_by.nonces is not None:
            message = sealed_by.sealer.seal(message, sealed_by.session_id, sealed_by.nonces.next())
        return [_PREFIX.pack(len(message)), message]

    def _compound(self, replies: Sequence[Reply], sealed_by: ChannelSecurity | None) -> bytearray:
        whole = bytearray()
        last = len(replies) - 1
        for number, reply in enumerate(replies):
            message = self._message(reply, RELATED if reply.request.header.flags & RELATED else 0)
            if number < last:
                message += bytes(-len(message) % 8)
                message[_NEXT_COMMAND_AT : _NEXT_COMMAND_AT + 4] = len(message).to_bytes(4, "little")
            self._protect(message, reply, sealed_by)
            whole += message
        return whole

    def _message(self, reply: Reply, flags: int) -> bytearray:
        body = reply.body
        if reply.headroom and isinstance(body, bytearray):
            message = body
        else:
            message = bytearray(HEADER_SIZE)
            message += body
        request = reply.request
        header = request.header
        low, high = (
            (reply.async_id & 0xFFFFFFFF, reply.async_id >> 32)
            if reply.async_id
            else (header.process_id, reply.tree_id)
        )
        flags |= SMB2_FLAGS_SERVER_TO_REDIR | (SMB2_FLAGS_ASYNC_COMMAND if reply.async_id else 0)
        credits_granted = request.credits
        if credits_granted is None:
            credits_granted = self.grant(request)
        HEADER.pack_into(
            message,
            0,
            _PROTOCOL_ID,
            HEADER_SIZE,
            request.charge,
            reply.status,
            header.command,
            credits_granted,
            flags,
            0,
            header.message_id,
            low,
            high,
            reply.session_id,
            _NO_SIGNATURE,
        )
        return message

    def _protect(self, message: bytearray, reply: Reply, sealed_by: ChannelSecurity | None) -> None:
        """Sign what is to be signed, and let the preauth hash take it in."""
        if reply.sign and sealed_by is None:
            security = reply.security
            if security is not None and security.signer is not None:
                message[16] |= SMB2_FLAGS_SIGNED
                security.signer.sign(message, server=True)
        if reply.hash is not None:
            reply.hash.update(message)
