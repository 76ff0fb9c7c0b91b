"""The contract between the gateway and a storage: file systems, handles and what they tell.

Everything is based on handles, never on full paths: a path is resolved once, relative to a handle, and everything
after that happens on the file that was found. A handle is first a *path handle* (it can be asked and changed, like
`O_PATH`) and becomes an *I/O handle* by `Handle.open_io`.

Names are `str`. A name of the storage that is not valid Unicode arrives as a `str` with lone surrogates, and that same
`str` leads back to it. Paths have `/` between their components, never at either end; the root's path is `""`.

All methods are coroutines. A file system that sets `inline` promises to call `vfs_backends.inline.may_wait` before
anything that suspends, and not to block the calling thread for longer than a cached operation takes; requests on it
can then be answered without a task of their own. One that does not is only ever called from a task.

Everything raises `VfsError` and nothing else. A method that fails has changed nothing, unless it says otherwise.

The required set is small; `Capability` says what else a storage has. The methods behind a missing capability raise
`VfsError(NOT_SUPPORTED)`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from vfs_backends.errors import Kind, VfsError
from vfs_backends.handle import DirectoryStream, Handle
from vfs_backends.native import mypyc_attr
from vfs_backends.others import ChangeWatcher, OpenGuard, OutsideOpen
from vfs_backends.records import (
    Caller,
    Capability,
    DirectoryEntry,
    FileSystemStat,
    Fold,
    IoAccess,
    LeaseKind,
    LockKind,
    LockSegment,
    NodeId,
    OutsideChange,
    OutsideKind,
    Permissions,
    Stat,
    StatChange,
    StreamEntry,
)

__all__ = [
    "Caller",
    "Capability",
    "ChangeWatcher",
    "DirectoryEntry",
    "DirectoryStream",
    "FileSystem",
    "FileSystemStat",
    "Fold",
    "Handle",
    "IoAccess",
    "LeaseKind",
    "Link",
    "LockKind",
    "LockSegment",
    "NodeId",
    "OpenGuard",
    "OutsideChange",
    "OutsideKind",
    "OutsideOpen",
    "Permissions",
    "Stat",
    "StatChange",
    "StreamEntry",
]


class Link(NamedTuple):
    """A name in a directory, which leads to `handle`."""

    parent: Handle
    name: str
    handle: Handle


@mypyc_attr(allow_interpreted_subclasses=True)
class FileSystem(ABC):
    """A tree of files."""

    inline: bool = False
    """Whether it keeps the rules of `vfs_backends.inline`; to be set of the object."""

    @property
    @abstractmethod
    def capabilities(self) -> Capability:
        """What it can do; never changes after `start`."""

    async def start(self) -> None:
        """Get ready; called once, before anything else. Raises `VfsError` if the storage cannot be used."""

    @abstractmethod
    async def root(self) -> Handle:
        """A new path handle on the root directory."""

    @abstractmethod
    async def lookup(
        self, parent: Handle, path: str, *, case_sensitive: bool = False, caller: Caller | None = None
    ) -> Handle:
        """Resolve `path` from `parent` (itself for `""`), and return a new path handle on what it leads to.

        Each component is tried exactly first, then by its folded form unless `case_sensitive`; of several names
        that fold alike the same one is found each time. The last component may be a symbolic link: the handle is
        then on the link itself, unless the storage follows it and it leads to something. Never leaves the tree.
        For a `caller`, only what they can reach: ACCESS_DENIED if they may not search a directory on the way.

        Raises NOT_FOUND (the last component), PATH_NOT_FOUND (another one is missing or not a directory), SYMLINK
        (another one is a symbolic link that is not followed), ESCAPES, NAME_INVALID, NAME_TOO_LONG, ACCESS_DENIED.
        """

    async def find(
        self,
        parent: Handle,
        path: str,
        *,
        case_sensitive: bool = False,
        caller: Caller | None = None,
        opening: IoAccess | None = None,
    ) -> Handle | None:
        """The same, for who expects that there may be nothing: None where that raises NOT_FOUND.

        `opening`: for what the caller is about to call `open_io`, which a storage may prepare.
        """
        try:
            return await self.lookup(parent, path, case_sensitive=case_sensitive, caller=caller)
        except VfsError as error:
            if error.kind is Kind.NOT_FOUND:
                return None
            raise

    async def stat_entry(self, parent: Handle, name: str, caller: Caller | None = None) -> Stat | None:
        """What a name in a directory leads to, in exactly this spelling: a look-up for those who need no handle.

        None if there is no such name. Whether DOS attributes and what goes with them are told, is the storage's
        choice. Errors as of `lookup`.
        """
        handle = await self.find(parent, name, case_sensitive=True, caller=caller)
        if handle is None:
            return None
        try:
            return await handle.stat()
        finally:
            handle.discard()

    @abstractmethod
    async def create_file(
        self, parent: Handle, name: str, mode: int, access: IoAccess, caller: Caller | None = None
    ) -> Handle:
        """Create an empty file and return an I/O handle on it. `mode`: permission bits, not subject to a umask.

        Raises EXISTS if exactly this name exists, in which case nothing changes; PATH_NOT_FOUND if `parent` is not a
        directory or was removed.
        """

    @abstractmethod
    async def create_directory(self, parent: Handle, name: str, mode: int, caller: Caller | None = None) -> Handle:
        """Create a directory and return a path handle on it. Raises EXISTS if exactly this name exists."""

    async def create_symlink(self, parent: Handle, name: str, target: str, caller: Caller | None = None) -> Handle:
        """Create a symbolic link and return a path handle on it. [Capability.SPECIAL_FILES]

        Errors as of `create_file`.
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"symbolic link {name}")

    async def create_node(
        self, parent: Handle, name: str, mode: int, rdev: int = 0, caller: Caller | None = None
    ) -> Handle:
        """Create a FIFO, a socket or a device and return a path handle on it. [Capability.SPECIAL_FILES]

        `mode`: file type and permission bits; `rdev`: a device's number, as `st_rdev`. Errors as of `create_file`.
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"special file {name}")

    @abstractmethod
    async def remove(self, parent: Handle, name: str, handle: Handle, caller: Caller | None = None) -> None:
        """Remove the name `name` of the file or empty directory behind `handle`; the handle stays usable.

        Raises NOT_FOUND if the name is gone, STALE if it leads to another file by now, NOT_EMPTY.
        """

    @abstractmethod
    async def rename(
        self,
        parent: Handle,
        name: str,
        new_parent: Handle,
        new_name: str,
        handle: Handle,
        *,
        replace: bool,
        caller: Caller | None = None,
    ) -> None:
        """Move `name`, which leads to `handle`, to `new_name`; with `replace`, over what has that very name.

        Of two names of the same file, `name` is the one that goes. Does not change `handle.path`. Raises NOT_FOUND,
        STALE, EXISTS (without `replace`), NOT_EMPTY, IS_A_DIRECTORY,
        NOT_A_DIRECTORY, CROSS_DEVICE, INVALID (into itself).
        """

    async def exchange(self, one: Link, other: Link, caller: Caller | None = None) -> None:
        """Let two names each lead to what the other one does, in one step.

        Does not change the handles' paths. Raises NOT_FOUND, STALE, CROSS_DEVICE, INVALID (into itself, or a storage
        that cannot do it), NOT_SUPPORTED.
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"exchange of {one.name} and {other.name}")

    async def link(
        self, handle: Handle, parent: Handle, name: str, *, replace: bool, caller: Caller | None = None
    ) -> None:
        """Give the file another name; with `replace`, in place of what has it. [Capability.LINKS]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"hard link {name}")

    async def open_by_id(self, inode: int) -> Handle:
        """A new path handle on the file with this inode number. Raises NOT_FOUND. [Capability.BY_ID]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"open by id {inode}")

    def guard_opens(self, asked: Callable[[OutsideOpen], None], seconds: float) -> OpenGuard:
        """Have `asked` called before those who use the storage without the gateway open guarded files; they wait.

        Who is not answered within `seconds` goes on. Raises NOT_SUPPORTED, and says why. [Capability.GUARD]
        """
        raise VfsError(Kind.NOT_SUPPORTED, "the storage cannot stop what others open")

    @property
    def lease_seconds(self) -> float:
        """How long others wait for a lease before it is taken away. [Capability.KERNEL_LEASES]"""
        raise VfsError(Kind.NOT_SUPPORTED, "kernel leases")

    def watch_changes(self) -> ChangeWatcher:
        """A new queue of what others change. Raises NOT_SUPPORTED, and says why. [Capability.WATCH]"""
        raise VfsError(Kind.NOT_SUPPORTED, "the storage cannot tell what others change")

    @abstractmethod
    async def statfs(self) -> FileSystemStat:
        """Sizes, free space and identity of the storage."""

    async def aclose(self) -> None:
        """Give up what the file system holds; called once, after the last handle is closed."""
