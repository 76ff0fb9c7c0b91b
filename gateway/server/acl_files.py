"""Descriptors of files as an administrator of the machine reads and sets them, without a client."""

import os
from dataclasses import dataclass
from pathlib import Path

from acl.descriptor import SecurityDescriptor
from acl.ntacl_xattr import Policy
from acl.token import ADMINISTRATOR_PRIVILEGES, SUPERUSER, user_token
from gateway.config import Backend, Config
from gateway.config.share_parameters import ShareConfig
from gateway.nt.status import StatusError
from gateway.nt.upcase import upcase
from gateway.server.errors import ServerError
from gateway.server.exports import make_descriptors
from gateway.server.identities import Identities
from gateway.server.idmap import LiveIdMap
from gateway.server.names import SystemNames
from gateway.server.state import StateDirectory
from gateway.share.access import Governing
from gateway.share.memory_table import MemoryTable
from gateway.share.securing import write_descriptor
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from vfs_backends.api import Handle
from vfs_backends.errors import VfsError
from vfs_backends.posix import PosixFileSystem

__all__ = ["FileDescriptor", "ids_of", "names_of", "read_descriptor", "store_descriptor"]


@dataclass(frozen=True, slots=True)
class FileDescriptor:
    """What governs a file, and what is stored with it."""

    governing: Governing
    policy: Policy
    """What counts if its permissions were changed after the descriptor was stored."""


def ids_of(config: Config) -> LiveIdMap:
    """The SIDs of this machine. Raises `ServerError`."""
    return StateDirectory(config.state_path).idmap(config)


def names_of(config: Config) -> SystemNames:
    """What SIDs are called. Raises `ServerError`."""
    identities = Identities(ids_of(config), config.guest_account, config.administrators)
    return SystemNames(identities, config.netbios_name, config.workgroup)


async def read_descriptor(config: Config, path: Path) -> FileDescriptor:
    """The descriptor of a file. Raises `ServerError`."""
    share, handle = await _open(config, path)
    try:
        governing = await share.descriptors.governing(handle, await handle.stat())
        return FileDescriptor(governing, share.descriptors.policy)
    except VfsError as error:
        raise ServerError(f"{path}: {error}") from error
    finally:
        await handle.aclose()
        await share.aclose()


async def store_descriptor(config: Config, path: Path, descriptor: SecurityDescriptor, information: int) -> None:
    """Set the parts of a file's descriptor that SECURITY_INFORMATION bits name. Raises `ServerError`, `AclError`."""
    share, handle = await _open(config, path)
    try:
        if not share.descriptors.stores:
            raise ServerError(f"{path}: no descriptors are kept there")
        stat = await handle.stat()
        present = (await share.descriptors.governing(handle, stat)).descriptor
        ids = ids_of(config)
        token = user_token(
            ids.user_sid(os.geteuid()),
            uid=os.geteuid(),
            gid=os.getegid(),
            privileges=ADMINISTRATOR_PRIVILEGES | SUPERUSER,
        )
        await write_descriptor(share, handle, stat, present.merge(descriptor, information), token)
    except (VfsError, StatusError) as error:
        raise ServerError(f"{path}: {error}") from error
    finally:
        await handle.aclose()
        await share.aclose()


async def _open(config: Config, path: Path) -> tuple[Share, Handle]:
    """A share that begins at the directory of the file, with the rules of the configured one that the file is in."""
    path, root, name = _place(path)
    descriptors = make_descriptors(_share_of(config, path), ids_of(config))
    fs = PosixFileSystem(root, fold=upcase, inotify=False)
    share = Share(str(root), fs, MemoryTable(), descriptors, ShareSettings())
    try:
        await share.start()
    except VfsError as error:
        raise ServerError(f"{path}: {error}") from error
    try:
        return share, await fs.lookup(share.root, name, case_sensitive=True)
    except VfsError as error:
        await share.aclose()
        raise ServerError(f"{path}: {error}") from error


def _place(path: Path) -> tuple[Path, Path, str]:
    """The whole path, the directory to begin at, and the name in it."""
    path = path.absolute()
    return (path, path, "") if path.is_dir() else (path, path.parent, path.name)


def _share_of(config: Config, path: Path) -> ShareConfig:
    """The innermost share with the path; the defaults if it is in none."""
    inside = [
        share
        for share in config.shares.values()
        if share.backend is Backend.POSIX and share.directory and path.is_relative_to(share.directory)
    ]
    return max(inside, key=lambda share: len(share.path), default=ShareConfig(name=""))
