"""SESSION_SETUP: [MS-SMB2] 3.3.5.5."""

import logging
import secrets
from typing import TYPE_CHECKING

import trio

from acl.token import Token
from gateway.auth.errors import AuthError
from gateway.auth.mechanism import Step
from gateway.auth.policy import Identity
from gateway.crypto.keys import derive_keys, session_key_from
from gateway.crypto.preauth import PreauthHash
from gateway.crypto.sealing import NonceSequence, make_sealer, nonce_length
from gateway.crypto.signing import make_signer
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_REQUEST_NOT_ACCEPTED,
    STATUS_SUCCESS,
    STATUS_USER_SESSION_DELETED,
    StatusError,
)
from gateway.protocol.dialect import Negotiated
from gateway.protocol.message import Request
from gateway.protocol.security import ChannelSecurity
from gateway.smb.answer import Answer
from gateway.smb.binding import bind, recognize, session_to_bind
from gateway.smb.context import ConnectionContext
from gateway.smb.registry import command
from gateway.smb.session import Session, Setup
from gateway.wire.header import Opcode
from gateway.wire.negotiate import DIALECT_311, SMB2_NEGOTIATE_SIGNING_REQUIRED
from gateway.wire.session_setup import (
    SMB2_SESSION_FLAG_BINDING,
    SMB2_SESSION_FLAG_ENCRYPT_DATA,
    SMB2_SESSION_FLAG_IS_GUEST,
    SMB2_SESSION_FLAG_IS_NULL,
    SessionSetupRequest,
    SessionSetupResponse,
)
from vfs_backends.inline import may_wait, point_of_no_return

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection

__all__ = ["handle"]

log = logging.getLogger("gateway.auth")


@command(Opcode.SESSION_SETUP, SessionSetupRequest, ConnectionContext)
async def handle(ctx: ConnectionContext, request: SessionSetupRequest) -> Answer:
    """[MS-SMB2] 3.3.5.5. One step of a log-on; those of one session take turns."""
    may_wait()
    connection = ctx.connection
    negotiated = connection.negotiated
    if negotiated is None:
        raise StatusError(STATUS_INVALID_PARAMETER)
    binds = bool(request.flags & SMB2_SESSION_FLAG_BINDING)
    if binds:
        session = session_to_bind(connection, negotiated, ctx.request)
    else:
        session = _session(connection, negotiated, ctx.request)
    await session.setup_lock.acquire()
    try:
        if session.closed:
            connection.setups.pop(session.session_id, None)
            raise StatusError(STATUS_USER_SESSION_DELETED)
        if binds and connection in session.channels:
            raise StatusError(STATUS_REQUEST_NOT_ACCEPTED)
        return await _step(ctx, request, session, negotiated)
    finally:
        session.setup_lock.release()


def _session(connection: "SmbConnection", negotiated: Negotiated, request: Request) -> Session:
    """The session that is set up, new or not. [MS-SMB2] 3.3.5.5, up to 3.3.5.5.1."""
    service = connection.service
    session_id = request.header.session_id
    if session_id == 0:
        limits = service.limits
        if service.encryption.required and not negotiated.cipher:
            raise StatusError(STATUS_ACCESS_DENIED)
        if (
            len(connection.sessions) >= limits.max_sessions_per_connection
            or len(service.sessions) >= limits.max_sessions
        ):
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
        return service.sessions.add(connection, negotiated)
    known_session = connection.sessions.get(session_id)
    if known_session is None:
        recognize(connection, request)
        raise StatusError(STATUS_USER_SESSION_DELETED)
    return known_session


def _setup(connection: "SmbConnection", session: Session) -> Setup:
    """The authentication that goes on, or a new one."""
    setups = connection.setups
    setup = setups.get(session.session_id)
    if setup is None or setup.session is not session:
        service = connection.service
        for stale in [number for number, one in setups.items() if one.session.closed]:
            del setups[stale]
        if len(setups) >= service.limits.max_sessions_per_connection:
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
        setup = Setup(session, service.new_acceptor(), connection.protocol.preauth_hash.copy())
        setups[session.session_id] = setup
    return setup


async def _step(
    ctx: ConnectionContext, request: SessionSetupRequest, session: Session, negotiated: Negotiated
) -> Answer:
    connection = ctx.connection
    service = connection.service
    setup = _setup(connection, session)
    if negotiated.dialect == DIALECT_311:
        setup.hash.update(ctx.request.message)
    try:
        step = setup.acceptor.step(request.security_buffer, service.now())
        if step.identity is None:
            return _more(session, setup, negotiated, step)
        token = service.token_of(step.identity)
        if session.identity is None:
            _check_protection(connection, step.identity)
    except AuthError as error:
        failure = error
    else:
        return await _succeeded(ctx, request, setup, negotiated, step, step.identity, token)
    await _failed(ctx, session, failure)
    raise StatusError(failure.status) from failure


async def _succeeded(
    ctx: ConnectionContext,
    request: SessionSetupRequest,
    setup: Setup,
    negotiated: Negotiated,
    step: Step,
    identity: Identity,
    token: Token,
) -> Answer:
    connection, session = ctx.connection, setup.session
    point_of_no_return()
    del connection.setups[session.session_id]
    connection.service.throttle.succeeded(connection.address, identity.user)
    if connection not in session.channels:
        security = bind(connection, negotiated, session, setup.hash, identity)
        log.info("%s: one more connection for %s", connection.address, describe(identity))
        return _done(session, security, step)
    first = session.token is None
    session.token = token
    session.identity = identity
    session.expires = None  # NTLM knows no end
    if first:
        _establish(session, setup.hash, identity, negotiated, request, connection)
        log.info("%s: %s logged on", connection.address, describe(identity))
        await _replace_previous(session, request.previous_session_id)
    else:
        _act_as_present_user(session)
    return _done(session, session.channels[connection], step)


def _act_as_present_user(session: Session) -> None:
    """What is open stays open with the access it has; beyond that its user is who has logged on again (3.3.5.5.3)."""
    for one in list(session.opens.values()):
        try:
            token = one.tree.token
        except StatusError:  # nobody in this share any more: nothing new can be opened in it
            continue
        if token is not None:
            one.act_as(token)


def describe(identity: Identity) -> str:
    """Who it is, for the log."""
    if identity.is_anonymous:
        return "an anonymous user"
    return f"{identity.user} (as guest)" if identity.is_guest else identity.user


def _more(session: Session, setup: Setup, negotiated: Negotiated, step: Step) -> Answer:
    return Answer(
        SessionSetupResponse(security_buffer=step.token).to_bytes(),
        STATUS_MORE_PROCESSING_REQUIRED,
        session_id=session.session_id,
        preauth_hash=setup.hash if negotiated.dialect == DIALECT_311 else None,
    )


def _check_protection(connection: "SmbConnection", identity: Identity) -> None:
    """Guests and anonymous users have no key: they cannot come where everything must be signed or sealed."""
    service = connection.service
    keyless = identity.is_guest or identity.is_anonymous
    if keyless and (service.negotiate_policy.signing_required or service.encryption.required):
        raise AuthError(
            STATUS_ACCESS_DENIED, "neither guests nor anonymous users are let in where signing is mandatory"
        )


async def _failed(ctx: ConnectionContext, session: Session, error: AuthError) -> None:
    """A log-on failed: what it had begun goes, and the answer may be held back.

    A session that was to be bound has nothing to do with it. One whose own user fails to log on again goes, too
    ([MS-SMB2] 3.3.5.5.3, and so do Windows and Samba).
    """
    connection = ctx.connection
    service = connection.service
    connection.setups.pop(session.session_id, None)
    if connection in session.channels:
        await session.close()
    log.warning("%s: log-on failed: %s", connection.address, error)
    delay = service.throttle.failed(connection.address, error.account, service.now())
    if delay:
        await trio.sleep(delay)


def _establish(
    session: Session,
    preauth_hash: PreauthHash,
    identity: Identity,
    negotiated: Negotiated,
    request: SessionSetupRequest,
    connection: "SmbConnection",
) -> None:
    """Derive the keys of a new session and settle what it demands. [MS-SMB2] 3.3.5.5.3."""
    service = connection.service
    session.created = service.now()
    connection.authenticated()
    if identity.is_guest or identity.is_anonymous:
        return
    key = session_key_from(identity.session_key)
    dialect, cipher = negotiated.dialect, negotiated.cipher
    keys = derive_keys(dialect, key, identity.session_key, preauth_hash.value, cipher)
    security = session.security
    security.signer = make_signer(negotiated.signing_algorithm, keys.signing_key)
    security.signing_required = bool(
        (request.security_mode | negotiated.security_mode) & SMB2_NEGOTIATE_SIGNING_REQUIRED
    )
    session.application_key = keys.application_key
    if cipher:
        security.sealer = make_sealer(cipher, keys.encryption_key)
        security.opener = make_sealer(cipher, keys.decryption_key)
        security.nonces = NonceSequence(cipher, secrets.token_bytes(nonce_length(cipher) - 8))
        session.encrypt_data = service.encryption.desired or service.encryption.required
        security.sealing_required = service.encryption.required


async def _replace_previous(session: Session, previous_id: int) -> None:
    """The session that the client had before it lost its connection ends. [MS-SMB2] 3.3.5.5.3."""
    previous = session.service.sessions.get(previous_id)
    if previous is not None and previous is not session and previous.is_of(session.identity):
        await previous.close()


def _done(session: Session, security: ChannelSecurity, step: Step) -> Answer:
    identity = session.identity
    flags = 0
    if identity is not None and identity.is_anonymous:
        flags |= SMB2_SESSION_FLAG_IS_NULL
    elif identity is not None and identity.is_guest:
        flags |= SMB2_SESSION_FLAG_IS_GUEST
    if session.encrypt_data:
        flags |= SMB2_SESSION_FLAG_ENCRYPT_DATA
    return Answer(
        SessionSetupResponse(session_flags=flags, security_buffer=step.token).to_bytes(),
        STATUS_SUCCESS,
        session_id=session.session_id,
        security=security if security.signer is not None else None,
    )
