"""From the configured shares to what clients can connect to."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from acl.ntacl_xattr import Policy
from gateway.config import Backend, Config
from gateway.config.choices import KernelShareModes, ShareEncryption
from gateway.config.share_parameters import ShareConfig
from gateway.nt.upcase import upcase
from gateway.server.identities import Identities
from gateway.server.idmap import LiveIdMap
from gateway.server.share_users import ShareUsers
from gateway.server.stores import FixedStore, StorePerPath
from gateway.share.access import Descriptors
from gateway.share.archiving import Archiving
from gateway.share.breaks import Breaks
from gateway.share.disconnected import Disconnected
from gateway.share.kin import Family
from gateway.share.locking import LockWaiters
from gateway.share.memory_table import MemoryTable
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.share.times import WriteTimes
from gateway.smb.exports import IPC, Export, Store
from gateway.smb.hiding import hiding
from vfs_backends.api import FileSystem
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem

__all__ = ["make_descriptors", "make_exports", "start_shares", "stop_shares"]


def make_exports(config: Config, identities: Identities, write_times: WriteTimes) -> list[Export]:
    """An export for each share of the configuration, and IPC$. The storage is not touched yet."""
    exports = [Export(IPC, "IPC Service", None, browseable=False)]
    # One for all shares, since they may have files in common.
    disconnected = Disconnected(config.max_disconnected_files, config.max_disconnected_files_per_user)
    files = OpenFiles(Breaks(MemoryTable()), LockWaiters(), write_times, disconnected, Archiving(), Family())
    for share in config.shares.values():
        exports.append(_export(share, identities, files))
    return exports


async def start_shares(exports: Sequence[Export]) -> None:
    """Get the storage of all shares ready. Raises `ServerError`; none is started then."""
    started: list[Export] = []
    try:
        for export in exports:
            if export.store is not None:
                await export.store.start()
                started.append(export)
    except BaseException:  # also if it is cancelled: none may stay started
        await stop_shares(started)
        raise


async def stop_shares(exports: Sequence[Export]) -> None:
    """Close what is still open in shares that were started, and their storage."""
    for export in exports:
        for share in export.store or ():
            await share.aclose()


class OpenFiles(NamedTuple):
    """What the shares know together about the files in use."""

    breaks: Breaks
    lock_waiters: LockWaiters
    write_times: WriteTimes
    disconnected: Disconnected
    archiving: Archiving
    family: Family


def _export(share: ShareConfig, identities: Identities, files: OpenFiles) -> Export:
    settings = ShareSettings(
        create_mask=share.create_mask,
        directory_mask=share.directory_mask,
        force_create_mode=share.force_create_mode,
        force_directory_mode=share.force_directory_mode,
        store_dos_attributes=share.store_dos_attributes,
        canonical_inheritance=share.acl_flag_inherited_canonicalization,
        write_time_delay=share.write_time_delay,
        short_names=share.mangled_names,
        named_streams=share.named_streams,
        inherit_owner=share.inherit_owner,
        kernel_notify=share.kernel_notify,
        kernel_locks=share.kernel_locks,
        strict_locking=share.strict_locking,
        use_sendfile=share.use_sendfile,
        kernel_leases=share.kernel_leases,
        kernel_share_modes=share.kernel_share_modes is KernelShareModes.ENFORCE,
    )

    def make(path: str) -> Share:
        descriptors = make_descriptors(share, identities.idmap)
        storage = _file_system(share, path)
        directory = None if share.backend is Backend.MEMORY else os.path.realpath(path)
        return Share(share.name, storage, files.breaks.table, descriptors, settings, *files, directory)

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
        hides=hiding(dot_files=share.hide_dot_files, patterns=share.hide_files),
        oplocks=share.oplocks,
        durable_handles=share.durable_handles,
        max_connections=share.max_connections,
        may_connect=users.may_connect,
        may_write=users.may_write,
        token_of=users.token,
        hide_unreadable=share.hide_unreadable,
        hides_from_others=share.access_based_share_enum,
    )


def make_descriptors(share: ShareConfig, ids: LiveIdMap) -> Descriptors:
    """The descriptors of a share's files, by the share's rules."""
    ignores = share.acl_xattr_ignore_system_acls
    policy = Policy.TRUST if ignores else share.nt_acl_mismatch
    return Descriptors(ids, policy, stores=share.nt_acl_support, maps=not ignores, assign=ids.assign)


def _file_system(share: ShareConfig, path: str) -> FileSystem:
    if share.backend is Backend.MEMORY:
        return MemoryFileSystem(fold=upcase)
    return PosixFileSystem(path, fold=upcase, follow_symlinks=share.follow_symlinks, leases=share.kernel_leases)
