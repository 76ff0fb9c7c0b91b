"""One connection without its socket: from a frame to checked requests, from replies to a frame.

[MS-SMB2] 3.3.5.2.1 to 3.3.5.2.7 on the way in, 3.3.4.1 on the way out.
"""

import struct
from collections.abc import Callable
from typing import Final

from gateway.crypto.errors import CryptoError
from gateway.crypto.preauth import PreauthHash
from gateway.crypto.sealing import transform_header
from gateway.nt.status import STATUS_ACCESS_DENIED
from gateway.protocol.credits import MessageWindow
from gateway.protocol.errors import ProtocolError
from gateway.protocol.framing import PREFIX_SIZE
from gateway.protocol.message import HEADROOM, Batch, Reply, Request
from gateway.protocol.security import ChannelSecurity
from gateway.wire.errors import WireError
from gateway.wire.header import (
    HEADER,
    HEADER_SIZE,
    NO_SIGNATURE,
    SMB2_FLAGS_ASYNC_COMMAND,
    SMB2_FLAGS_SERVER_TO_REDIR,
    SMB2_FLAGS_SIGNED,
    SMB2_MAGIC,
    Header,
    Opcode,
)
from gateway.wire.header import SMB2_FLAGS_RELATED_OPERATIONS as RELATED
from gateway.wire.pieces import pad8
from gateway.wire.transform import TRANSFORM_HEADER_SIZE, TRANSFORM_MAGIC

__all__ = ["ANY_ID", "UNSOLICITED", "Connection"]

ANY_ID: Final = 0xFFFFFFFFFFFFFFFF
"""In a related element: the session, tree or file of the element before."""
UNSOLICITED: Final = 0xFFFFFFFFFFFFFFFF
"""MessageId of an oplock break notification."""

_view_of: Final = memoryview
_prefix: Final = struct.Struct(">I").pack
_put_prefix: Final = struct.Struct(">I").pack_into
_pack_header: Final = HEADER.pack_into
_ROOM: Final = bytes(HEADROOM)
_ROOM_FOR_PREFIX: Final = bytes(PREFIX_SIZE)
_ROOM_FOR_HEADER: Final = bytes(HEADER_SIZE)
_SEALED: Final = TRANSFORM_MAGIC[0]

Buffer = bytes | bytearray | memoryview
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
        if len(frame) and frame[0] == _SEALED:
            return self._unseal(frame)
        return self._split(frame, None)

    def _unseal(self, frame: memoryview) -> Batch:
        try:
            session_id, nonce, signature = transform_header(frame)
            security = self._find_security(session_id)
            if security is None or security.opener is None:
                raise ProtocolError(f"a sealed message for session {session_id:#x}, which has no key here")
            message = security.opener.unseal(frame, nonce, signature)
        except CryptoError as error:
            raise ProtocolError(str(error)) from error
        return self._split(_view_of(message), security)

    def _split(self, frame: memoryview, sealed_by: ChannelSecurity | None) -> Batch:
        requests: list[Request] = []
        security: ChannelSecurity | None = sealed_by
        rest = frame
        while True:
            try:
                header = Header.parse(rest)
            except WireError as error:
                raise ProtocolError(str(error)) from error
            following, flags = header.next_command, header.flags
            if flags & SMB2_FLAGS_SERVER_TO_REDIR:
                raise ProtocolError("a response, where a request was due")
            message = _element(rest, following) if following else rest
            request = Request(header, message, sealed=sealed_by is not None)
            if header.command != Opcode.CANCEL:
                charge = (header.credit_charge or 1) if self.multi_credit else 1
                request.charge = charge
                if not self.window.use(header.message_id, charge):
                    raise ProtocolError(f"message id {header.message_id} (charge {charge}) is not to be used")
            own = not flags & RELATED or not requests
            if own and (security is None or security.session_id != header.session_id):
                security = self._find_security(header.session_id)
            if sealed_by is not None:
                if security is not sealed_by:
                    raise ProtocolError("an element of another session than the one that sealed it")
            elif security is not None:
                _check_protection(request, header, security)
            request.security = security
            requests.append(request)
            if not following:
                return Batch(requests, sealed_by)
            if len(requests) == self.max_elements:
                raise ProtocolError(f"a compound of more than {self.max_elements} elements")
            rest = rest[following:]

    # --- out

    def grant(self, request: Request) -> int:
        """The credits the answer to `request` grants; the same each time it is asked."""
        if request.credits is None:
            header = request.header
            request.credits = (
                0 if header.command == Opcode.CANCEL else self.window.grant(header.credits or request.charge)
            )
        return request.credits

    def pack(self, replies: list[Reply], sealed_by: ChannelSecurity | None) -> list[Buffer]:
        """The frame that carries `replies` (one, or the elements of a compound), as buffers in order.

        An extent is to follow them. `sealed_by`: the session whose key seals it, if it is to be sealed.
        """
        if len(replies) > 1:
            return self._framed(self._compound(replies, sealed_by), sealed_by)
        reply = replies[0]
        body = reply.body
        frame = body if reply.headroom and not isinstance(body, bytes) else bytearray(_ROOM + body)
        end = len(frame)
        self._complete(frame, PREFIX_SIZE, end, reply, sealed_by)
        if reply.extent is not None:
            _put_prefix(frame, 0, end - PREFIX_SIZE + reply.extent.left)
            return [frame]
        return self._framed(frame, sealed_by)

    def notification(self, body: bytes, sealed_by: ChannelSecurity | None) -> list[Buffer]:
        """The frame of an oplock break notification: it is never signed, answers nothing and grants nothing.

        [MS-SMB2] 3.3.4.6, 3.3.4.7. `sealed_by` as for `pack`.
        """
        frame = bytearray(_ROOM + body)
        _pack_header(
            frame,
            PREFIX_SIZE,
            SMB2_MAGIC,
            HEADER_SIZE,
            0,
            0,
            Opcode.OPLOCK_BREAK,
            0,
            SMB2_FLAGS_SERVER_TO_REDIR,
            0,
            UNSOLICITED,
            0,
            0,
            0,
            NO_SIGNATURE,
        )
        return self._framed(frame, sealed_by)

    def _framed(self, frame: bytearray | memoryview, sealed_by: ChannelSecurity | None) -> list[Buffer]:
        """Finish a frame which has all but its prefix."""
        length = len(frame) - PREFIX_SIZE
        if sealed_by is not None and sealed_by.sealer is not None and sealed_by.nonces is not None:
            prefix, message = _prefix(TRANSFORM_HEADER_SIZE + length), _view_of(frame)[PREFIX_SIZE:]
            return sealed_by.sealer.seal(message, sealed_by.session_id, sealed_by.nonces.next(), prefix)
        _put_prefix(frame, 0, length)
        return [frame]

    def _compound(self, replies: list[Reply], sealed_by: ChannelSecurity | None) -> bytearray:
        pieces: list[Buffer] = [_ROOM_FOR_PREFIX]
        sizes: list[int] = []
        for reply in replies:
            body = reply.body[HEADROOM:] if reply.headroom else reply.body
            padding = pad8(len(body))  # also at the end of the last one, as Windows and Samba do it
            pieces += _ROOM_FOR_HEADER, body, padding
            sizes.append(HEADER_SIZE + len(body) + len(padding))
        frame = bytearray().join(pieces)
        start, last = PREFIX_SIZE, len(replies) - 1
        for number, reply in enumerate(replies):
            size = sizes[number]
            flags = RELATED if reply.request.header.flags & RELATED else 0
            self._complete(frame, start, start + size, reply, sealed_by, flags, size if number < last else 0)
            start += size
        return frame

    def _complete(
        self,
        frame: bytearray | memoryview,
        start: int,
        end: int,
        reply: Reply,
        sealed_by: ChannelSecurity | None,
        flags: int = 0,
        following: int = 0,
    ) -> None:
        """Write the header of the reply that lies there in a frame, sign what is to be signed, and let the preauth
        hash take it in. `following`: where the next one begins behind it, if any does."""
        request, security = reply.request, reply.security
        header = request.header
        flags |= SMB2_FLAGS_SERVER_TO_REDIR
        signer = security.signer if reply.sign and security is not None and sealed_by is None else None
        if signer is not None:
            flags |= SMB2_FLAGS_SIGNED
        low, high = header.process_id, reply.tree_id
        if reply.async_id:
            flags |= SMB2_FLAGS_ASYNC_COMMAND
            low, high = reply.async_id & 0xFFFFFFFF, reply.async_id >> 32
        _pack_header(
            frame,
            start,
            SMB2_MAGIC,
            HEADER_SIZE,
            request.charge,
            reply.status,
            header.command,
            self.grant(request),
            flags,
            following,
            header.message_id,
            low,
            high,
            reply.session_id,
            NO_SIGNATURE,
        )
        if signer is not None or reply.hash is not None:
            message = _view_of(frame)[start:end]
            if signer is not None:
                signer.sign(message, header, server=True)
            if reply.hash is not None:
                reply.hash.update(message)


def _element(rest: memoryview, following: int) -> memoryview:
    """The first element of a compound, behind which another begins at `following`."""
    if following % 8 or not HEADER_SIZE <= following <= len(rest) - HEADER_SIZE:
        raise ProtocolError(f"a compound element that ends at {following} of {len(rest)}")
    return rest[:following]


def _check_protection(request: Request, header: Header, security: ChannelSecurity) -> None:
    """The signature of what is not sealed. [MS-SMB2] 3.3.5.2.1.1, 3.3.5.2.4, 3.3.5.2.9."""
    if security.sealing_required and header.command != Opcode.SESSION_SETUP:
        request.refused = STATUS_ACCESS_DENIED
    elif header.flags & SMB2_FLAGS_SIGNED and security.signer is not None:
        if security.signer.verify(request.message, header):
            request.signed = True
        else:
            request.refused = STATUS_ACCESS_DENIED
    elif security.signing_required or security.sealing_required:
        # A log-on, too, if the session is authenticated: it may be anybody's.
        request.refused = STATUS_ACCESS_DENIED
