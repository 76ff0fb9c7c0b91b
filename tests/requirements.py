"""What tests need of the machine they run on, and why one is skipped where that is missing: all reasons are here.

`scripts/test` installs what can be installed; as root, on a file system like ext4, nothing is skipped but what the
kernel or the container does not let anybody do.
"""

import ctypes
import errno
import functools
import os
import platform
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NoReturn

import pytest

from vfs_backends.errors import VfsError
from vfs_backends.posix.change_watcher import check_watching
from vfs_backends.posix.open_guard import check_guarding
from vfs_backends.posix.ring import Ring
from vfs_backends.posix.syscalls import RESOLVE_CACHED, How

__all__ = [
    "MAX_FANOTIFY_EVENTS",
    "MAX_QUEUED_EVENTS",
    "SHM",
    "SYSTEM_PYTHON",
    "Need",
    "is_met",
    "need",
    "needs",
    "reason_of",
    "set_xattr",
    "skip_unless",
]

SYSTEM_PYTHON = "/usr/bin/python3"
"""The interpreter that Debian installs python3-samba for."""
SHM = Path("/dev/shm")

MAX_FANOTIFY_EVENTS = Path("/proc/sys/fs/fanotify/max_queued_events")
MAX_QUEUED_EVENTS = Path("/proc/sys/fs/inotify/max_queued_events")
_MAX_HANDLE_SZ = 128
_SAMBA = "import samba.dcerpc.smb_acl, samba.dcerpc.xattr, samba.gensec, samba.samba3.libsmb_samba_internal"


class Need(Enum):
    """What is needed; the value is what is told if it is missing."""

    LINUX = "the storage is for Linux"
    ROOT = "only root can act as others, mount, and write attributes of the system"
    FUSE = "there is no /dev/fuse"
    FANOTIFY = "fanotify(7) may not be used here to watch, and to stop, what others open"
    IO_URING = "io_uring(7) may not be used here"
    NAMESPACES = "no namespaces can be made here (ip, unshare)"
    SMBD = "smbd, smbclient and pdbedit are not installed"
    PYTHON3_SAMBA = "python3-samba is not installed"
    GANESHA = "nfs-ganesha, its FSAL_VFS and libnfs are not installed"
    EXPORTABLE = "no NFS server can find the file system of temporary files (a root that is no mount), or files on it"
    GIT = "git is not installed"
    GLIBC = "the C library has no mallopt(3)"
    IPV6 = "the loopback interface has no IPv6 address"
    SHM = "there is no /dev/shm to write to"
    SHORT_QUEUE = f"{MAX_QUEUED_EVENTS} allows so many events that filling the queue takes too long"
    SHORT_FANOTIFY_QUEUE = f"{MAX_FANOTIFY_EVENTS} allows so many events that filling the queue takes too long"
    MOUNT = "tmpfs cannot be mounted here"
    LOOP = "no file system can be mounted from a file here"
    USER_QUOTAS = "the kernel has no quotas for users of ext4 (CONFIG_QFMT_V2)"
    TREE_QUOTAS = "the kernel has no btrfs, or mkfs.btrfs is not installed"
    XATTRS = "the file system of temporary files has no extended attributes"
    ACLS = "the file system of temporary files has no POSIX ACLs"
    SECURITY_XATTRS = "the file system of temporary files has no attributes of the namespace security"
    BY_ID = "the file system of temporary files does not find files by inode"
    CACHESTAT = "nothing tells what is cached of the files here (cachestat(2), from Linux 6.5 on; not of tmpfs)"
    CAPABILITY = "this storage does not offer what is tested"


def _runs(*command: str) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _has_programs(*names: str) -> bool:
    return all(shutil.which(name) for name in names)


def _has_ganesha() -> bool:
    try:
        ctypes.CDLL("libnfs.so.13")
    except OSError:
        return False
    return _has_programs("ganesha.nfsd") and any(Path("/usr/lib").glob("*/ganesha/libfsalvfs.so"))


def _is_exportable() -> bool:
    """What FSAL_VFS of nfs-ganesha goes by: the list of mounts, and handles of files."""
    handle = ctypes.create_string_buffer(struct.pack("Ii", _MAX_HANDLE_SZ, 0), 8 + _MAX_HANDLE_SZ)
    at, mount_id = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY), ctypes.c_int()
    try:
        if ctypes.CDLL(None).name_to_handle_at(at, b".", handle, ctypes.byref(mount_id), 0):
            return False
    finally:
        os.close(at)
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return Path("/etc/mtab").exists() and str(mount_id.value) in {line.split()[0] for line in mounts}


def _has_fanotify() -> bool:
    directory = os.open(tempfile.gettempdir(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        check_watching(directory)
        check_guarding(directory)
    except VfsError:
        return False
    finally:
        os.close(directory)
    return True


def _has_io_uring() -> bool:
    directory = os.open("/", os.O_PATH)
    try:
        Ring(How(os.O_PATH | os.O_CLOEXEC, RESOLVE_CACHED), directory).close()
    except OSError:
        return False
    finally:
        os.close(directory)
    return True


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


_PROBES: dict[Need, Callable[[], bool]] = {
    Need.LINUX: lambda: sys.platform == "linux",
    Need.ROOT: lambda: os.geteuid() == 0,
    Need.FUSE: lambda: os.path.exists("/dev/fuse"),
    Need.FANOTIFY: _has_fanotify,
    Need.IO_URING: _has_io_uring,
    Need.NAMESPACES: lambda: _has_programs("ip") and _runs("unshare", "-n", "-m", "true"),
    Need.SMBD: lambda: _has_programs("smbd", "smbclient", "pdbedit"),
    Need.PYTHON3_SAMBA: lambda: _runs(SYSTEM_PYTHON, "-c", _SAMBA),
    Need.GANESHA: _has_ganesha,
    Need.EXPORTABLE: _is_exportable,
    Need.GIT: lambda: _has_programs("git"),
    Need.GLIBC: lambda: platform.libc_ver()[0] == "glibc",
    Need.IPV6: _has_ipv6,
    Need.SHM: lambda: os.access(SHM, os.W_OK),
    Need.SHORT_FANOTIFY_QUEUE: lambda: int(MAX_FANOTIFY_EVENTS.read_text()) <= 20_000,
    Need.SHORT_QUEUE: lambda: int(MAX_QUEUED_EVENTS.read_text()) <= 20_000,
}
"""How it is found out whether something is there. What is not in here is for the test to find out: it depends on where
its files are, or on which storage it tests."""


@functools.cache
def is_met(what: Need) -> bool:
    """Whether the machine has it."""
    return _PROBES[what]()


def needs(*all_of: Need) -> pytest.MarkDecorator:
    """A mark for tests, and for modules of them."""
    missing = [what.value for what in all_of if not is_met(what)]
    return pytest.mark.skipif(bool(missing), reason="; ".join(missing))


def need(*all_of: Need) -> None:
    """The same within a test or a fixture."""
    for what in all_of:
        skip_unless(is_met(what), what)


def skip_unless(is_there: bool, what: Need) -> None:
    """The same for what the caller has found out."""
    if not is_there:
        _skip(what)


class _Last:
    reason = ""


def _skip(what: Need) -> NoReturn:
    _Last.reason = what.value
    pytest.skip(what.value)


def reason_of(told: str) -> str:
    """The reason of the last skip, where pytest-trio tells none: it raises another exception in place of ours."""
    return f"Skipped: {_Last.reason}" if told == "Skipped" else told


def set_xattr(path: Path, name: str, value: bytes, what: Need) -> None:
    """Give a file an attribute; skips where the file system, or the container, does not have `what`."""
    try:
        os.setxattr(path, name, value)
    except OSError as error:
        if error.errno not in {errno.ENOTSUP, errno.EPERM, errno.EACCES}:
            raise
        _skip(what)
