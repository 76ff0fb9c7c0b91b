"""From the configured shares to what clients can connect to."""

from collections.abc import Sequence

from gateway.auth.policy import Identity
from gateway.config import Backend, Config
from gateway.config.choices import ShareEncryption
from gateway.config.macros import Client, expand_for
from gateway.config.share_parameters import ShareConfig
from gateway.nt.upcase import upcase
from gateway.server.errors import ServerError
from gateway.server.identities import Identities
from gateway.share.access import Descriptors
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.table import MemoryTable
from gateway.smb.exports import IPC, Export
from vfs_backends.api import FileSystem
from vfs_backends.errors import VfsError
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem

__all__ = ["make_exports", "start_shares"]


def make_exports(config: Config, identities: Identities) -> list[Export]:
    """An export for each share of the configuration, and IPC$. The storage is not touched yet."""
    exports = [Export(IPC, "IPC Service", None, browseable=False)]
    for share in config.shares.values():
        exports.append(_export(share, identities))
    return exports


async def start_shares(exports: Sequence[Export]) -> None:
    """Get the storage of all shares ready. Raises `ServerError`."""
    for export in exports:
        if export.share is not None:
            try:
                await export.share.start()
            except VfsError as error:
                raise ServerError(f"share {export.name}: {error}") from error


def _export(share: ShareConfig, identities: Identities) -> Export:
    settings = ShareSettings(
        create_mask=share.create_mask,
        directory_mask=share.directory_mask,
        force_create_mode=share.force_create_mode,
        force_directory_mode=share.force_directory_mode,
        store_dos_attributes=share.store_dos_attributes,
    )
    descriptors = Descriptors(identities.idmap)
    store = Share(share.name, _file_system(share), MemoryTable(), descriptors, settings)
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
        max_connections=share.max_connections,
        may_connect=users.may_connect,
        may_write=users.may_write,
    )


def _file_system(share: ShareConfig) -> FileSystem:
    if share.backend is Backend.MEMORY:
        return MemoryFileSystem(fold=upcase)
    return PosixFileSystem(share.path, fold=upcase, follow_symlinks=share.follow_symlinks)


class ShareUsers:
    """Who may connect to a share, and who may write there.

    `invalid users` stands above `valid users`, and `read list` above `write list`.
    """

    def __init__(self, share: ShareConfig, identities: Identities) -> None:
        self._share = share
        self._identities = identities

    def may_connect(self, identity: Identity) -> bool:
        share = self._share
        if self._lists(share.invalid_users, identity):
            return False
        return not share.valid_users or self._lists(share.valid_users, identity)

    def may_write(self, identity: Identity) -> bool:
        share = self._share
        if self._lists(share.read_list, identity):
            return False
        return not share.read_only or self._lists(share.write_list, identity)

    def _lists(self, names: Sequence[str], identity: Identity) -> bool:
        """Whether a list names somebody, or (`@group`, `+group`, `&group`) a group of theirs."""
        for name in names:
            expanded = expand_for(name, self._client(identity)) if "%" in name else name
            if expanded[:1] in "@+&":
                if self._identities.is_in_group(identity.user, expanded.lstrip("@+&")):
                    return True
            elif expanded.casefold() == identity.user.casefold():
                return True
        return False

    def _client(self, identity: Identity) -> Client:
        return Client(
            user=identity.user,
            account=identity.user,
            group="",
            domain=identity.domain,
            machine=identity.workstation,
            address="",
            server_address="",
            dialect="",
        )
