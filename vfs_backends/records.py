"""What the contract of `vfs_backends.api` speaks of: which file, what it is like, what a storage can do, for whom."""

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from vfs_backends.native import mypyc_attr

__all__ = [
    "Caller",
    "Capability",
    "DirectoryEntry",
    "FileSystemStat",
    "Fold",
    "IoAccess",
    "LeaseKind",
    "LockKind",
    "LockSegment",
    "NodeId",
    "OutsideChange",
    "OutsideKind",
    "Permissions",
    "Stat",
    "StatChange",
    "StreamEntry",
    "is_directory_mode",
]

_S_IFMT: Final = 0o170000
_S_IFDIR: Final = 0o040000


class NodeId(NamedTuple):
    """Names a file for as long as it exists, and never again: what records about it are kept under."""

    device: int
    inode: int
    generation: int
    """Inode generation or birth time, so that a file deleted and its successor in the same inode differ."""


class Permissions(NamedTuple):
    """What a file has of that beyond owner and mode; None for what it has not got, or was not asked for."""

    security: bytes | None
    access: bytes | None
    default: bytes | None


class Capability(enum.Flag):
    """What a storage can do beyond the required set."""

    NONE = 0
    DOS_ATTRIBUTES = enum.auto()
    """Keeps DOS attributes and a settable creation time."""
    XATTRS = enum.auto()
    """`Handle.list_xattrs`, `get_xattr`, `set_xattr`, `remove_xattr`."""
    SECURITY = enum.auto()
    """`Handle.get_security`, `set_security`."""
    LINKS = enum.auto()
    """`FileSystem.link`."""
    BY_ID = enum.auto()
    """`FileSystem.open_by_id`."""
    ALLOCATE = enum.auto()
    """`Handle.allocate`."""
    READ_ONLY = enum.auto()
    """Nothing can be changed."""
    STREAMS = enum.auto()
    """Named streams: `Handle.open_stream`, `create_stream`, `list_streams`, `remove_stream`, `rename_stream`."""
    CHANGE_TIME = enum.auto()
    """`StatChange.ctime_ns`."""
    POSIX_ACLS = enum.auto()
    """`Handle.get_posix_acls`, `set_posix_acls`."""
    CALLERS = enum.auto()
    """Acts with the rights of a `Caller`, and can give a file to anybody."""
    SPECIAL_FILES = enum.auto()
    """`FileSystem.create_symlink`, `create_node`, `Handle.read_link`."""
    KERNEL_LOCKS = enum.auto()
    """`Handle.set_locks`, `drop_locks`: byte-range locks that those see who use the storage without the gateway."""
    KERNEL_LEASES = enum.auto()
    """`Handle.set_lease`, `lease`: it tells before others, who use the storage without the gateway, open a file."""
    GUARD = enum.auto()
    """`FileSystem.guard_opens`: those who use the storage without the gateway ask it before they open files."""
    WATCH = enum.auto()
    """`FileSystem.watch_changes`: it tells what others do to the storage without going through it."""


class IoAccess(enum.Flag):
    """What an I/O handle is for."""

    READ = enum.auto()
    WRITE = enum.auto()


class Caller(NamedTuple):
    """On whose behalf a file is opened, created, renamed or removed. Units: POSIX ids."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    overrules: bool = False
    """Where the storage refuses this caller, it is done all the same: something above it has granted it."""


def is_directory_mode(mode: int) -> bool:
    """What `stat.S_ISDIR` says of a mode."""
    return mode & _S_IFMT == _S_IFDIR


@mypyc_attr(free_list_len=1, acyclic=True)
class Stat:
    """What a storage tells of a file. Sizes in bytes, times in nanoseconds since 1970 (they may be negative)."""

    __slots__ = (
        "allocated",
        "atime_ns",
        "birthtime_ns",
        "ctime_ns",
        "dos_attributes",
        "gid",
        "has_xattrs",
        "mode",
        "mtime_ns",
        "nlink",
        "node_id",
        "rdev",
        "size",
        "uid",
        "version",
    )

    def __init__(
        self,
        node_id: NodeId,
        mode: int,
        nlink: int,
        uid: int,
        gid: int,
        size: int,
        allocated: int,
        atime_ns: int,
        mtime_ns: int,
        ctime_ns: int,
        birthtime_ns: int,
        dos_attributes: int | None = None,
        rdev: int = 0,
        version: int = 0,
        has_xattrs: bool | None = None,
    ) -> None:
        self.node_id = node_id
        self.mode = mode
        """File type and permission bits, as `st_mode`."""
        self.nlink = nlink
        self.uid = uid
        self.gid = gid
        self.size = size
        self.allocated = allocated
        """Bytes of storage in use."""
        self.atime_ns = atime_ns
        self.mtime_ns = mtime_ns
        self.ctime_ns = ctime_ns
        self.birthtime_ns = birthtime_ns
        """Creation time as set by a client, or else as the storage knows it."""
        self.dos_attributes = dos_attributes
        """FILE_ATTRIBUTE_* bits ([MS-FSCC] 2.6) that were stored with the file; None if none ever were."""
        self.rdev = rdev
        self.version = version
        """Another number whenever anything of the file has changed, as far as the storage's clock is fine enough to
        tell: in nanoseconds since 1970, or just counted. Unlike a time, nobody can set it."""
        self.has_xattrs = has_xattrs
        """Whether users have set extended attributes, as an enumeration tells (it may say so in vain, but not fail to);
        None where that was not looked at."""

    @property
    def is_directory(self) -> bool:
        return is_directory_mode(self.mode)


@dataclass(frozen=True, slots=True)
class StatChange:
    """What to change of a file; None leaves as it is. Units as in `Stat`."""

    mode: int | None = None
    """Permission bits (07777)."""
    uid: int | None = None
    gid: int | None = None
    atime_ns: int | None = None
    mtime_ns: int | None = None
    birthtime_ns: int | None = None
    dos_attributes: int | None = None
    ctime_ns: int | None = None
    """What `Stat.ctime_ns` shall say until the file is changed again. [Capability.CHANGE_TIME]"""


@dataclass(frozen=True, slots=True)
class FileSystemStat:
    """What a storage tells of itself. Sizes in bytes."""

    block_size: int
    """The unit of allocation."""
    total: int
    free: int
    available: int
    """What the caller may still use."""
    files: int
    files_free: int
    volume_id: int
    """64 bits that stay the same as long as the storage does."""
    max_name: int
    """The longest name, in bytes of its stored form."""
    birthtime_ns: int
    """When it was made, as well as can be told."""
    kind: str
    """What the storage calls its format: `ext4`, `memory`, ..."""


class DirectoryEntry:
    """A name in a directory, and what it leads to (None where it was not asked for)."""

    __slots__ = ("name", "stat")

    def __init__(self, name: str, stat: Stat | None) -> None:
        self.name = name
        self.stat = stat


class StreamEntry(NamedTuple):
    """A named stream of a file or directory. Units: bytes."""

    name: str
    size: int
    allocated: int


Fold = Callable[[str], str]
"""Maps a name to what it has in common with the names that differ from it by case only."""


class LeaseKind(enum.Enum):
    """Before whose open of a file the storage tells."""

    NONE = enum.auto()
    READ = enum.auto()
    """Of those who could write."""
    WRITE = enum.auto()
    """Of everybody."""


class LockKind(enum.Enum):
    """How a range is locked."""

    NONE = enum.auto()
    SHARED = enum.auto()
    EXCLUSIVE = enum.auto()


class LockSegment(NamedTuple):
    """A range, and how it is to be locked. Units: bytes, 63 bits; never empty."""

    kind: LockKind
    start: int
    length: int


class OutsideKind(enum.Enum):
    """What others did."""

    ADDED = enum.auto()
    REMOVED = enum.auto()
    ADDED_AND_REMOVED = enum.auto()
    """Both, it is not known in which order."""
    MOVED = enum.auto()
    """From one watched directory to another, or within one."""
    CONTENTS = enum.auto()
    ATTRIBUTES = enum.auto()
    OVERFLOW = enum.auto()
    """Anything may have happened in any watched directory: there was too much to remember."""


class OutsideChange(NamedTuple):
    """Something that happened to a name in a watched directory. Watches are named as `ChangeWatcher.add` did."""

    kind: OutsideKind
    watch: int = -1
    name: str = ""
    is_directory: bool = False
    is_own: bool = False
    """Whether it came about through this very file system, or another one of the process."""
    new_watch: int = -1
    new_name: str = ""
    """With MOVED."""
