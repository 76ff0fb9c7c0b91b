"""Binding: one more connection for a session, by somebody who has its keys and logs on as its user once more.

[MS-SMB2] 3.3.5.5 (SMB2_SESSION_FLAG_BINDING), 3.3.5.5.2, 3.3.5.5.3. Nothing here changes the session before all is
proved: whatever fails is the connection's own affair.
"""

from typing import TYPE_CHECKING, Final

from gateway.auth.policy import Identity
from gateway.crypto.keys import derive_keys, session_key_from
from gateway.crypto.preauth import PreauthHash
from gateway.crypto.signing import AES_GMAC, make_signer
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_NETWORK_SESSION_EXPIRED,
    STATUS_NOT_SUPPORTED,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_REQUEST_OUT_OF_SEQUENCE,
    STATUS_USER_SESSION_DELETED,
    StatusError,
)
from gateway.protocol.dialect import Negotiated
from gateway.protocol.message import Request
from gateway.protocol.security import ChannelSecurity
from gateway.smb.session import Session
from gateway.wire.header import SMB2_FLAGS_SIGNED, Opcode
from gateway.wire.negotiate import DIALECT_300

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection

__all__ = ["bind", "recognize", "session_to_bind"]

_FIRST_IDS: Final = 8
"""Up to this message id a connection is at its beginning."""


def session_to_bind(connection: "SmbConnection", negotiated: Negotiated, request: Request) -> Session:
    """The session that a request to bind means, which then counts as signed. Raises `StatusError`.

    What is refused after the signature was checked is told in a signed answer, for clients believe no other.
    """
    service = connection.service
    session = service.sessions.get(request.header.session_id)
    if session is None:
        raise StatusError(STATUS_USER_SESSION_DELETED)
    if not service.negotiate_policy.multi_channel or connection in session.channels:
        raise StatusError(STATUS_REQUEST_NOT_ACCEPTED)
    _check_signature(session, request)
    _check_agreement(session.negotiated, negotiated)
    if session.token is None:
        raise StatusError(STATUS_REQUEST_NOT_ACCEPTED)
    if session.is_expired(service.now()):
        raise StatusError(STATUS_NETWORK_SESSION_EXPIRED)
    limits = service.limits
    if (
        len(session.channels) >= limits.max_channels_per_session
        or len(connection.sessions) >= limits.max_sessions_per_connection
    ):
        raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
    return session


def _check_signature(session: Session, request: Request) -> None:
    """Each request to bind is signed with the session's own key, and so are the answers up to the last."""
    signer = session.security.signer
    if signer is None:  # a guest's, or nobody's
        raise StatusError(STATUS_NOT_SUPPORTED if session.token is not None else STATUS_REQUEST_NOT_ACCEPTED)
    if not request.header.flags & SMB2_FLAGS_SIGNED:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if not signer.verify(request.message, request.header):
        raise StatusError(STATUS_ACCESS_DENIED)
    _count_as_signed(request, session)


def recognize(connection: "SmbConnection", request: Request) -> None:
    """A request names a session that is none of its connection's: if it is signed with that session's key, so is the
    refusal, for clients believe no other.

    But not to somebody who sends what they have read on another connection: its number was used there for another
    answer, and two signatures by AES-GMAC with one number give its key away. So only the user of the session is
    answered so, and log-ons at the very beginning of a connection, where the session's own has signed nothing.
    """
    header = request.header
    session = connection.service.sessions.get(header.session_id)
    signer = session.security.signer if session is not None else None
    if session is None or signer is None or request.sealed or not header.flags & SMB2_FLAGS_SIGNED:
        return
    begins = header.command == Opcode.SESSION_SETUP and header.message_id <= _FIRST_IDS
    if (begins or _is_here(connection, session)) and signer.verify(request.message, header):
        _count_as_signed(request, session)


def _is_here(connection: "SmbConnection", session: Session) -> bool:
    """Whether the session's user is logged on on this connection, too."""
    return any(one.is_of(session.identity) for one in connection.sessions.values())


def _count_as_signed(request: Request, session: Session) -> None:
    request.signed, request.security = True, session.security


def _check_agreement(known: Negotiated, new: Negotiated) -> None:
    """Dialect and cipher must be those of the first connection. So must be AES-GMAC; the older algorithms may differ.

    The client's GUID may be another one, as with Windows: what counts is who has the keys.
    """
    if known.signing_algorithm != AES_GMAC == new.signing_algorithm:
        raise StatusError(STATUS_NOT_SUPPORTED)
    if known.signing_algorithm == AES_GMAC != new.signing_algorithm:
        raise StatusError(STATUS_REQUEST_OUT_OF_SEQUENCE)
    if new.dialect < DIALECT_300:
        raise StatusError(STATUS_REQUEST_NOT_ACCEPTED)
    if known.dialect != new.dialect or known.cipher != new.cipher:
        raise StatusError(STATUS_INVALID_PARAMETER)


def bind(
    connection: "SmbConnection",
    negotiated: Negotiated,
    session: Session,
    preauth_hash: PreauthHash,
    identity: Identity,
) -> ChannelSecurity:
    """Make the session one of this connection's: somebody has logged on for it. Raises `StatusError`.

    The channel signs with a key that comes of this log-on, and seals with the session's.
    """
    if session.token is None or not session.is_of(identity) or identity.is_guest or identity.is_anonymous:
        raise StatusError(STATUS_ACCESS_DENIED)
    if len(session.channels) >= connection.service.limits.max_channels_per_session:
        raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
    first = session.security
    key = session_key_from(identity.session_key)
    keys = derive_keys(negotiated.dialect, key, identity.session_key, preauth_hash.value, negotiated.cipher)
    security = ChannelSecurity(session.session_id)
    security.signer = make_signer(negotiated.signing_algorithm, keys.signing_key)
    security.signing_required = first.signing_required
    security.sealer, security.opener, security.nonces = first.sealer, first.opener, first.nonces
    security.sealing_required = first.sealing_required
    session.attach(connection, security)
    connection.authenticated()
    return security
