"""Error numbers of the kernel (errno(3)) as `VfsError`."""

import errno
import os

from vfs_backends.errors import Kind, VfsError

__all__ = ["kind_of", "os_error", "vfs_error"]

_KINDS = {
    errno.ENOENT: Kind.NOT_FOUND,
    errno.EEXIST: Kind.EXISTS,
    errno.ENOTDIR: Kind.NOT_A_DIRECTORY,
    errno.EISDIR: Kind.IS_A_DIRECTORY,
    errno.ENOTEMPTY: Kind.NOT_EMPTY,
    errno.EACCES: Kind.ACCESS_DENIED,
    errno.EPERM: Kind.ACCESS_DENIED,
    errno.EROFS: Kind.READ_ONLY,
    errno.ENOSPC: Kind.NO_SPACE,
    errno.EDQUOT: Kind.QUOTA,
    errno.EFBIG: Kind.TOO_LARGE,
    errno.EOVERFLOW: Kind.TOO_LARGE,
    errno.E2BIG: Kind.TOO_LARGE,
    errno.ENAMETOOLONG: Kind.NAME_TOO_LONG,
    errno.EILSEQ: Kind.NAME_INVALID,
    errno.ELOOP: Kind.SYMLINK,
    errno.EXDEV: Kind.CROSS_DEVICE,
    errno.EMLINK: Kind.TOO_MANY_LINKS,
    errno.EMFILE: Kind.TOO_MANY_OPEN_FILES,
    errno.ENFILE: Kind.TOO_MANY_OPEN_FILES,
    errno.ENODATA: Kind.NO_ATTRIBUTE,
    errno.ESTALE: Kind.STALE,
    errno.EBUSY: Kind.BUSY,
    errno.ETXTBSY: Kind.BUSY,
    # A descriptor is opened with O_NONBLOCK: somebody has a kernel lease on the file.
    errno.EAGAIN: Kind.BUSY,
    errno.EOPNOTSUPP: Kind.NOT_SUPPORTED,
    errno.ENOSYS: Kind.NOT_SUPPORTED,
    errno.ENOTTY: Kind.NOT_SUPPORTED,
    errno.ENXIO: Kind.NOT_SUPPORTED,
    errno.EINVAL: Kind.INVALID,
    # The handle is closed, or was not opened for this.
    errno.EBADF: Kind.INVALID,
    errno.ENOMEM: Kind.NO_MEMORY,
    errno.ENOBUFS: Kind.NO_MEMORY,
}


def kind_of(number: int) -> Kind:
    """What an error number means; IO where there is nothing better."""
    return _KINDS.get(number, Kind.IO)


def vfs_error(error: OSError, detail: str = "") -> VfsError:
    """The error to raise from `error`; `detail` is the name it is about."""
    reason = error.strerror or "unknown error"
    return VfsError(kind_of(error.errno or 0), f"{detail}: {reason}" if detail else reason)


def os_error(number: int) -> OSError:
    """What `os` would have raised for an error number that came out of a plain system call."""
    return OSError(number, os.strerror(number))
