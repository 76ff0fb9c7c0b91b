"""Durable opens: which ones outlive the connection of their client, and who gets them back.

[MS-SMB2] 3.3.5.9.6, 3.3.5.9.7, 3.3.5.9.10, 3.3.5.9.12, 3.3.7.1. Rules only; the opens that wait for their clients are
in `disconnected`.
"""

from collections.abc import Hashable
from typing import NamedTuple

from gateway.nt.names import wire_path
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
)
from gateway.nt.upcase import upcase
from gateway.share.closing import is_delete_pending
from gateway.share.leases import BATCH, HANDLE_CACHING, find_lease
from gateway.share.opens import Open
from gateway.share.record import FileRecord
from vfs_backends.api import Stat

__all__ = ["Claim", "Seen", "Terms", "judge", "keeps_handle", "seen"]


class Terms(NamedTuple):
    """What was agreed when a client asked for a durable open."""

    user: Hashable
    """Who opened it: nobody else gets it back."""
    seconds: float
    """How long it waits for its client."""
    name: str
    """The folded name by which it was opened, as the wire has it; its client may use the one it has now, too."""
    create_guid: bytes = bytes(16)
    """By which its client knows it; zeros where it is version 1."""


class Claim(NamedTuple):
    """Who wants an open back, and what they know of it."""

    user: Hashable
    client: Hashable
    create_guid: bytes | None = None
    """None if it is claimed by version 1, which knows none."""
    lease_key: bytes | None = None
    """None if there is no lease in the claim."""
    name: str = ""
    """Folded."""


class Seen(NamedTuple):
    """What a file looked like: something of it differs after others have changed it."""

    version: int
    size: int
    mtime_ns: int


def seen(stat: Stat) -> Seen:
    """What is compared of a file."""
    return Seen(stat.version, stat.size, stat.mtime_ns)


def keeps_handle(record: FileRecord | None, one: Open, *, is_spared: bool = False) -> bool:
    """Whether an open has what makes it durable: a batch oplock, or a lease with handle caching, that nobody breaks.

    With `is_spared`, a break that is in progress does not count. A file that is about to be deleted is not waited for.
    """
    lease = find_lease(record, one.lease_holder)
    if lease is None or one.is_directory or is_delete_pending(record, one.open_id):
        return False
    if lease.breaking_to is not None and not is_spared:
        return False
    return bool(lease.state & HANDLE_CACHING) if lease.key else lease.state == BATCH


def judge(one: Open, terms: Terms, claim: Claim, *, deletes: bool) -> int:
    """STATUS_SUCCESS (0) if the claim is good, else what answers it. [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12.

    `deletes`: whether closing it deletes the file; then it does not matter by which name it is claimed.
    """
    if claim.create_guid is not None and claim.create_guid != terms.create_guid:
        return STATUS_OBJECT_NAME_NOT_FOUND
    if (one.lease_key or None) != claim.lease_key:
        return STATUS_OBJECT_NAME_NOT_FOUND
    if one.lease_key:
        if claim.client != one.owner:
            return STATUS_OBJECT_NAME_NOT_FOUND
        if not deletes and claim.name not in (terms.name, _name(one)):
            return STATUS_INVALID_PARAMETER
    return 0 if claim.user == terms.user else STATUS_ACCESS_DENIED


def _name(one: Open) -> str:
    return upcase(wire_path(one.path, one.stream)[1:])
