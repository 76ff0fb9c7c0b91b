"""System calls that `os` does not have: openat2, statx, renameat2, getxattrat, fallocate, cachestat, inotify, handles.

Those on the hot path return the negative error number instead of raising: a failed look-up is nothing unusual, and an
exception costs more than the call. Arguments are passed without declared types, which ctypes converts fastest: a
Python int as a C int, everything wider as a ready-made ctypes object. The interpreter lock is released in each.
"""

import ctypes
import errno
import struct
from typing import Final

from vfs_backends.posix.each_thread import VALUE_ROOM, Buffers

__all__ = [
    "AT_EMPTY_PATH",
    "AT_FDCWD",
    "AT_NO_AUTOMOUNT",
    "AT_REMOVEDIR",
    "AT_STATX_DONT_SYNC",
    "AT_SYMLINK_NOFOLLOW",
    "PATH_MAX",
    "RENAME_EXCHANGE",
    "RENAME_NOREPLACE",
    "RESOLVE_BENEATH",
    "RESOLVE_CACHED",
    "RESOLVE_NO_MAGICLINKS",
    "RESOLVE_NO_SYMLINKS",
    "RESOLVE_NO_XDEV",
    "UTIME_OMIT",
    "How",
    "StatxFields",
    "cached_pages",
    "fallocate_keep_size",
    "fget_xattr",
    "flist_xattrs",
    "fs_magic",
    "get_xattr",
    "get_xattr_at",
    "has_getxattrat",
    "inotify_add_watch",
    "inotify_init",
    "inotify_rm_watch",
    "list_xattrs",
    "list_xattrs_at",
    "may_access",
    "name_to_handle",
    "open_by_handle",
    "openat2",
    "proc_path",
    "renameat2",
    "statx",
    "syncfs",
    "utimensat",
]

_libc = ctypes.CDLL(None, use_errno=True)
_syscall: Final = _libc["syscall"]
_statx: Final = _libc["statx"]
_renameat2: Final = _libc["renameat2"]
_fgetxattr: Final = _libc["fgetxattr"]
_getxattr: Final = _libc["getxattr"]
_lgetxattr: Final = _libc["lgetxattr"]
_flistxattr: Final = _libc["flistxattr"]
_listxattr: Final = _libc["listxattr"]
_llistxattr: Final = _libc["llistxattr"]
_fallocate: Final = _libc["fallocate"]
_fstatfs: Final = _libc["fstatfs"]
_utimensat: Final = _libc["utimensat"]
_syncfs: Final = _libc["syncfs"]
_inotify_init1: Final = _libc["inotify_init1"]
_inotify_add_watch: Final = _libc["inotify_add_watch"]
_inotify_rm_watch: Final = _libc["inotify_rm_watch"]
_name_to_handle_at: Final = _libc["name_to_handle_at"]
_open_by_handle_at: Final = _libc["open_by_handle_at"]
# These return ssize_t, of which an int would be the lower half.
for _call in (_fgetxattr, _getxattr, _lgetxattr, _flistxattr, _listxattr, _llistxattr):
    _call.restype = ctypes.c_ssize_t

# The same on every architecture that Linux 5.6 runs on, but alpha.
_NR_OPENAT2: Final = ctypes.c_long(437)
_NR_GETXATTRAT: Final = ctypes.c_long(464)
_NR_LISTXATTRAT: Final = ctypes.c_long(465)
_NR_CACHESTAT: Final = ctypes.c_long(451)
_NR_FACCESSAT2: Final = ctypes.c_long(439)

PATH_MAX: Final = 4096
"""Bytes of a path, with the zero at its end."""

AT_FDCWD: Final = -100
AT_SYMLINK_NOFOLLOW: Final = 0x100
AT_REMOVEDIR: Final = 0x200
_AT_EACCESS: Final = 0x200
AT_EMPTY_PATH: Final = 0x1000
AT_NO_AUTOMOUNT: Final = 0x800

AT_STATX_DONT_SYNC: Final = 0x4000

RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE_CACHED: Final = 0x20

RENAME_NOREPLACE: Final = 1
RENAME_EXCHANGE: Final = 2
UTIME_OMIT: Final = (1 << 30) - 2
_FALLOC_FL_KEEP_SIZE: Final = 1

_STATX_BASIC_AND_BTIME: Final = 0xFFF

StatxFields = tuple[int, ...]
"""Always 20: mask, nlink, uid, gid, mode, inode, size, blocks of 512; seconds and nanoseconds of access, birth, status
change and modification; major and minor number of the device it is, then of the one it is on."""

_CACHE_RANGE: Final = struct.Struct("=QQ")
_CACHED: Final = struct.Struct("=Q")
_STATX: Final = struct.Struct("=I12xIIIH2xQQQ8xqI4xqI4xqI4xqI4xIIII")

_buffers: Final = Buffers()
_VALUE_SIZE: Final = ctypes.c_size_t(VALUE_ROOM)
_XATTR_ARGUMENTS_SIZE: Final = ctypes.c_size_t(16)
_HOW_SIZE: Final = ctypes.c_size_t(24)


class How:
    """`struct open_how` of openat2(2), made once for each way of opening."""

    __slots__ = ("_buffer", "address", "is_hasty", "never_waits", "reference")

    def __init__(self, flags: int, resolve: int, mode: int = 0) -> None:
        self._buffer = ctypes.create_string_buffer(struct.pack("=QQQ", flags, mode, resolve), 24)
        self.reference = ctypes.byref(self._buffer)
        self.address = ctypes.addressof(self._buffer)
        self.never_waits = bool(resolve & RESOLVE_CACHED)
        # Fails rather than to wait, or to get where one may have to.
        self.is_hasty = self.never_waits or bool(resolve & RESOLVE_NO_XDEV)


def openat2(directory: int, path: bytes, how: How) -> int:
    """The new descriptor, or the negative error number."""
    while True:
        fd: int = _syscall(_NR_OPENAT2, directory, path, how.reference, _HOW_SIZE)
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number != errno.EINTR:
            return -number


def statx(fd: int, name: bytes = b"", flags: int = AT_EMPTY_PATH | AT_NO_AUTOMOUNT) -> StatxFields | int:
    """What statx(2) tells of `fd`, or of a name in it, or the negative error number."""
    buffers = _buffers
    if _statx(fd, name, flags, _STATX_BASIC_AND_BTIME, buffers.statx_reference) < 0:
        return -ctypes.get_errno()
    return _STATX.unpack_from(buffers.statx)


def may_access(fd: int, mode: int) -> bool:
    """Whether the thread, with the rights that it has now, may open what `fd` is on: R_OK, W_OK or both, faccessat2(2).

    Also false if that cannot be told (before Linux 5.8).
    """
    allowed: bool = _syscall(_NR_FACCESSAT2, fd, b"", mode, _AT_EACCESS | AT_EMPTY_PATH) == 0
    return allowed


def cached_pages(fd: int, offset: int, size: int) -> int:
    """How many pages of a part of a file are in the page cache, or the negative error number (before Linux 6.5)."""
    buffers = _buffers
    _CACHE_RANGE.pack_into(buffers.cache_range, 0, offset, size)
    if _syscall(_NR_CACHESTAT, fd, buffers.cache_range_reference, buffers.cached_reference, 0) < 0:
        return -ctypes.get_errno()
    count: int = _CACHED.unpack_from(buffers.cached)[0]
    return count


def fget_xattr(fd: int, attribute: bytes) -> bytes | int:
    """The value of an extended attribute of a file that is open for I/O, or the negative error number.

    Like the two below, ERANGE for a value of more than 4096 bytes.
    """
    buffers = _buffers
    size: int = _fgetxattr(fd, attribute, buffers.value_reference, _VALUE_SIZE)
    return bytes(buffers.value_view[:size]) if size >= 0 else -ctypes.get_errno()


def get_xattr(path: bytes, attribute: bytes, *, follow: bool) -> bytes | int:
    """The same by path, for kernels without `get_xattr_at`."""
    buffers = _buffers
    call = _getxattr if follow else _lgetxattr
    size: int = call(path, attribute, buffers.value_reference, _VALUE_SIZE)
    return bytes(buffers.value_view[:size]) if size >= 0 else -ctypes.get_errno()


def get_xattr_at(directory: int, name: bytes, flags: int, attribute: bytes) -> bytes | int:
    """The same of a name in a directory, by getxattrat(2), which Linux has since 6.13."""
    buffers = _buffers
    size: int = _syscall(
        _NR_GETXATTRAT, directory, name, flags, attribute, buffers.xattr_reference, _XATTR_ARGUMENTS_SIZE
    )
    return bytes(buffers.value_view[:size]) if size >= 0 else -ctypes.get_errno()


def flist_xattrs(fd: int) -> bytes | int:
    """The names of the extended attributes of a file that is open for I/O, each ended by a zero byte, or the negative
    error number: like the two below, ERANGE for more than 4096 bytes."""
    buffers = _buffers
    size: int = _flistxattr(fd, buffers.value_reference, _VALUE_SIZE)
    return bytes(buffers.value_view[:size]) if size >= 0 else -ctypes.get_errno()


def list_xattrs(path: bytes, *, follow: bool) -> bytes | int:
    """The same by path, for kernels without `list_xattrs_at`."""
    buffers = _buffers
    call = _listxattr if follow else _llistxattr
    size: int = call(path, buffers.value_reference, _VALUE_SIZE)
    return bytes(buffers.value_view[:size]) if size >= 0 else -ctypes.get_errno()


def list_xattrs_at(directory: int, name: bytes, flags: int) -> bytes | int:
    """The same of a name in a directory, by listxattrat(2), which came with getxattrat(2)."""
    buffers = _buffers
    size: int = _syscall(_NR_LISTXATTRAT, directory, name, flags, buffers.value_reference, _VALUE_SIZE)
    return bytes(buffers.value_view[:size]) if size >= 0 else -ctypes.get_errno()


def has_getxattrat(directory: int) -> bool:
    """Whether the kernel has getxattrat(2), asked of a directory that is open for I/O."""
    # A seccomp filter that does not know the call says EPERM.
    return get_xattr_at(directory, b".", 0, b"user.probe") not in {-errno.ENOSYS, -errno.EPERM}


def renameat2(directory: int, name: bytes, new_directory: int, new_name: bytes, flags: int) -> int:
    """0 or the negative error number."""
    if _renameat2(directory, name, new_directory, new_name, flags) < 0:
        return -ctypes.get_errno()
    return 0


def fallocate_keep_size(fd: int, size: int) -> int:
    """0 or the negative error number. Raises OverflowError beyond 63 bits."""
    if size >= 1 << 63:
        raise OverflowError(size)
    if _fallocate(fd, _FALLOC_FL_KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)) < 0:
        return -ctypes.get_errno()
    return 0


def utimensat(directory: int, name: bytes, atime_ns: int | None, mtime_ns: int | None) -> int:
    """Set one or both times; 0 or the negative error number."""
    fields: list[int] = []
    for time_ns in (atime_ns, mtime_ns):
        fields += (0, UTIME_OMIT) if time_ns is None else divmod(time_ns, 1_000_000_000)
    if _utimensat(directory, name, struct.pack("@llll", *fields), 0) < 0:
        return -ctypes.get_errno()
    return 0


def fs_magic(fd: int) -> int:
    """`f_type` of statfs(2): which file system a descriptor is on. 0 if it cannot be told."""
    buffer = ctypes.create_string_buffer(256)
    if _fstatfs(fd, ctypes.byref(buffer)) < 0:
        return 0
    magic: int = struct.unpack_from("@l", buffer)[0]
    return magic & 0xFFFFFFFF


def syncfs(fd: int) -> int:
    """0 or the negative error number."""
    return -ctypes.get_errno() if _syncfs(fd) < 0 else 0


def inotify_init(flags: int) -> int:
    """The new descriptor, or the negative error number."""
    fd: int = _inotify_init1(flags)
    return fd if fd >= 0 else -ctypes.get_errno()


def inotify_add_watch(fd: int, path: bytes, mask: int) -> int:
    """The watch, or the negative error number."""
    watch: int = _inotify_add_watch(fd, path, ctypes.c_uint32(mask))
    return watch if watch >= 0 else -ctypes.get_errno()


def inotify_rm_watch(fd: int, watch: int) -> None:
    """Ends a watch; that it has ended by itself is no error."""
    _inotify_rm_watch(fd, watch)


_HANDLE: Final = struct.Struct("=Ii")


def name_to_handle(fd: int) -> tuple[int, bytes] | None:
    """Type and bytes of the file's handle, name_to_handle_at(2); None if the file system has no handles."""
    buffer = ctypes.create_string_buffer(_HANDLE.pack(128, 0), _HANDLE.size + 128)
    mount = ctypes.c_int()
    if _name_to_handle_at(fd, b"", ctypes.byref(buffer), ctypes.byref(mount), AT_EMPTY_PATH) < 0:
        return None
    size, kind = _HANDLE.unpack_from(buffer)
    return kind, buffer.raw[_HANDLE.size : _HANDLE.size + size]


def open_by_handle(mount: int, kind: int, handle: bytes, flags: int) -> int:
    """The new descriptor, or the negative error number. `mount`: any descriptor on the file system."""
    fd: int = _open_by_handle_at(mount, _HANDLE.pack(len(handle), kind) + handle, flags)
    return fd if fd >= 0 else -ctypes.get_errno()


def proc_path(fd: int) -> bytes:
    """A path to what a descriptor is on, for the calls that take no O_PATH descriptor."""
    return b"/proc/self/fd/%d" % fd
