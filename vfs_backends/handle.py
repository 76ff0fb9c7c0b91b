"""A file that was found, and a directory that is listed, as part of the contract of `vfs_backends.api`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from vfs_backends.errors import Kind, VfsError
from vfs_backends.extent import Extent
from vfs_backends.native import mypyc_attr
from vfs_backends.records import (
    Caller,
    DirectoryEntry,
    IoAccess,
    LeaseKind,
    LockSegment,
    NodeId,
    Permissions,
    Stat,
    StatChange,
    StreamEntry,
    is_directory_mode,
)

__all__ = ["DirectoryStream", "Handle"]


@mypyc_attr(allow_interpreted_subclasses=True)
class DirectoryStream(ABC):
    """An enumeration of one directory; `.` and `..` are not in it. Its order is the storage's own."""

    @abstractmethod
    async def read(
        self, limit: int, accept: Callable[[str], bool] | None = None, *, with_stat: bool = True
    ) -> list[DirectoryEntry]:
        """The next entries: at most `limit`, of the names that `accept` accepts; none at all at the end.

        A file that is gone by the time it is looked at, or cannot be looked at, is left out. Fewer than `limit`
        entries do not mean the end. What is returned is not returned again: in an inline pass that is an effect, unless
        nothing was. An enumeration does not outlive the handle it was begun on.
        """

    @abstractmethod
    async def rewind(self) -> None:
        """Begin anew, and see what has changed since."""

    @abstractmethod
    def discard(self) -> None:
        """Give up what the enumeration holds, without waiting. Never raises; may be called twice."""

    async def aclose(self) -> None:
        """The same; returns when it is given up."""
        self.discard()


@mypyc_attr(allow_interpreted_subclasses=True)
class Handle(ABC):
    """An open file or directory, or one of its named streams.

    A handle on a stream reads, writes and truncates that stream, and its `stat` tells the stream's size; everything
    else is the file's, above all `node_id` and `path`. Even that of a directory says that it is a regular file.
    """

    node_id: NodeId
    mode: int
    """File type and permission bits at the time it was opened; only the type may be relied on."""
    _path: str

    @property
    def path(self) -> str:
        """How it was reached from the root, each name as the storage spells it. The owner updates it after a rename."""
        return self._path

    @path.setter
    def path(self, path: str) -> None:
        self._path = path

    @property
    def is_directory(self) -> bool:
        return is_directory_mode(self.mode)

    @property
    def stream(self) -> str:
        """The named stream it is on, as the storage spells it; empty if it is on the file itself."""
        return ""

    @abstractmethod
    async def open_io(self, access: IoAccess, caller: Caller | None = None) -> None:
        """Make a path handle an I/O handle, or change what an I/O handle is for, as far as `caller` may.

        On a directory it is for READ only, and `open_directory` does not need it. Raises NOT_SUPPORTED for what is
        neither a file nor a directory; and the handle is as it was.
        """

    @abstractmethod
    async def stat(self) -> Stat:
        """What the storage tells of the file now."""

    async def stat_found(self, *, attributes: bool = True) -> Stat:
        """The same, for who has just looked the file up, or made it and changed it by this handle only, and not waited
        since: the storage need not be asked again.

        Without `attributes`, what clients have set (DOS attributes, creation and change time) need not be told.
        """
        return await self.stat()

    def stat_at_hand(self, *, attributes: bool = True) -> Stat | None:
        """What `stat_found` tells, where that needs no waiting; else None. Instead of it, not before it."""
        return None

    @abstractmethod
    async def read_into(self, offset: int, buffer: memoryview) -> int:
        """Fill `buffer` from `offset` on; how many bytes there were: fewer than asked only at the end of the file.

        Raises INVALID if the handle is not open for READ.
        """

    def read_at_hand(self, offset: int, buffer: memoryview) -> int:
        """What `read_into` does, where that needs neither waiting nor a disk; else -1, and `buffer` holds anything."""
        return -1

    def extent(self, offset: int, size: int) -> Extent | None:
        """What `read_into` would read, if all of it is there, and can be sent from where it is, without waiting.

        Must not wait. `size` is not 0, and the handle open for READ.
        """
        return None

    @abstractmethod
    async def write(self, offset: int, data: memoryview) -> None:
        """Write all of `data` at `offset`. If it fails, part of it may have been written."""

    @abstractmethod
    async def flush(self) -> None:
        """Return when everything written is on stable storage."""

    def keep_access_time(self, keep: bool) -> None:
        """From now on reading by this handle leaves the time of the last access alone, or does not any more.

        As far as the storage changes that by itself, and can do without. Must not wait.
        """

    @abstractmethod
    async def set_size(self, size: int) -> None:
        """Truncate, or extend with zeros."""

    async def allocate(self, size: int) -> None:
        """Reserve storage for the first `size` bytes without changing the size. [Capability.ALLOCATE]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"allocate {size} bytes")

    @abstractmethod
    async def set_stat(self, change: StatChange) -> None:
        """Change mode, owner, times or DOS attributes. If it fails, part of `change` may have been done."""

    @abstractmethod
    async def open_directory(self) -> DirectoryStream:
        """Begin an enumeration of this directory; several may go on at once."""

    async def list_xattrs(self) -> list[str]:
        """The names of the extended attributes that users set (never the gateway's own). [Capability.XATTRS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "extended attributes")

    async def get_xattr(self, name: str) -> bytes:
        """The value of one; names compare as the storage does. Raises NO_ATTRIBUTE. [Capability.XATTRS]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"extended attribute {name}")

    async def set_xattr(self, name: str, value: bytes) -> None:
        """Create or replace. Raises TOO_LARGE if the storage has no room for it beside the file's other attributes,
        NAME_TOO_LONG, and ACCESS_DENIED for names that the gateway keeps for itself. [Capability.XATTRS]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"extended attribute {name} of {len(value)} bytes")

    async def remove_xattr(self, name: str) -> None:
        """Remove; raises NO_ATTRIBUTE if there is none. [Capability.XATTRS]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"extended attribute {name}")

    async def get_needed_xattrs(self) -> list[str]:
        """The names that `set_needed_xattrs` was given, in any order. [Capability.XATTRS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "extended attributes")

    async def set_needed_xattrs(self, names: Sequence[str]) -> None:
        """Note names of extended attributes without which the file cannot be understood. The storage keeps them with
        the file, apart from the attributes, and makes nothing of them. Raises TOO_LARGE. [Capability.XATTRS]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"notes of {len(names)} extended attributes")

    async def read_link(self) -> str:
        """Where a symbolic link leads, as its maker put it. Raises INVALID on others. [Capability.SPECIAL_FILES]"""
        raise VfsError(Kind.NOT_SUPPORTED, "symbolic links")

    async def get_security(self) -> bytes | None:
        """The stored security blob, if any. [Capability.SECURITY]"""
        raise VfsError(Kind.NOT_SUPPORTED, "security blob")

    async def set_security(self, blob: bytes | None) -> None:
        """Store a security blob, or remove it. [Capability.SECURITY]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"security blob of {len(blob or b'')} bytes")

    async def get_posix_acls(self) -> tuple[bytes | None, bytes | None]:
        """The access ACL and, of a directory, the default ACL, as of acl(5); None for what there is none of beyond the
        mode. Blobs, as the kernel keeps them. [Capability.POSIX_ACLS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "POSIX ACLs")

    async def get_permissions(self, *, security: bool, acls: bool) -> Permissions:
        """What `get_security` and `get_posix_acls` tell, as far as it is asked for."""
        access, default = await self.get_posix_acls() if acls else (None, None)
        return Permissions(await self.get_security() if security else None, access, default)

    def permissions_at_hand(self, *, security: bool, acls: bool) -> Permissions | None:
        """The same, where that needs no waiting; else None."""
        return None

    def permissions_mark(self) -> int | None:
        """A number that stays as long as the permissions of this directory do, owner and mode included.

        None if the storage cannot tell, or it is no directory. It is watched from the first question on, for which it
        pays to keep the handle.
        """
        return None

    async def set_posix_acls(self, access: bytes | None, default: bytes | None) -> None:
        """Set both, or remove what is None: then the mode says everything, as it is. [Capability.POSIX_ACLS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "POSIX ACLs")

    @property
    def lease(self) -> LeaseKind:
        """What there is of that on the file. [Capability.KERNEL_LEASES]"""
        return LeaseKind.NONE

    def set_lease(self, kind: LeaseKind, broken: Callable[[LeaseKind], None]) -> bool:
        """Have `broken` called before those who use the storage without the gateway open the file; they wait, at most
        `FileSystem.lease_seconds`, until it is set to what the argument says or less. The same for all handles on a
        file. Never waits; the file must be open for I/O. [Capability.KERNEL_LEASES]

        False if it cannot be had: somebody has it open already. Then READ, after WRITE, may have become NONE. A lease
        that is lost by what is done here (`open_io` for more) is told of, too, with NONE.
        """
        raise VfsError(Kind.NOT_SUPPORTED, "kernel leases")

    def set_locks(self, segments: Sequence[LockSegment]) -> bool:
        """Let those who use the storage without the gateway see ranges locked and unlocked, in order; the same for all
        handles on a file. Never waits. [Capability.KERNEL_LOCKS]

        False if one of them holds what conflicts; part of it may be done then. Raises BUSY if that cannot be told now.
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"{len(segments)} locks")

    def is_locked(self, wanted: LockSegment) -> bool:
        """Whether those who use the storage without the gateway have locked what conflicts. Never waits; the file must
        be open for I/O. [Capability.KERNEL_LOCKS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "locks that others see")

    def drop_locks(self) -> None:
        """Unlock all of that. [Capability.KERNEL_LOCKS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "locks")

    async def open_stream(self, name: str, access: IoAccess) -> "Handle":
        """A new I/O handle on a named stream of the file or directory; names compare as those of files do.

        It stays usable when this one is closed. Raises NOT_FOUND. [Capability.STREAMS]
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"stream {name}")

    async def create_stream(self, name: str, access: IoAccess) -> "Handle":
        """Create an empty stream and return an I/O handle on it. [Capability.STREAMS]

        Raises EXISTS, in which case nothing changes, and NAME_TOO_LONG.
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"stream {name}")

    async def list_streams(self) -> list[StreamEntry]:
        """The named streams, in no particular order. [Capability.STREAMS]"""
        raise VfsError(Kind.NOT_SUPPORTED, "named streams")

    async def remove_stream(self, name: str) -> None:
        """Remove a stream; handles on it become STALE. Raises NOT_FOUND. [Capability.STREAMS]"""
        raise VfsError(Kind.NOT_SUPPORTED, f"stream {name}")

    async def rename_stream(self, name: str, new_name: str, *, replace: bool) -> None:
        """Give a stream another name; handles on it stay on it. [Capability.STREAMS]

        With `replace`, in place of the stream that has the name. Raises NOT_FOUND, EXISTS, NAME_TOO_LONG.
        """
        raise VfsError(Kind.NOT_SUPPORTED, f"stream {name}")

    @abstractmethod
    def discard(self) -> None:
        """Give the handle up, without waiting until the storage has done so. Never raises; may be called twice.

        For a handle by which nothing was written that anybody relies on: that of a look-up, or of an open that came to
        nothing.
        """

    async def aclose(self) -> None:
        """Give the handle up. Never raises; may be called twice. Data written is not lost by it.

        Returns when the storage has done so, except in an inline pass.
        """
        self.discard()

    def close_at_hand(self) -> bool:
        """The same, where that needs no waiting; else false, and nothing is done."""
        return False
