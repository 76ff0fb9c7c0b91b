"""The one table from what the store and the storage say to what programs are told: errno(3)."""

import errno
from typing import Final

from gateway.nt import status as nt
from gateway.nt.status import StatusError
from vfs_backends.errors import Kind, VfsError

__all__ = ["errno_of"]

_OF_KIND: Final[dict[Kind, int]] = {
    Kind.NOT_FOUND: errno.ENOENT,
    Kind.PATH_NOT_FOUND: errno.ENOENT,
    Kind.EXISTS: errno.EEXIST,
    Kind.NOT_A_DIRECTORY: errno.ENOTDIR,
    Kind.IS_A_DIRECTORY: errno.EISDIR,
    Kind.NOT_EMPTY: errno.ENOTEMPTY,
    Kind.ACCESS_DENIED: errno.EACCES,
    Kind.READ_ONLY: errno.EROFS,
    Kind.NO_SPACE: errno.ENOSPC,
    Kind.QUOTA: errno.EDQUOT,
    Kind.TOO_LARGE: errno.EFBIG,
    Kind.NAME_INVALID: errno.EINVAL,
    Kind.NAME_TOO_LONG: errno.ENAMETOOLONG,
    Kind.SYMLINK: errno.ELOOP,
    Kind.ESCAPES: errno.EACCES,
    Kind.CROSS_DEVICE: errno.EXDEV,
    Kind.TOO_MANY_LINKS: errno.EMLINK,
    Kind.TOO_MANY_OPEN_FILES: errno.ENFILE,
    Kind.NO_ATTRIBUTE: errno.ENODATA,
    Kind.STALE: errno.ESTALE,
    Kind.BUSY: errno.EBUSY,
    Kind.NOT_SUPPORTED: errno.EOPNOTSUPP,
    Kind.INVALID: errno.EINVAL,
    Kind.NO_MEMORY: errno.ENOMEM,
    Kind.IO: errno.EIO,
}

_OF_STATUS: Final[dict[int, int]] = {
    nt.STATUS_ACCESS_DENIED: errno.EACCES,
    nt.STATUS_PRIVILEGE_NOT_HELD: errno.EPERM,
    nt.STATUS_CANNOT_DELETE: errno.EACCES,
    nt.STATUS_SHARING_VIOLATION: errno.EBUSY,
    # A name that is about to go cannot be opened any more, and is gone when it is not open any more.
    nt.STATUS_DELETE_PENDING: errno.ENOENT,
    # As from a file with mandatory locks.
    nt.STATUS_FILE_LOCK_CONFLICT: errno.EAGAIN,
    nt.STATUS_LOCK_NOT_GRANTED: errno.EAGAIN,
    nt.STATUS_INVALID_PARAMETER: errno.EINVAL,
    nt.STATUS_NOT_SUPPORTED: errno.EOPNOTSUPP,
    nt.STATUS_FILE_IS_A_DIRECTORY: errno.EISDIR,
    nt.STATUS_NOT_A_DIRECTORY: errno.ENOTDIR,
    nt.STATUS_OBJECT_NAME_COLLISION: errno.EEXIST,
    nt.STATUS_OBJECT_NAME_NOT_FOUND: errno.ENOENT,
    nt.STATUS_OBJECT_PATH_NOT_FOUND: errno.ENOENT,
    nt.STATUS_OBJECT_NAME_INVALID: errno.EINVAL,
    nt.STATUS_DIRECTORY_NOT_EMPTY: errno.ENOTEMPTY,
    nt.STATUS_TOO_MANY_OPENED_FILES: errno.ENFILE,
    nt.STATUS_MEDIA_WRITE_PROTECTED: errno.EROFS,
    nt.STATUS_DISK_FULL: errno.ENOSPC,
}


def errno_of(error: StatusError | VfsError) -> int:
    """The error number that answers a request which failed with `error`."""
    if isinstance(error, VfsError):
        return _OF_KIND[error.kind]
    return _OF_STATUS.get(error.status, errno.EIO)
