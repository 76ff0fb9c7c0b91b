"""A descriptor, and the calls on it: in this thread or in another, and when it may be closed."""

from collections.abc import Callable
from typing import TypeVar

from vfs_backends.api import Caller, Handle, IoAccess, NodeId
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.attributes import DosAttributes
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.syscalls import StatxFields, proc_path
from vfs_backends.posix.volume import Volume

__all__ = ["DescriptorHandle"]

T = TypeVar("T")


class DescriptorHandle(Handle):
    """What is asked in this thread and what in another is decided by `Volume` and `Threads`."""

    def __init__(
        self,
        volume: Volume,
        fd: int,
        node_id: NodeId,
        mode: int,
        path: str,
        *,
        access: IoAccess | None = None,
        told: StatxFields | None = None,
    ) -> None:
        """`told`: what statx(2) has just told."""
        self.node_id = node_id
        self.mode = mode
        self.path = path
        self.fd = fd
        """-1 once closed."""
        self._access = access
        self.volume = volume
        self._told = told
        self._listed: bytes | int | None = None
        """What `Volume.list_xattrs` has told, for as long as what `stat_found` told is what there is."""
        self._is_new = False
        """Whether it was made by this handle, and `stat_found` has not told of it yet."""
        self._attributes: DosAttributes | None = None
        """What has been set of a new file."""
        self._allowed: IoAccess | None = None
        self._allowed_to: Caller | None = None
        # Calls under way in threads, and descriptors that cannot be closed before they have ended:
        # their numbers would be given to other files.
        self._pins = 0
        self._retired: tuple[int, ...] = ()

    def made(self, fields: StatxFields) -> None:
        """Take note of what statx(2) has told since the file was made: clients have not set anything of it yet."""
        self._told, self._is_new = fields, True

    def pin(self) -> None:
        """Keep the descriptor's number from being used for another file until `unpin`."""
        self._pins += 1

    @property
    def is_pinned(self) -> bool:
        return self._pins > 0

    def unpin(self) -> None:
        self._pins -= 1
        if self._pins == 0 and self._retired:
            retired, self._retired = self._retired, ()
            for fd in retired:
                self.volume.threads.close_soon(fd)

    async def in_thread(self, call: Callable[..., T], *args: object) -> T:
        """Make a call on the descriptor in a thread."""
        self._pins += 1
        try:
            return await self.volume.threads.run(call, *args)
        finally:
            self.unpin()

    async def ask(self, call: Callable[..., T], *args: object) -> T:
        """Make a call that answers from memory unless the storage is slow; OSError becomes VfsError."""
        try:
            if self.volume.threads.always:
                return await self.in_thread(call, *args)
            return call(*args)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        except OverflowError as error:
            raise VfsError(Kind.TOO_LARGE, self.path) from error

    async def ask_in_thread(self, call: Callable[..., T], *args: object) -> T:
        """Make a call that takes long; OSError becomes VfsError."""
        try:
            return await self.in_thread(call, *args)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        except OverflowError as error:
            raise VfsError(Kind.TOO_LARGE, self.path) from error

    async def change(self, call: Callable[..., T], *args: object) -> T:
        """Make a call that changes the file's attributes; OSError becomes VfsError."""
        self._pins += 1
        self._told = self._listed = None
        try:
            return await self.volume.threads.change(call, *args)
        except OSError as error:
            raise vfs_error(error, self.path) from error
        except OverflowError as error:
            raise VfsError(Kind.TOO_LARGE, self.path) from error
        finally:
            self.unpin()

    @property
    def _target(self) -> int | bytes:
        """What the calls take that do not work on an O_PATH descriptor."""
        return self.fd if self._access is not None else proc_path(self.fd)

    def _retire(self, fd: int) -> None:
        """Close a descriptor that is not the handle's any more, as soon as no thread is at work on it."""
        if self._pins:
            self._retired += (fd,)
        else:
            self.volume.threads.close_soon(fd)

    def discard(self) -> None:
        if self.fd >= 0:
            self._retire(self._release())

    async def aclose(self) -> None:
        if not self.close_at_hand() and self.fd >= 0:
            await self.volume.threads.close(self._release())

    def close_at_hand(self) -> bool:
        if self.volume.threads.always and not self._pins:
            return False
        self.discard()
        return True

    def _release(self) -> int:
        """The descriptor, which from now on is not the handle's any more."""
        fd, self.fd = self.fd, -1
        return fd
