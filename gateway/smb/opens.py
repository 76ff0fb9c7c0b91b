"""What a client has open, under the id by which it names it. [MS-SMB2] 3.3.1.10."""

from abc import ABC, abstractmethod
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import trio

from acl.token import Token
from gateway.rpc.pipe import Pipe
from gateway.share.durable import Terms
from gateway.share.notify import Watch
from gateway.share.opens import Open
from gateway.smb.channel_sequence import Generation
from gateway.smb.instances import Instance
from gateway.smb.lock_sequences import LockSequences
from gateway.smb.replays import ReplayKey
from vfs_backends.native import mypyc_attr

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection
    from gateway.smb.pending import Pending
    from gateway.smb.search import Search
    from gateway.smb.tree import Tree

__all__ = ["FileOpen", "KeptOpen", "PipeOpen", "SmbOpen"]


_NOBODY: Final = Generation()
"""Of the opens that no request in a task has used yet: most of them."""


class SmbOpen(ABC):
    """An entry of a session's table of opens."""

    granted_access: int

    def __init__(self, persistent_file_id: int, volatile_file_id: int, tree: "Tree", token: Token) -> None:
        self.persistent_file_id = persistent_file_id
        self.volatile_file_id = volatile_file_id
        self.file_id = (persistent_file_id, volatile_file_id)
        self.tree = tree
        self.token = token
        self.origin: SmbConnection | None = None
        """The connection that it came by."""
        self.replay_key: ReplayKey | None = None
        """Set until the client shows that it knows the open."""
        self.channel_sequence = 0
        """The latest with which a request came (3.x)."""
        self.generation = _NOBODY
        """The requests in tasks, by their sequence."""
        self.waiters: dict[Pending, int] = {}
        """Requests that wait for something to happen to it, and what closing it answers them with."""
        self._closing = False
        self._users = 0
        self._last_left: trio.Event | None = None

    @property
    def busy(self) -> bool:
        """Whether requests in tasks use it."""
        return self._users > 0

    def used(self) -> None:
        """The client has named it: the answer to its CREATE has come."""

    def act_as(self, token: Token) -> None:
        """What is done with it from now on is done by somebody else; the access that was granted stays."""
        self.token = token

    def enter(self) -> Generation:
        """A request in a task begins to use it; what `leave` takes."""
        self._users += 1
        generation = self.generation
        if generation is _NOBODY:
            generation = self.generation = Generation()
        generation.users += 1
        return generation

    def leave(self, generation: Generation) -> None:
        """The request is done with it."""
        generation.users -= 1
        self._users -= 1
        if self._users == 0 and self._last_left is not None:
            self._last_left.set()

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """While a request in a task uses it."""
        generation = self.enter()
        try:
            yield
        finally:
            self.leave(generation)

    @contextmanager
    def waiting(self, pending: "Pending", status: int) -> Iterator[None]:
        """While a request waits for something that may never happen to it: closing ends the request, with `status`."""
        self.waiters[pending] = status
        if self._closing:
            pending.cancel(status)
        try:
            yield
        finally:
            del self.waiters[pending]

    async def close(self) -> None:
        """Take it from its session, let the requests on it come to their end, and close what is behind it.

        A request that closes what it uses itself leaves first.
        """
        self.withdraw()
        await self.drained()
        await self.release()

    def withdraw(self) -> None:
        """The beginning of `close`: no request can come on it any more, and what waits on it is answered. Once only."""
        session = self.tree.session
        if session.opens.pop(self.volatile_file_id, None) is not None:
            session.service.opens -= 1
        if self.replay_key is not None:
            self.used()
        self.tree.opens.discard(self)
        self._closing = True
        if self.waiters:
            for waiter, status in list(self.waiters.items()):
                waiter.cancel(status)

    async def drained(self) -> None:
        """Wait, after `withdraw`, until no request is on it."""
        if self._users:
            self._last_left = trio.Event()
            await self._last_left.wait()

    def leaves(self) -> None:
        """Its session is at its end: no notification reaches its client by it any more, and soon it is disconnected."""

    async def disconnect(self) -> None:
        """End it as its session does: nobody has closed it, so it may wait for its client to come back."""
        await self.close()

    @abstractmethod
    async def release(self) -> None:
        """Close what is behind it."""


class KeptOpen:
    """What is kept of an open until its client is back. [MS-SMB2] 3.3.5.9.7, 3.3.5.9.12."""

    __slots__ = ("_service", "instance", "lock_sequences", "replay_key")

    def __init__(self, one: "FileOpen") -> None:
        self._service = one.tree.session.service
        self.instance = one.instance
        self.lock_sequences = one.lock_sequences
        self.replay_key = one.replay_key
        """Set if its client may not even know of it."""
        self._service.opens += 1

    def ended(self) -> None:
        """It is not kept any more."""
        self._service.opens -= 1


@mypyc_attr(free_list_len=1)
class FileOpen(SmbOpen):
    """A file or directory."""

    def __init__(self, one: Open, volatile_file_id: int, tree: "Tree") -> None:
        super().__init__(one.open_id, volatile_file_id, tree, one.token)
        self.file = one
        self.granted_access = one.granted_access
        self.search: Search | None = None
        """The enumeration of a directory that goes on."""
        self.watch: Watch | None = None
        """What happens in a directory, from the first CHANGE_NOTIFY on."""
        self.lock_sequences: LockSequences | None = None
        """From the first LOCK request on that has a number."""
        self.ea_position = 0
        """Extended attributes that a query has told already."""
        self.instance: Instance | None = None
        self.durable: Terms | None = None
        """Set if it is to outlive its connection."""

    def act_as(self, token: Token) -> None:
        super().act_as(token)
        self.file.token = token

    def used(self) -> None:
        self.tree.session.service.replays.used(self)

    def leaves(self) -> None:
        disconnected = self.file.share.disconnected
        if self.durable is not None and disconnected.may_keep(self.file, self.durable):
            disconnected.leaves(self.file, self.durable, KeptOpen(self))

    async def disconnect(self) -> None:
        self.withdraw()
        await self.drained()
        self._leave_instance()
        if self.durable is None or not await self.file.share.disconnected.has_left(self.file):
            await self.release()

    def _leave_instance(self) -> None:
        if self.instance is not None:
            self.tree.session.service.instances.withdrawn(self, self.instance)
            self.instance = None

    def release(self) -> Coroutine[Any, Any, None]:
        self._leave_instance()
        if self.search is not None:
            self.search.discard()
        if self.watch is not None:
            self.file.share.watches.remove(self.watch)
        return self.file.share.close(self.file)


class PipeOpen(SmbOpen):
    """A named pipe of IPC$."""

    def __init__(
        self, pipe: Pipe, file_id: int, volatile_file_id: int, tree: "Tree", token: Token, granted_access: int
    ) -> None:
        super().__init__(file_id, volatile_file_id, tree, token)
        self.pipe = pipe
        self.granted_access = granted_access

    async def release(self) -> None:
        """Nothing is behind it but the object itself."""
