"""Applications that move from one client to another: what the old instance has open, the new one takes.

[MS-SMB2] 3.3.5.9.13; contexts of a CREATE in 2.2.13.2.13 and 2.2.13.2.15.
"""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import trio

from acl.mask import FILE_GENERIC_READ
from acl.token import Token
from gateway.nt.status import STATUS_FILE_FORCED_CLOSED, StatusError
from gateway.nt.upcase import upcase
from gateway.protocol.dialect import Negotiated
from gateway.share.disconnected import Absent
from gateway.share.granting import governing_open
from gateway.share.intent import OpenIntent
from gateway.share.opens import Open
from gateway.share.share import Share
from gateway.smb.instances import Instance, Instances
from gateway.smb.opens import FileOpen, KeptOpen
from gateway.wire.codec import Data
from gateway.wire.create_contexts import (
    SMB2_CREATE_APP_INSTANCE_ID,
    SMB2_CREATE_APP_INSTANCE_VERSION,
    AppInstanceId,
    AppInstanceVersion,
)
from gateway.wire.errors import WireError
from gateway.wire.negotiate import DIALECT_300, DIALECT_311
from vfs_backends.inline import may_wait

__all__ = ["instance_asked", "take_over"]

T = TypeVar("T", bound=Data)


def instance_asked(negotiated: Negotiated, contexts: Mapping[bytes, memoryview | bytes]) -> Instance | None:
    """Which instance of an application a CREATE is for; None if it does not tell. Raises `WireError`."""
    data = contexts.get(SMB2_CREATE_APP_INSTANCE_ID)
    if data is None or negotiated.dialect < DIALECT_300:
        return None
    app_id = _parsed(AppInstanceId, data).app_instance_id
    data = contexts.get(SMB2_CREATE_APP_INSTANCE_VERSION)
    if data is None or negotiated.dialect < DIALECT_311:
        return Instance(app_id)
    version = _parsed(AppInstanceVersion, data)
    return Instance(app_id, (version.app_instance_version_high, version.app_instance_version_low))


def _parsed(structure: type[T], data: memoryview | bytes) -> T:
    if len(data) != structure.SIZE:
        raise WireError(f"a context of an application's instance of {len(data)} bytes")
    return structure.unpack_from(data)


class _Earlier(NamedTuple):
    """An open of another client for the same application and file."""

    file: Open
    instance: Instance
    one: FileOpen | Absent


async def take_over(instances: Instances, share: Share, token: Token, intent: OpenIntent, instance: Instance) -> None:
    """Close what another client has open of the file for the same application, if this caller may read the file.

    Raises `StatusError` (FILE_FORCED_CLOSED) if that client's is a later instance. Nothing is left to be refused then.
    """
    for earlier in _find(instances, share, intent, instance):
        may_wait()
        version = earlier.instance.version
        if instance.version is not None and version is not None and version >= instance.version:
            raise StatusError(STATUS_FILE_FORCED_CLOSED)
        access = (await governing_open(share, earlier.file)).maximal_access(token)
        if access & FILE_GENERIC_READ == FILE_GENERIC_READ and not earlier.file.closed:
            with trio.CancelScope(shield=True):
                await _close(share, earlier.one)


def _find(instances: Instances, share: Share, intent: OpenIntent, instance: Instance) -> list[_Earlier]:
    found = [_Earlier(one.file, other, one) for one, other in instances.of(instance.app_id)]
    found += [
        _Earlier(absent.one, absent.kept.instance, absent)
        for absent in share.disconnected
        if isinstance(absent.kept, KeptOpen) and absent.kept.instance is not None
    ]
    path, stream = upcase(intent.path), upcase(intent.stream)
    return [
        one
        for one in found
        if one.instance.app_id == instance.app_id
        and one.file.share is share
        and one.file.owner != intent.owner
        and (upcase(one.file.path), one.file.stream) == (path, stream)
    ]


async def _close(share: Share, one: FileOpen | Absent) -> None:
    if isinstance(one, Absent):
        share.disconnected.give_up(one)
        await one.gone.wait()
    elif one.tree.session.opens.get(one.volatile_file_id) is one:
        # Or its own client is closing it.
        await one.close()
