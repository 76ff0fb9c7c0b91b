"""What the handles of one file system share."""

import errno
import os
import time
from typing import TYPE_CHECKING, Final

import trio

from vfs_backends.api import Capability, Fold, NodeId, Stat
from vfs_backends.posix.attributes import XATTR, DosAttributes
from vfs_backends.posix.failures import os_error
from vfs_backends.posix.identity import can_act
from vfs_backends.posix.kernel_locks import KernelLocks
from vfs_backends.posix.kinds import FileSystemKind, kind_of_device
from vfs_backends.posix.names import path_to_bytes
from vfs_backends.posix.permission_marks import PermissionMarks
from vfs_backends.posix.probes import has_acls, has_user_xattrs, may_open_by_handle, security_xattr
from vfs_backends.posix.stats import birth_of, device_of, fields_of, identity_of, stat_of
from vfs_backends.posix.syscalls import (
    AT_NO_AUTOMOUNT,
    AT_STATX_DONT_SYNC,
    AT_SYMLINK_NOFOLLOW,
    RESOLVE_BENEATH,
    RESOLVE_NO_MAGICLINKS,
    How,
    StatxFields,
    fget_xattr,
    flist_xattrs,
    get_xattr,
    get_xattr_at,
    has_getxattrat,
    list_xattrs,
    list_xattrs_at,
    openat2,
    proc_path,
    statx,
)
from vfs_backends.posix.threads import Pace, Threads
from vfs_backends.posix.xattrs import has_user

if TYPE_CHECKING:
    from vfs_backends.posix.shared_files import SharedFiles
    from vfs_backends.posix.stream_handles import StreamTable

__all__ = ["Tree", "Volume"]

_FOLLOWED: Final = How(os.O_PATH | os.O_CLOEXEC, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
_ENTRY: Final = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT
_ATTRIBUTE: Final = XATTR + b"\0"

_S_IFMT: Final = 0o170000
_S_IFLNK: Final = 0o120000
_S_IFDIR: Final = 0o040000
_WITH_XATTRS: Final = frozenset({0o100000, 0o040000})
"""S_IFREG and S_IFDIR: others cannot have any of `user.`."""

_KNOWN: Final = 1 << 17
"""Enough to list 100,000 files again without asking for the attributes of each."""
_RACY_NS: Final = 50_000_000
"""For so long a further change may leave the time of the last one as it is: the clocks of file systems are coarse."""


_Known = tuple[int, int, DosAttributes | None, bool | None]
"""What user.DOSATTRIB says of a file, after the time of the last change of status (seconds, nanoseconds): as long as
that stays, so does the attribute. Last, if it is known, whether there are attributes of users."""


def _is_racy(fields: StatxFields, now: int) -> bool:
    """Whether a file may be changed after `now` (ns since 1970) without its time of change telling."""
    return now - fields[12] * 1_000_000_000 - fields[13] <= _RACY_NS


class Tree:
    """What is exported: a directory, what is mounted below it, and what the process may do there."""

    def __init__(
        self, root: int, kind: FileSystemKind, fold: Fold, limiter: trio.CapacityLimiter, *, follows_symlinks: bool
    ) -> None:
        """`root` is a descriptor of the root directory, open for reading; `close` closes it. Raises OSError."""
        self.root = root
        self.fold = fold
        self.limiter = limiter
        self.follows_symlinks = follows_symlinks
        self.has_getxattrat = has_getxattrat(root)
        self.is_read_only = bool(os.fstatvfs(root).f_flag & os.ST_RDONLY)
        self.has_xattrs = has_user_xattrs(root)
        self.security_xattr = security_xattr(root)
        self.acts_as_callers = can_act()
        self.has_acls = has_acls(root)
        self.opens_by_inode = kind.opens_by_inode and may_open_by_handle()
        self.locks = KernelLocks()
        self.marks: PermissionMarks | None = None
        """Set by who makes the tree, if changes that others make are to be watched."""
        self.shared: SharedFiles | None = None
        """Set by who makes the tree, if its files are to have kernel leases."""
        self.streams: StreamTable | None = None
        """Set by who makes the tree, if it has extended attributes."""
        device = device_of(fields_of(root))
        self.top = Volume(self, device, kind)
        self._volumes = {device: self.top}
        self.proc = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        self.locks.close()
        if self.marks is not None:
            self.marks.close()
        if self.shared is not None:
            self.shared.close()
        os.close(self.proc)
        os.close(self.root)

    def volume(self, device: int) -> "Volume":
        """How to treat what is on a device. Asks nobody who could take long to answer."""
        found = self._volumes.get(device)
        if found is None:
            # The subvolumes of btrfs have devices that are nowhere mounted.
            found = self._volumes[device] = Volume(self, device, kind_of_device(device) or self.top.kind)
        return found

    def locate(self, fields: StatxFields) -> tuple["Volume", NodeId]:
        """Where a file is, and which. The generation is the time of birth, or 0 where that is not reliably known."""
        volume = self.top
        if not volume.has(fields):
            volume = self.volume(device_of(fields))
        return volume, NodeId(volume.device, fields[5], birth_of(fields) if volume.has_birth else 0)

    def node_id(self, fields: StatxFields) -> NodeId:
        """Which file it is."""
        return self.locate(fields)[1]

    @property
    def capabilities(self) -> Capability:
        """Those of the root; what is mounted below may have fewer."""
        found = Capability.LINKS | Capability.SPECIAL_FILES
        if self.has_xattrs:
            found |= Capability.XATTRS | Capability.DOS_ATTRIBUTES | Capability.SECURITY
            found |= Capability.STREAMS | Capability.CHANGE_TIME
        if self.top.kind.preallocates:
            found |= Capability.ALLOCATE
        if self.has_acls:
            found |= Capability.POSIX_ACLS
        if self.acts_as_callers:
            found |= Capability.CALLERS
        if self.opens_by_inode:
            found |= Capability.BY_ID
        if self.is_read_only:
            found |= Capability.READ_ONLY
        return found


class Volume:
    """How one file system of the tree is to be used, and which calls on it are made in threads."""

    def __init__(self, tree: Tree, device: int, kind: FileSystemKind) -> None:
        self.tree = tree
        self.device = device
        self._major, self._minor = os.major(device), os.minor(device)
        self.kind = kind
        # Over a network the time of birth comes and goes with what happens to be cached.
        self.has_birth = not kind.slow
        # On a local disk it makes no difference; but an entry may be the root of something else.
        self._entry_flags = _ENTRY if kind.slow else _ENTRY | AT_STATX_DONT_SYNC
        self.threads = Threads(tree.limiter, always=kind.slow, never_slow=kind.in_memory)
        self.reads = Pace(never_slow=kind.in_memory)
        self.writes = Pace(never_slow=kind.in_memory)
        self.reads_nowait = not kind.in_memory and not kind.slow
        """Whether preadv2(RWF_NOWAIT) is worth trying."""
        self.sends: bool | None = None
        """Whether sendfile(2) takes its files; None while nobody has tried."""
        self._known: dict[int, _Known] = {}
        """By inode."""

    def has(self, fields: StatxFields) -> bool:
        """Whether what statx(2) has told of is there."""
        return fields[19] == self._minor and fields[18] == self._major

    def stat(self, fd: int, *, node_id: NodeId, is_io: bool) -> Stat:
        """What the storage tells of a descriptor's file. Raises OSError."""
        fields = statx(fd)
        if isinstance(fields, int):
            raise os_error(-fields)
        return self.stat_by(fields, fd, node_id=node_id, is_io=is_io)

    def stat_by(self, fields: StatxFields, fd: int, *, node_id: NodeId, is_io: bool) -> Stat:
        """The same where statx(2) has been asked already."""
        tree = self.tree
        if not tree.has_xattrs:
            return stat_of(node_id, fields, None)
        known = self._known_of(fields)
        if known is not None:
            return stat_of(node_id, fields, known[2], known[3])
        now = time.time_ns()
        stored = self.read_xattr(fd, XATTR, mode=fields[4], is_io=is_io)
        return stat_of(node_id, fields, self._learn(fields, stored, now))

    def stat_and_list(
        self, fields: StatxFields, fd: int, *, node_id: NodeId, is_io: bool
    ) -> tuple[Stat, bytes | int | None]:
        """The same with what `list_xattrs` tells, where that had to be asked, and holds as long as this version does.

        What has no attributes at all, as most files, need not be asked for any.
        """
        known = self._known_of(fields)
        if known is not None:
            return stat_of(node_id, fields, known[2], known[3]), None
        now = time.time_ns()
        if _is_racy(fields, now) or not (self.tree.has_xattrs and self.kind.lists_xattrs):
            return self.stat_by(fields, fd, node_id=node_id, is_io=is_io), None
        listed = self.list_xattrs(fd, mode=fields[4], is_io=is_io)
        if isinstance(listed, int):
            return self.stat_by(fields, fd, node_id=node_id, is_io=is_io), listed
        has_xattrs = bool(listed) and has_user(listed)
        stored = (
            self.read_xattr(fd, XATTR, mode=fields[4], is_io=is_io) if listed.find(_ATTRIBUTE) >= 0 else -errno.ENODATA
        )
        return stat_of(node_id, fields, self._learn(fields, stored, now, has_xattrs), has_xattrs), listed

    def read_xattr(self, fd: int, attribute: bytes, *, mode: int, is_io: bool) -> bytes | int:
        """The value of an extended attribute, or the negative error number; ERANGE for a very long one."""
        if is_io:
            return fget_xattr(fd, attribute)
        tree = self.tree
        if not tree.has_getxattrat:
            return get_xattr(proc_path(fd), attribute, follow=True)
        if mode & _S_IFMT == _S_IFDIR:
            found = get_xattr_at(fd, b".", 0, attribute)
            if found != -errno.EACCES:  # here it may mean that the directory cannot be searched
                return found
        return get_xattr_at(tree.proc, b"%d" % fd, 0, attribute)

    def list_xattrs(self, fd: int, *, mode: int, is_io: bool) -> bytes | int:
        """The names of the extended attributes, each with a zero byte after it; or as above."""
        if is_io:
            return flist_xattrs(fd)
        tree = self.tree
        if not tree.has_getxattrat:
            return list_xattrs(proc_path(fd), follow=True)
        if mode & _S_IFMT == _S_IFDIR:
            found = list_xattrs_at(fd, b".", 0)
            if found != -errno.EACCES:
                return found
        return list_xattrs_at(tree.proc, b"%d" % fd, 0)

    def _learn(
        self, fields: StatxFields, stored: bytes | int, now: int, has_xattrs: bool | None = None
    ) -> DosAttributes | None:
        """Take note of the value of user.DOSATTRIB as read at `now` or later; what is malformed counts as absent."""
        dos = None if isinstance(stored, int) else DosAttributes.parse(stored)
        if not _is_racy(fields, now) and not self.kind.slow:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[fields[5]] = fields[12], fields[13], dos, has_xattrs
        return dos

    def _known_of(self, fields: StatxFields) -> _Known | None:
        """What is known of a file of which statx(2) has just told this."""
        known = self._known.get(fields[5])
        return known if known is not None and known[1] == fields[13] and known[0] == fields[12] else None

    def entry_stat(self, directory: int, name: bytes, path: str) -> Stat | None:
        """The same of a name in the directory at `path`; None if it cannot be looked at, or is gone."""
        fields = statx(directory, name, self._entry_flags)
        if isinstance(fields, int):
            # Other than that it is gone: say, the mount point of somebody's FUSE file system.
            return None
        tree = self.tree
        kind = fields[4] & _S_IFMT
        if kind == _S_IFLNK and tree.follows_symlinks:
            followed = self._stat_through(directory, name, path)
            if followed is not None:
                followed.has_xattrs = tree.has_xattrs
                return followed
        is_own = self.has(fields)
        if is_own:
            node_id = NodeId(self.device, fields[5], birth_of(fields) if self.has_birth else 0)
        else:
            node_id = tree.node_id(fields)
        if not tree.has_xattrs or kind not in _WITH_XATTRS or (not is_own and not self.kind.slow):
            return stat_of(node_id, fields, None)
        known = self._known_of(fields) if is_own else None
        if known is not None and known[3] is not None:
            return stat_of(node_id, fields, known[2], known[3])
        now = time.time_ns() if is_own else 0
        stored, has_xattrs = self._read_entry(directory, name)
        return stat_of(node_id, fields, self._learn(fields, stored, now, has_xattrs), has_xattrs)

    def _read_entry(self, directory: int, name: bytes) -> tuple[bytes | int, bool]:
        """user.DOSATTRIB of a name in a directory (or an error number), and whether there may be attributes of users.

        To ask for the names costs as much as to ask for one attribute; so what has none is not asked again.
        """
        at = self.tree.has_getxattrat
        path = b"" if at else proc_path(directory) + b"/" + name
        listed = list_xattrs_at(directory, name, AT_SYMLINK_NOFOLLOW) if at else list_xattrs(path, follow=False)
        if isinstance(listed, int):
            has_xattrs = listed == -errno.ERANGE  # so many names that some of them will be users'
        elif _ATTRIBUTE not in listed:
            return -errno.ENODATA, bool(listed) and has_user(listed)
        else:
            has_xattrs = has_user(listed)
        if at:
            return get_xattr_at(directory, name, AT_SYMLINK_NOFOLLOW, XATTR), has_xattrs
        return get_xattr(path, XATTR, follow=False), has_xattrs

    def entry_stats(self, directory: int, names: list[bytes], path: str) -> list[Stat | None]:
        return [self.entry_stat(directory, name, path) for name in names]

    def _stat_through(self, directory: int, name: bytes, path: str) -> Stat | None:
        """What a symbolic link leads to, if that is inside."""
        fd = openat2(directory, name, _FOLLOWED)
        if fd == -errno.EXDEV:
            fd = openat2(self.tree.root, (path_to_bytes(path) + b"/" if path else b"") + name, _FOLLOWED)
        if fd < 0:
            return None
        try:
            return self.stat(fd, node_id=self.tree.node_id(identity_of(fd)), is_io=False)
        except OSError:
            return None
        finally:
            os.close(fd)
