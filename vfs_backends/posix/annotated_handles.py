"""What is kept with a file beside its data: extended attributes, descriptor, POSIX ACLs, and locks that others see."""

import errno
import os
from collections.abc import Sequence

from vfs_backends.api import LockSegment, Permissions
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import xattrs
from vfs_backends.posix.descriptor_handles import DescriptorHandle
from vfs_backends.posix.failures import os_error, vfs_error
from vfs_backends.posix.kernel_locks import open_for_locks
from vfs_backends.posix.permissions import read_acls, read_permissions
from vfs_backends.posix.syscalls import proc_path

__all__ = ["AnnotatedHandle"]


class AnnotatedHandle(DescriptorHandle):
    """Raises NOT_SUPPORTED for what the file system has no place for."""

    def _check_xattrs(self) -> None:
        if not self.volume.tree.has_xattrs:
            raise VfsError(Kind.NOT_SUPPORTED, "extended attributes")

    async def list_xattrs(self) -> list[str]:
        self._check_xattrs()
        return await self.ask(xattrs.list_user, self._target)

    async def get_xattr(self, name: str) -> bytes:
        self._check_xattrs()
        return await self.ask(xattrs.get_user, self._target, name, self.volume.tree.fold)

    async def set_xattr(self, name: str, value: bytes) -> None:
        self._check_xattrs()
        await self.change(xattrs.set_user, self._target, name, value, self.volume.tree.fold)

    async def remove_xattr(self, name: str) -> None:
        self._check_xattrs()
        await self.change(xattrs.remove_user, self._target, name, self.volume.tree.fold)

    async def get_needed_xattrs(self) -> list[str]:
        self._check_xattrs()
        stored = await self.ask(self._read_xattr, xattrs.NEEDED)
        return xattrs.needed_names(stored or b"")

    async def set_needed_xattrs(self, names: Sequence[str]) -> None:
        self._check_xattrs()
        await self.change(xattrs.set_needed, self._target, names)

    def set_locks(self, segments: Sequence[LockSegment]) -> bool:
        return self.volume.tree.locks.set(self.node_id, self._open_for_locks, segments)

    def is_locked(self, wanted: LockSegment) -> bool:
        return self.volume.tree.locks.is_locked(self.node_id, self.fd, wanted)

    def _open_for_locks(self) -> tuple[int, bool]:
        return open_for_locks(proc_path(self.fd))

    def drop_locks(self) -> None:
        self.volume.tree.locks.drop(self.node_id)

    async def get_security(self) -> bytes | None:
        self._check_xattrs()
        return await self.ask(self._read_xattr, self.volume.tree.security_xattr)

    def _read_xattr(self, attribute: bytes) -> bytes | None:
        """The value of an attribute; None if there is none. Raises OSError."""
        found = self.volume.read_xattr(self.fd, attribute, mode=self.mode, is_io=self._access is not None)
        if not isinstance(found, int):
            return found
        if -found in xattrs.ABSENT:
            return None
        if found == -errno.ERANGE:
            return os.getxattr(self._target, attribute)
        raise os_error(-found)

    def _check_acls(self) -> None:
        if not self.volume.tree.has_acls:
            raise VfsError(Kind.NOT_SUPPORTED, "POSIX ACLs")

    async def get_posix_acls(self) -> tuple[bytes | None, bytes | None]:
        self._check_acls()
        return await self.ask(lambda: read_acls(self._read_xattr, is_directory=self.is_directory))

    async def get_permissions(self, *, security: bool, acls: bool) -> Permissions:
        found = self.permissions_at_hand(security=security, acls=acls)
        if found is not None:
            return found
        if not self.volume.kind.lists_xattrs:
            return await super().get_permissions(security=security, acls=acls)
        return await self.ask(self._read_permissions, security, acls)

    def permissions_at_hand(self, *, security: bool, acls: bool) -> Permissions | None:
        volume = self.volume
        if volume.threads.always or not volume.kind.lists_xattrs:
            return None
        try:
            return self._read_permissions(security, acls)
        except OSError as error:
            raise vfs_error(error, self.path) from error

    def _read_permissions(self, security: bool, acls: bool) -> Permissions:
        listed, self._listed = self._listed, None
        if listed is None:
            listed = self.volume.list_xattrs(self.fd, mode=self.mode, is_io=self._access is not None)
        attribute = self.volume.tree.security_xattr if security else None
        return read_permissions(self._read_xattr, listed, attribute, acls=acls, is_directory=self.is_directory)

    def permissions_mark(self) -> int | None:
        marks = self.volume.tree.marks
        if marks is None or self.volume.threads.always or not self.is_directory:
            return None
        return marks.of(self.node_id, self.fd)

    async def set_posix_acls(self, access: bytes | None, default: bytes | None) -> None:
        self._check_acls()
        await self.change(xattrs.set_acls, self._target, access, default, self.is_directory)

    async def set_security(self, blob: bytes | None) -> None:
        self._check_xattrs()
        await self.change(xattrs.set_security, self._target, self.volume.tree.security_xattr, blob)
