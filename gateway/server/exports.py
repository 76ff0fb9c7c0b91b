"""From the configured shares to what clients can connect to."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.config import Backend, Config
from gateway.config.choices import ShareEncryption
from gateway.config.macros import expand_for
from gateway.config.share_parameters import ShareConfig
from gateway.nt.upcase import upcase
from gateway.server.identities import Identities
from gateway.server.stores import FixedStore, StorePerPath, client_of
from gateway.share.access import Descriptors
from gateway.share.breaks import Breaks
from gateway.share.locking import LockWaiters
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.table import MemoryTable
from gateway.smb.exports import IPC, Export, Store, Visitor
from vfs_backends.api import FileSystem
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem

__all__ = ["make_exports", "start_shares"]


def make_exports(config: Config, identities: Identities) -> list[Export]:
    """An export for each share of the configuration, and IPC$. The storage is not touched yet."""
    exports = [Export(IPC, "IPC Service", None, browseable=False)]
    # One for all shares, since they may have files in common.
    files = OpenFiles(Breaks(MemoryTable()), LockWaiters())
    for share in config.shares.values():
        exports.append(_export(share, identities, files))
    return exports


async def start_shares(exports: Sequence[Export]) -> None:
    """Get the storage of all shares ready. Raises `ServerError`."""
    for export in exports:
        if export.store is not None:
            await export.store.start()


class OpenFiles(NamedTuple):
    """What the shares know together about the files in use."""

    breaks: Breaks
    lock_waiters: LockWaiters


def _export(share: ShareConfig, identities: Identities, files: OpenFiles) -> Export:
    settings = ShareSettings(
        create_mask=share.create_mask,
        directory_mask=share.directory_mask,
        force_create_mode=share.force_create_mode,
        force_directory_mode=share.force_directory_mode,
        store_dos_attributes=share.store_dos_attributes,
    )

    def make(path: str) -> Share:
        descriptors = Descriptors(identities.idmap)
        storage = _file_system(share, path)
        return Share(share.name, storage, files.breaks.table, descriptors, settings, files.breaks, files.lock_waiters)

    store: Store = StorePerPath(share, make) if share.directory is None else FixedStore(make(share.directory))
    users = ShareUsers(share, identities)
    return Export(
        share.name,
        share.comment,
        store,
        browseable=share.browseable,
        guest_ok=share.guest_ok,
        encrypt=share.smb_encrypt is ShareEncryption.MANDATORY,
        encrypt_if_possible=share.smb_encrypt is not ShareEncryption.DEFAULT,
        hide_dot_files=share.hide_dot_files,
        oplocks=share.oplocks,
        max_connections=share.max_connections,
        may_connect=users.may_connect,
        may_write=users.may_write,
    )


def _file_system(share: ShareConfig, path: str) -> FileSystem:
    if share.backend is Backend.MEMORY:
        return MemoryFileSystem(fold=upcase)
    return PosixFileSystem(path, fold=upcase, follow_symlinks=share.follow_symlinks)


class ShareUsers:
    """Who may connect to a share, and who may write there.

    `invalid users` stands above `valid users`, and `read list` above `write list`.
    """

    def __init__(self, share: ShareConfig, identities: Identities) -> None:
        self._share = share
        self._identities = identities

    def may_connect(self, visitor: Visitor) -> bool:
        share = self._share
        if self._lists(share.invalid_users, visitor):
            return False
        return not share.valid_users or self._lists(share.valid_users, visitor)

    def may_write(self, visitor: Visitor) -> bool:
        share = self._share
        if self._lists(share.read_list, visitor):
            return False
        return not share.read_only or self._lists(share.write_list, visitor)

    def _lists(self, names: Sequence[str], visitor: Visitor) -> bool:
        """Whether a list names somebody, or (`@group`, `+group`, `&group`) a group of theirs."""
        user = visitor.identity.user
        for name in names:
            expanded = expand_for(name, client_of(visitor)) if "%" in name else name
            if expanded[:1] in "@+&":
                if self._identities.is_in_group(user, expanded.lstrip("@+&")):
                    return True
            elif expanded.casefold() == user.casefold():
                return True
        return False
