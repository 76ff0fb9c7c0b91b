"""The FUSE mount of a server: its shares as local programs see them."""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import trio

from acl import mask
from acl.token import SUPERUSER, Token
from gateway.auth.policy import Identity
from gateway.config import Backend, Config
from gateway.fuse.exports import Mounted
from gateway.fuse.mount import MountError, MountOptions, mount
from gateway.server.errors import ServerError
from gateway.server.identities import Identities, user_name
from gateway.server.stores import FixedStore
from gateway.smb.exports import Export, Visitor
from gateway.transport.hub import Hub

__all__ = ["serve_mount"]

_READ_ONLY: Final = mask.FILE_GENERIC_READ | mask.FILE_GENERIC_EXECUTE
_SECONDS: Final = 5.0
"""For so long a user may do what they were found to be allowed to."""
_LIMIT: Final = 1024


async def serve_mount(
    config: Config,
    exports: Iterable[Export],
    identities: Identities,
    hub: Hub,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Mount the shares on `fuse mount`, and serve until cancelled or unmounted. Raises `ServerError`."""
    _check_place(config)
    options = MountOptions(
        Path(config.fuse_mount),
        allow_other=config.fuse_allow_other,
        cache_seconds=config.fuse_cache_timeout,
        share_seconds=config.fuse_sharing_timeout,
    )
    try:
        await mount(options, list(_mounted(config, exports)), identities.process_token, hub, task_status=task_status)
    except MountError as error:
        raise ServerError(str(error)) from error


def _mounted(config: Config, exports: Iterable[Export]) -> Iterator[Mounted]:
    """The shares that are the same for all; one whose path depends on the client has no one tree to mount."""
    for export in exports:
        if isinstance(export.store, FixedStore):
            parameters = config.shares.get(export.name)
            is_for_all = parameters is not None and not (parameters.valid_users or parameters.invalid_users)
            for share in export.store:
                yield Mounted(export.name, share, _Access(export).of, is_for_all)


def _check_place(config: Config) -> None:
    """Raise `ServerError` if the server would have to wait for itself: a share in the mount, or the reverse."""
    place = os.path.realpath(config.fuse_mount)
    for share in config.shares.values():
        if share.backend is not Backend.POSIX or share.directory is None:
            continue
        directory = os.path.realpath(share.directory)
        if os.path.commonpath([place, directory]) in (place, directory):
            raise ServerError(
                f"`fuse mount`: {config.fuse_mount} and share [{share.name}], {share.directory}, are within each other"
            )


class _Access:
    """What users may do in a share at most, by their names as of the system."""

    def __init__(self, export: Export) -> None:
        self._export = export
        self._known: dict[int, tuple[float, int]] = {}

    def of(self, token: Token) -> int:
        """The access mask; 0 for who may not connect."""
        now = time.monotonic()
        known = self._known.get(token.uid)
        if known is not None and now < known[0]:
            return known[1]
        if len(self._known) >= _LIMIT:
            self._known.clear()
        access = self._find(token)
        self._known[token.uid] = (now + _SECONDS, access)
        return access

    def _find(self, token: Token) -> int:
        visitor = Visitor(Identity(user_name(token.uid) or "", "", "", b""), "", "", "")
        if not token.has_privilege(SUPERUSER) and not self._export.may_connect(visitor):
            return 0
        return mask.FILE_ALL_ACCESS if self._export.may_write(visitor) else _READ_ONLY
