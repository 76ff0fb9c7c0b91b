"""The one table from what a storage says to what SMB clients are told. [MS-ERREF] 2.3.1."""

from typing import Final

from gateway.nt import status as nt
from vfs_backends.errors import Kind, VfsError

__all__ = ["STATUS_OF_KIND", "status_of"]

# NTFS answers an exceeded quota like a full disk. STATUS_STOPPED_ON_SYMLINK is not here, because a client expects the
# target with it: where a link may be shown, the front end does so.
STATUS_OF_KIND: Final[dict[Kind, int]] = {
    Kind.NOT_FOUND: nt.STATUS_OBJECT_NAME_NOT_FOUND,
    Kind.PATH_NOT_FOUND: nt.STATUS_OBJECT_PATH_NOT_FOUND,
    Kind.EXISTS: nt.STATUS_OBJECT_NAME_COLLISION,
    Kind.NOT_A_DIRECTORY: nt.STATUS_NOT_A_DIRECTORY,
    Kind.IS_A_DIRECTORY: nt.STATUS_FILE_IS_A_DIRECTORY,
    Kind.NOT_EMPTY: nt.STATUS_DIRECTORY_NOT_EMPTY,
    Kind.ACCESS_DENIED: nt.STATUS_ACCESS_DENIED,
    Kind.READ_ONLY: nt.STATUS_MEDIA_WRITE_PROTECTED,
    Kind.NO_SPACE: nt.STATUS_DISK_FULL,
    Kind.QUOTA: nt.STATUS_DISK_FULL,
    Kind.TOO_LARGE: nt.STATUS_DISK_FULL,
    Kind.NAME_INVALID: nt.STATUS_OBJECT_NAME_INVALID,
    Kind.NAME_TOO_LONG: nt.STATUS_OBJECT_NAME_INVALID,
    Kind.SYMLINK: nt.STATUS_OBJECT_PATH_NOT_FOUND,
    Kind.ESCAPES: nt.STATUS_ACCESS_DENIED,
    Kind.CROSS_DEVICE: nt.STATUS_NOT_SAME_DEVICE,
    Kind.TOO_MANY_LINKS: nt.STATUS_TOO_MANY_LINKS,
    Kind.TOO_MANY_OPEN_FILES: nt.STATUS_TOO_MANY_OPENED_FILES,
    Kind.NO_ATTRIBUTE: nt.STATUS_NONEXISTENT_EA_ENTRY,
    Kind.STALE: nt.STATUS_OBJECT_NAME_NOT_FOUND,
    Kind.BUSY: nt.STATUS_SHARING_VIOLATION,
    Kind.NOT_SUPPORTED: nt.STATUS_NOT_SUPPORTED,
    Kind.INVALID: nt.STATUS_INVALID_PARAMETER,
    Kind.NO_MEMORY: nt.STATUS_INSUFFICIENT_RESOURCES,
    Kind.IO: nt.STATUS_IO_DEVICE_ERROR,
}


def status_of(error: VfsError) -> int:
    """The NTSTATUS that answers a request which failed with `error`."""
    return STATUS_OF_KIND[error.kind]
