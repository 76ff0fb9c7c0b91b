"""Which oplock or lease a CREATE asks for, and what is answered. [MS-SMB2] 3.3.5.9, 3.3.5.9.8, 3.3.5.9.11."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from gateway.protocol.dialect import Negotiated
from gateway.share.leases import NOTHING, Granted, LeaseRequest, find_lease, granted_by
from gateway.share.opens import Open
from gateway.share.share import Share
from gateway.smb.breaks import LEVEL_OF_STATE, STATE_OF_LEVEL, OpenHolder
from gateway.smb.opens import FileOpen
from gateway.wire.create import SMB2_OPLOCK_LEVEL_LEASE, SMB2_OPLOCK_LEVEL_NONE
from gateway.wire.create_contexts import SMB2_CREATE_REQUEST_LEASE, CreateContext
from gateway.wire.errors import WireError
from gateway.wire.lease_contexts import (
    SMB2_LEASE_FLAG_BREAK_IN_PROGRESS,
    SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET,
    Lease,
    LeaseV2,
    parse_lease,
)
from gateway.wire.negotiate import DIALECT_300, SMB2_GLOBAL_CAP_DIRECTORY_LEASING, SMB2_GLOBAL_CAP_LEASING

__all__ = ["NO_CACHING", "Caching", "caching_asked", "caching_held", "grant_caching"]


class Caching(NamedTuple):
    """What a CREATE asks for."""

    state: int = 0
    lease: Lease | LeaseV2 | None = None
    """None if it is an oplock that is asked for, or nothing."""
    directories: bool = False
    """Whether the lease may be one on a directory."""

    @property
    def lease_key(self) -> bytes:
        return self.lease.lease_key if self.lease is not None else b""

    @property
    def parent_key(self) -> bytes:
        lease = self.lease
        if isinstance(lease, LeaseV2) and lease.flags & SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET:
            return lease.parent_lease_key
        return b""


NO_CACHING: Final = Caching()


def caching_asked(negotiated: Negotiated, level: int, contexts: Mapping[bytes, memoryview | bytes]) -> Caching:
    """The oplock level of a CREATE, with its lease context if the level says that there is one. Raises `WireError`."""
    if level != SMB2_OPLOCK_LEVEL_LEASE:
        return Caching(STATE_OF_LEVEL.get(level, 0))
    data = contexts.get(SMB2_CREATE_REQUEST_LEASE)
    if data is None or not negotiated.capabilities & SMB2_GLOBAL_CAP_LEASING:
        return NO_CACHING
    if len(data) not in (Lease.SIZE, LeaseV2.SIZE):
        raise WireError(f"a lease context of {len(data)} bytes")
    lease = parse_lease(data)
    if isinstance(lease, LeaseV2) and negotiated.dialect < DIALECT_300:
        return NO_CACHING
    directories = isinstance(lease, LeaseV2) and negotiated.capabilities & SMB2_GLOBAL_CAP_DIRECTORY_LEASING
    return Caching(lease.lease_state, lease, bool(directories))


async def grant_caching(
    share: Share, file: Open, one: FileOpen, asked: Caching
) -> tuple[int, tuple[CreateContext, ...]]:
    """Give an open what it may have of that: the oplock level of the response, and its lease context if it has one."""
    lease = asked.lease
    if file.is_directory and not asked.directories:
        return SMB2_OPLOCK_LEVEL_NONE, ()
    if lease is None:
        if not asked.state:
            return SMB2_OPLOCK_LEVEL_NONE, ()
        granted = await share.grant(file, LeaseRequest(asked.state), OpenHolder(one))
        return LEVEL_OF_STATE[granted.state], ()
    version = 2 if isinstance(lease, LeaseV2) else 1
    epoch = lease.epoch if isinstance(lease, LeaseV2) else 0
    request = LeaseRequest(asked.state, version, epoch, file.is_directory)
    granted = await share.grant(file, request, OpenHolder(one))
    return SMB2_OPLOCK_LEVEL_LEASE, (CreateContext(SMB2_CREATE_REQUEST_LEASE, _answer(asked, granted)),)


def caching_held(share: Share, file: Open, asked: Caching) -> tuple[int, tuple[CreateContext, ...]]:
    """The same for an open that was granted what it has before; no more of an oplock than is asked for."""
    lease = find_lease(share.record(file), file.lease_holder)
    granted = NOTHING if lease is None else granted_by(lease)
    if not file.lease_key:
        return LEVEL_OF_STATE[granted.state & asked.state], ()
    return SMB2_OPLOCK_LEVEL_LEASE, (CreateContext(SMB2_CREATE_REQUEST_LEASE, _answer(asked, granted)),)


def _answer(asked: Caching, granted: Granted) -> bytes:
    """In the version that the lease was made with, whichever is asked for now, as Windows does."""
    version = granted.version or (2 if isinstance(asked.lease, LeaseV2) else 1)
    flags = SMB2_LEASE_FLAG_BREAK_IN_PROGRESS if granted.breaking else 0
    if version == 1:
        return Lease(asked.lease_key, granted.state, flags).pack()
    if asked.parent_key:
        flags |= SMB2_LEASE_FLAG_PARENT_LEASE_KEY_SET
    return LeaseV2(
        lease_key=asked.lease_key,
        lease_state=granted.state,
        flags=flags,
        parent_lease_key=asked.parent_key or bytes(16),
        epoch=granted.epoch,
    ).pack()
