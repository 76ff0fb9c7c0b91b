"""What the system, and the storage below a root, lets the process do: asked once, when the tree is opened."""

import errno
import os

from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.syscalls import RESOLVE_BENEATH, How, openat2, proc_path
from vfs_backends.posix.xattrs import ACCESS_ACL

__all__ = ["check_system", "has_acls", "has_user_xattrs", "may_open_by_handle", "security_xattr"]

_CAP_DAC_READ_SEARCH = 2
_CAP_SYS_ADMIN = 21


def check_system(root: int) -> None:
    """Raises NOT_SUPPORTED where the kernel, or what surrounds us, lacks what everything rests on."""
    fd = openat2(root, b".", How(os.O_PATH | os.O_CLOEXEC, RESOLVE_BENEATH))
    if fd < 0:
        raise VfsError(Kind.NOT_SUPPORTED, f"openat2(2), of Linux 5.6 or later: {os.strerror(-fd)}")
    os.close(fd)
    try:
        there = os.stat(proc_path(root))
    except OSError as error:
        raise VfsError(Kind.NOT_SUPPORTED, "/proc is not mounted") from error
    if not os.path.samestat(there, os.fstat(root)):
        raise VfsError(Kind.NOT_SUPPORTED, "/proc belongs to other processes")


def has_user_xattrs(root: int) -> bool:
    """Whether files can have attributes in the namespace `user.`."""
    try:
        os.listxattr(root)
        os.getxattr(root, "user.DOSATTRIB")
    except OSError as error:
        return error.errno in {errno.ENODATA, errno.EACCES, errno.EPERM}
    return True


def has_acls(root: int) -> bool:
    """Whether files can have POSIX ACLs."""
    try:
        os.getxattr(root, ACCESS_ACL)
    except OSError as error:
        return error.errno == errno.ENODATA
    return True


def security_xattr(root: int) -> bytes:
    """Where descriptors are kept: out of the users' reach, if the process can write there."""
    if not _has_privilege(_CAP_SYS_ADMIN):
        return b"user.NTACL"
    try:
        probe = os.open(b".", os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600, dir_fd=root)
    except OSError:  # a read-only file system, or one without O_TMPFILE
        return b"security.NTACL"
    try:
        os.setxattr(probe, b"security.NTACL", b"\0")
    except OSError:  # in a container root has the privilege, but for its own namespace only
        return b"user.NTACL"
    finally:
        os.close(probe)
    return b"security.NTACL"


def may_open_by_handle() -> bool:
    """Whether open_by_handle_at(2) is allowed."""
    return _has_privilege(_CAP_DAC_READ_SEARCH)


def _has_privilege(number: int) -> bool:
    """Whether the process has a capability of capabilities(7)."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as status:
        for line in status:
            if line.startswith("CapEff:"):
                return bool(int(line.split()[1], 16) >> number & 1)
    return False
