"""Durable opens in a CREATE: who asks for one, and what they get.

[MS-SMB2] 3.3.5.9.6, 3.3.5.9.7, 3.3.5.9.10, 3.3.5.9.12.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.nt.status import STATUS_INVALID_PARAMETER, StatusError
from gateway.nt.upcase import upcase
from gateway.protocol.dialect import Negotiated
from gateway.share.durable import Terms, keeps_handle
from gateway.smb.opens import FileOpen
from gateway.smb.replays import ReplayKey
from gateway.wire.create_contexts import (
    SMB2_CREATE_DURABLE_HANDLE_RECONNECT,
    SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2,
    SMB2_CREATE_DURABLE_HANDLE_REQUEST,
    SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2,
    CreateContext,
)
from gateway.wire.durable_contexts import (
    DurableHandleReconnect,
    DurableHandleReconnectV2,
    DurableHandleRequest,
    DurableHandleRequestV2,
    DurableHandleResponse,
    DurableHandleResponseV2,
)
from gateway.wire.errors import WireError
from gateway.wire.negotiate import DIALECT_300

__all__ = [
    "DurabilityAsked",
    "Reconnect",
    "durability_asked",
    "durability_held",
    "grant_durability",
    "reconnect_asked",
    "replay_key",
]

Contexts = Mapping[bytes, memoryview | bytes]
DurabilityAsked = DurableHandleRequest | DurableHandleRequestV2

_VERSION_1_SECONDS: Final = 960.0
"""How long Windows waits for a client that did not say."""
_DEFAULT_SECONDS: Final = 60.0
"""The same for version 2."""
_REQUESTS: Final = (SMB2_CREATE_DURABLE_HANDLE_REQUEST, SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2)
_RECONNECTS: Final = (SMB2_CREATE_DURABLE_HANDLE_RECONNECT, SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2)


class Reconnect(NamedTuple):
    """Which open a client wants back."""

    persistent_file_id: int
    create_guid: bytes | None
    """None in version 1."""


def reconnect_asked(negotiated: Negotiated, contexts: Contexts) -> Reconnect | None:
    """Which open a CREATE comes back for; None if it is for a new one.

    Raises `WireError`, and INVALID_PARAMETER for contexts that exclude each other.
    """
    first, second = _data(negotiated, contexts, *_RECONNECTS)
    if first is None and second is None:
        return None
    request = _data(negotiated, contexts, *_REQUESTS)
    if (first is not None and second is not None) or request[1] is not None:
        raise StatusError(STATUS_INVALID_PARAMETER)
    if first is not None:
        _check_size(first, DurableHandleReconnect.SIZE)
        return Reconnect(DurableHandleReconnect.unpack_from(first).persistent_file_id, None)
    if second is None or request[0] is not None:
        raise StatusError(STATUS_INVALID_PARAMETER)
    _check_size(second, DurableHandleReconnectV2.SIZE)
    asked = DurableHandleReconnectV2.unpack_from(second)
    return Reconnect(asked.persistent_file_id, asked.create_guid)


def durability_asked(negotiated: Negotiated, contexts: Contexts) -> DurabilityAsked | None:
    """What a CREATE of a new open asks for. Raises `WireError`, and INVALID_PARAMETER if it is for both versions."""
    first, second = _data(negotiated, contexts, *_REQUESTS)
    if first is not None:
        _check_size(first, DurableHandleRequest.SIZE)
        if second is not None:
            raise StatusError(STATUS_INVALID_PARAMETER)
        return DurableHandleRequest.unpack_from(first)
    if second is not None:
        _check_size(second, DurableHandleRequestV2.SIZE)
        return DurableHandleRequestV2.unpack_from(second)
    return None


def grant_durability(one: FileOpen, asked: DurabilityAsked, name: str) -> tuple[CreateContext, ...]:
    """Let an open outlive its connection, if it has what it takes; the context that tells so.

    Nobody could tell whether a guest who comes back is the same.
    """
    session, file = one.tree.session, one.file
    identity = session.identity
    if not one.tree.export.durable_handles or identity is None or identity.is_guest or identity.is_anonymous:
        return ()
    if session.token is None or not keeps_handle(file.share.record(file), file):
        return ()
    limit = session.service.limits.durable_seconds
    user, name = identity.account, upcase(name)
    if isinstance(asked, DurableHandleRequest):
        one.durable = Terms(user, min(_VERSION_1_SECONDS, limit), name)
        return (CreateContext(SMB2_CREATE_DURABLE_HANDLE_REQUEST, DurableHandleResponse().pack()),)
    one.durable = Terms(user, min(asked.timeout / 1000 or _DEFAULT_SECONDS, limit), name, asked.create_guid)
    return (_answer(one.durable),)


def durability_held(one: FileOpen) -> tuple[CreateContext, ...]:
    """The same for an open by version 2 that was granted what it has before."""
    if one.durable is None or not keeps_handle(one.file.share.record(one.file), one.file):
        return ()
    return (_answer(one.durable),)


def _answer(terms: Terms) -> CreateContext:
    answer = DurableHandleResponseV2(timeout=int(terms.seconds * 1000))
    return CreateContext(SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2, answer.pack())


def replay_key(negotiated: Negotiated, asked: DurabilityAsked | None) -> ReplayKey | None:
    """By what it is known if a CREATE is sent again; None if that cannot be known."""
    if not isinstance(asked, DurableHandleRequestV2) or not any(asked.create_guid):
        return None
    return negotiated.client_guid, asked.create_guid


def _data(
    negotiated: Negotiated, contexts: Contexts, first: bytes, second: bytes
) -> tuple[memoryview | bytes | None, memoryview | bytes | None]:
    """The data of both versions of a context; version 2 is only known since SMB 3."""
    return contexts.get(first), contexts.get(second) if negotiated.dialect >= DIALECT_300 else None


def _check_size(data: memoryview | bytes, size: int) -> None:
    if len(data) != size:
        raise WireError(f"a context of a durable handle of {len(data)} bytes instead of {size}")
