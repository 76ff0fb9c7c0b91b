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
from gateway.server.allocator import keep_freed_memory, spare_what_stays
from gateway.server.assemble import make_identities, make_service
from gateway.server.audit import audit_log
from gateway.server.errors import ServerError
from gateway.server.exports import start_shares, stop_shares
from gateway.server.identities import Identities
from gateway.smb.connection import SmbConnection
from gateway.smb.service import Service
from gateway.transport.tcp import ListenError, accept_loop, open_listeners

__all__ = ["Server", "mount_only", "running", "serve"]

log = logging.getLogger("gateway.conn")

_GRACE_SECONDS = 5.0


class Server:
    """A server that runs. `addresses` are what it listens on, as `host:port`."""

    def __init__(
        self, config: Config, identities: Identities, service: Service, listeners: list[socket.socket]
    ) -> None:
        self._config = config
        self._identities = identities
        self.service = service
        self._listeners = listeners
        self._connections: set[SmbConnection] = set()
        self._per_address: Counter[str] = Counter()
        self.addresses = [_describe(listener) for listener in listeners]
        self.port: int = listeners[0].getsockname()[1] if listeners else 0
        """0 without SMB."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; then close the listeners first and the connections after them.

        Raises `ServerError`. Without listeners it ends by itself when what it has mounted is unmounted.
        """
        try:
            async with trio.open_nursery() as connections:
                if self._config.fuse_mount:
                    await connections.start(_mount, self._config, self.service, self._identities)
                task_status.started()
                try:
                    async with trio.open_nursery() as accepting:
                        if self._listeners:
                            accepting.start_soon(self.service.write_times.run)
                        for listener in self._listeners:
                            accepting.start_soon(accept_loop, listener, self._accepted, connections)
                finally:
                    for listener in self._listeners:
                        listener.close()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + _GRACE_SECONDS):
                await stop_shares(list(self.service.exports))

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
        except Exception:
            # The barrier for defects outside of requests: they cost the connection in which they show, and no other.
            log.exception("%s: connection failed", host)
        finally:
            self._connections.discard(connection)
            self._per_address[host] -= 1
            if not self._per_address[host]:
                del self._per_address[host]


def _describe(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def _mount(
    config: Config, service: Service, identities: Identities, *, task_status: trio.TaskStatus[None]
) -> None:
    try:
        from gateway.server.mounts import serve_mount  # noqa: PLC0415 - only who mounts needs pyfuse3
    except ImportError as error:
        raise ServerError(f"`fuse mount` needs pyfuse3 (pip install 'smbgate[fuse]'): {error}") from error
    await serve_mount(config, service.exports, identities, service.hub, task_status=task_status)


async def serve(config: Config, *, task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED) -> None:
    """Run a server until cancelled; reports the addresses it listens on. Raises `ServerError`.

    It takes the event loop for its own (see `gateway.transport.hub`): other tasks may run, but the loop is never idle,
    as `trio.testing.wait_all_tasks_blocked` and a clock that jumps would have it. `running` leaves the loop as it is.
    """
    async with running(config) as server, trio.open_nursery() as nursery:
        await nursery.start(server.service.hub.run)
        spare_what_stays()
        task_status.started(server.addresses)
        await trio.sleep_forever()


async def mount_only(config: Config, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
    """Serve the shares on `fuse mount` alone, until cancelled or unmounted. Raises `ServerError`."""
    keep_freed_memory()
    identities = make_identities(config)
    service = make_service(config, identities, _descriptor_limit())
    await start_shares(list(service.exports))
    async with trio.open_nursery() as nursery:
        await nursery.start(service.hub.run)
        spare_what_stays()
        await Server(config, identities, service, []).run(task_status=task_status)
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Server]:
    """A server that runs for as long as the context is open. Raises `ServerError` if it cannot."""
    with audit_log(config.audit_log):
        server = await _listening(config)
        problem: Exception | None = None
        async with trio.open_nursery() as nursery:
            try:
                await nursery.start(server.run)
                yield server
            except Exception as error:
                # Whatever it is, it is raised again below: out of the nursery it would come wrapped.
                problem = error
            nursery.cancel_scope.cancel()
        if problem is not None:
            raise problem


async def _listening(config: Config) -> Server:
    """A server that listens, and does not serve yet. Raises `ServerError`."""
    keep_freed_memory()
    identities = make_identities(config)
    service = make_service(config, identities, _descriptor_limit())
    await start_shares(list(service.exports))
    try:
        listeners = open_listeners(listening_hosts(config), config.tcp_port)
    except (ListenError, ServerError) as error:
        await stop_shares(list(service.exports))
        raise ServerError(str(error)) from error
    return Server(config, identities, service, listeners)


def _descriptor_limit() -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft == resource.RLIM_INFINITY else soft
