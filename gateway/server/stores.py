"""The tree of files behind a share: one for all clients, or one for each path that `%U` and its like lead to."""

from collections.abc import Callable, Iterator

import trio

from gateway.config.macros import Client, expand_for
from gateway.config.share_parameters import ShareConfig
from gateway.nt.status import STATUS_BAD_NETWORK_NAME, StatusError
from gateway.server.errors import ServerError
from gateway.share.share import Share
from gateway.smb.exports import Visitor
from vfs_backends.errors import VfsError

__all__ = ["FixedStore", "StorePerPath", "client_of"]

MakeShare = Callable[[str], Share]
"""From the path of a directory."""


class FixedStore:
    """The same tree for all."""

    def __init__(self, share: Share) -> None:
        self._share = share

    async def start(self) -> None:
        """Get the storage ready. Raises `ServerError`."""
        try:
            await self._share.start()
        except VfsError as error:
            raise ServerError(f"share {self._share.name}: {error}") from error

    async def open(self, visitor: Visitor) -> Share:
        """The tree that a visitor sees."""
        return self._share

    def __iter__(self) -> Iterator[Share]:
        yield self._share


class StorePerPath:
    """A tree for each path; it is made when somebody first comes to it."""

    def __init__(self, config: ShareConfig, make: MakeShare) -> None:
        self._config = config
        self._make = make
        self._shares: dict[str, Share] = {}
        self._lock = trio.Lock()

    async def start(self) -> None:
        """Nothing can be made ready before it is known for whom."""

    async def open(self, visitor: Visitor) -> Share:
        """The tree that a visitor sees. Raises BAD_NETWORK_NAME if there is none for them."""
        try:
            path = expand_for(self._config.path, client_of(visitor), path=True)
        except ValueError as error:
            raise StatusError(STATUS_BAD_NETWORK_NAME) from error
        async with self._lock:
            share = self._shares.get(path)
            if share is None:
                share = self._make(path)
                try:
                    await share.start()
                except VfsError as error:
                    raise StatusError(STATUS_BAD_NETWORK_NAME) from error
                self._shares[path] = share
            return share

    def __iter__(self) -> Iterator[Share]:
        yield from list(self._shares.values())


def client_of(visitor: Visitor) -> Client:
    """What the macros of the configuration stand for."""
    identity = visitor.identity
    return Client(
        user=identity.user,
        account=identity.user,
        group=visitor.group,
        domain=identity.domain,
        machine=identity.workstation,
        address=visitor.address,
        server_address=visitor.server_address,
        dialect=visitor.dialect,
    )
