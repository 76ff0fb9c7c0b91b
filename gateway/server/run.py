"""Running a server: listen, accept, serve, and come to a clean end."""

import logging
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from gateway.config import Config
from gateway.server.addresses import listening_hosts
from gateway.server.assemble import make_service
from gateway.server.errors import ServerError
from gateway.server.exports import start_shares
from gateway.smb.connection import SmbConnection
from gateway.smb.service import Service
from gateway.transport.tcp import ListenError, accept_loop, open_listeners

__all__ = ["Server", "running", "serve"]

log = logging.getLogger("gateway.conn")

_GRACE_SECONDS = 5.0


class Server:
    """A server that runs. `addresses` are what it listens on, as `host:port`."""

    def __init__(self, service: Service, listeners: list[socket.socket]) -> None:
        self.service = service
        self._listeners = listeners
        self._connections: set[SmbConnection] = set()
        self._per_address: Counter[str] = Counter()
        self.addresses = [_describe(listener) for listener in listeners]
        self.port: int = listeners[0].getsockname()[1]

    async def run(self) -> None:
        """Serve until cancelled; then close the listeners first and the connections after them."""
        try:
            async with trio.open_nursery() as connections:
                try:
                    async with trio.open_nursery() as accepting:
                        for listener in self._listeners:
                            accepting.start_soon(accept_loop, listener, self._accepted, connections)
                finally:
                    for listener in self._listeners:
                        listener.close()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _GRACE_SECONDS):
                for export in self.service.exports:
                    for share in export.store or ():
                        await share.aclose()

    async def _accepted(self, sock: socket.socket, address: tuple[str, int]) -> None:
        """Serve one connection, if there is room for it."""
        limits = self.service.limits
        host = address[0]
        if len(self._connections) >= limits.max_connections:
            log.warning("%s: refused: there are %d connections already", host, limits.max_connections)
            sock.close()
            return
        if self._per_address[host] >= limits.max_connections_per_address:
            log.warning("%s: refused: it has %d connections already", host, limits.max_connections_per_address)
            sock.close()
            return
        connection = SmbConnection(self.service, sock, host)
        self._connections.add(connection)
        self._per_address[host] += 1
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            self._per_address[host] -= 1
            if not self._per_address[host]:
                del self._per_address[host]


def _describe(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve(config: Config, *, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
    """Run a server until cancelled; reports the addresses it listens on. Raises `ServerError`."""
    async with running(config) as server:
        task_status.started(server.addresses)
        await trio.sleep_forever()


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Server]:
    """A server that runs for as long as the context is open. Raises `ServerError` if it cannot."""
    service = make_service(config, _descriptor_limit())
    await start_shares(list(service.exports))
    try:
        listeners = open_listeners(listening_hosts(config), config.tcp_port)
    except ListenError as error:
        raise ServerError(str(error)) from error
    server = Server(service, listeners)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        yield server
        nursery.cancel_scope.cancel()


def _descriptor_limit() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
