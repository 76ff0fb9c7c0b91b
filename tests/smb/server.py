"""A server in this process, without sockets that anybody could reach, for as long as a test runs."""

import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import trio

from acl.idmap import IdMap, machine_sid
from acl.token import Token, anonymous_token, guest_token, user_token
from gateway.auth.accounts import Account, AccountDatabase
from gateway.auth.ntlm_keys import nt_hash_from_password
from gateway.auth.policy import AuthPolicy, Identity
from gateway.nt.upcase import upcase
from gateway.protocol.dialect import NegotiatePolicy
from gateway.rpc.interface import ShareInfo, StaticServerInfo
from gateway.server.stores import FixedStore
from gateway.share.access import Descriptors
from gateway.share.memory_table import MemoryTable
from gateway.share.settings import ShareSettings
from gateway.share.share import Share
from gateway.smb.connection import SmbConnection
from gateway.smb.exports import IPC, Export, Exports
from gateway.smb.limits import Limits
from gateway.smb.service import Encryption, Service
from tests.rpc.client import KnownNames
from tests.smb.client import Client
from vfs_backends.api import FileSystem, StatChange
from vfs_backends.faults import Fault, FaultyFileSystem
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem

ACCOUNTS = AccountDatabase(
    [
        Account("alice", nt_hash_from_password("Secret-1")),
        Account("bob", nt_hash_from_password("Secret-2")),
        Account("carol", nt_hash_from_password("Secret-3")),
    ]
)
IDMAP = IdMap(machine_sid(bytes(range(12))))


def token_of(identity: Identity) -> Token:
    """Alice is who runs the tests, and owns the shares. Carol acts as the same user; Bob is somebody else."""
    uid = os.geteuid() + (identity.user == "bob")
    sid, gid = IDMAP.user_sid(uid), os.getegid()
    if identity.is_anonymous:
        return anonymous_token(uid=uid, gid=gid)
    if identity.is_guest:
        return guest_token(sid, uid=uid, gid=gid)
    return user_token(sid, [IDMAP.group_sid(gid)], uid=uid, gid=gid)


@dataclass
class Exported:
    """A share of a test, and what is behind it."""

    name: str = "files"
    path: Path | None = None
    """A directory; without one the share is in memory."""
    read_only: bool = False
    encrypt: bool = False
    guest_ok: bool = False
    max_connections: int = 0
    faults: list[Fault] = field(default_factory=list)
    """What goes wrong in it; may be added to at any time."""
    settings: ShareSettings = field(default_factory=ShareSettings)
    memory: MemoryFileSystem | None = None
    below: FileSystem | None = None
    share: Share | None = None
    table: MemoryTable = field(default_factory=MemoryTable)

    def make(self) -> Export:
        fs: FileSystem
        if self.path is None:
            fs = self.memory = MemoryFileSystem(fold=upcase, capacity=64 << 20)
        else:
            fs = PosixFileSystem(self.path, fold=upcase)
        self.below = FaultyFileSystem(fs, ())
        self.below.faults = self.faults
        self.share = Share(self.name, self.below, self.table, Descriptors(IDMAP), self.settings)
        return Export(
            self.name,
            "",
            FixedStore(self.share),
            guest_ok=self.guest_ok,
            encrypt=self.encrypt,
            max_connections=self.max_connections,
            may_write=lambda visitor: not self.read_only,
        )

    async def start(self) -> None:
        assert self.share is not None
        await self.share.start()
        if self.memory is not None:
            await self.share.root.set_stat(StatChange(uid=os.geteuid(), gid=os.getegid()))

    def left_open(self) -> list[str]:
        """What should be closed by now."""
        assert self.share is not None
        left = [f"open of {one.path!r}" for one in self.share.opens.values()]
        left += [f"record of {key}" for key in self.table.keys()]  # noqa: SIM118 - a table is no dict
        left += [f"waiter {one}" for one in self.share.lock_waiters._waiting]
        if self.memory is not None:
            nodes = self.memory._nodes.values()
            left += [f"handle on inode {node.inode}" for node in nodes if node.opens > (node.path == "")]
        return left


class Server:
    """Connections of one `Service`, each over a pair of sockets."""

    def __init__(
        self,
        nursery: trio.Nursery,
        exported: Iterable[Exported],
        *,
        signing_required: bool = True,
        min_dialect: int = 0x0210,
        max_dialect: int = 0x0311,
        encryption: Encryption | None = None,
        auth: AuthPolicy | None = None,
        limits: Limits | None = None,
        **policy,
    ) -> None:
        self.nursery = nursery
        self.exported = {one.name: one for one in exported}
        exports = Exports([Export(IPC, "", None, browseable=False), *(one.make() for one in self.exported.values())])
        self.service = Service(
            negotiate_policy=NegotiatePolicy(
                min_dialect=min_dialect, max_dialect=max_dialect, signing_required=signing_required, **policy
            ),
            auth_policy=auth or AuthPolicy("FILES"),
            lookup=ACCOUNTS.lookup,
            token_of=token_of,
            exports=exports,
            rpc_info=StaticServerInfo(
                "FILES", lambda _: [ShareInfo(one) for one in self.exported], lambda: 0.0, KnownNames()
            ),
            limits=limits or Limits(),
            encryption=encryption or Encryption(),
            now=self.now,
        )
        self.time = 1_800_000_000_000_000_000
        """Its clock, in ns since 1970."""
        self.connections: list[SmbConnection] = []
        self.running = 0
        self.clients: list[Client] = []
        self.idle = trio.Event()
        self.ended = trio.Event()
        """A connection has come to its end."""

    def now(self) -> int:
        return self.time

    async def start(self) -> None:
        for one in self.exported.values():
            await one.start()

    @property
    def files(self) -> Exported:
        return self.exported["files"]

    @property
    def fs(self) -> FileSystem:
        """The storage of the first share, faults included."""
        share = next(iter(self.exported.values())).share
        assert share is not None
        return share.fs

    # --- clients

    async def connect(self, buffers: int = 0) -> Client:
        """A new connection, on which nothing has been said yet; `buffers` limits what sockets hold, in bytes."""
        ours, theirs = socket.socketpair()
        if buffers:
            for one in (ours, theirs):
                one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffers)
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffers)
        theirs.setblocking(False)
        connection = SmbConnection(self.service, theirs, f"192.0.2.{len(self.connections) + 1}")
        self.connections.append(connection)
        self.running += 1
        self.nursery.start_soon(self._run, connection)
        ours.setblocking(False)
        client = Client(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
        self.clients.append(client)
        return client

    async def _run(self, connection: SmbConnection) -> None:
        try:
            await connection.run()
        finally:
            self.running -= 1
            self.ended.set()
            self.ended = trio.Event()
            if not self.running:
                self.idle.set()
                self.idle = trio.Event()

    async def negotiated(self, *args, **kwargs) -> Client:
        client = await self.connect()
        await client.negotiate(*args, **kwargs)
        return client

    async def logged_on(self, user: str = "alice", *, dialects=(0x0210, 0x0300, 0x0302, 0x0311), **options) -> Client:
        client = await self.connect()
        client.signs = options.pop("signs", True)
        await client.negotiate(dialects, **options)
        await client.log_on(user, {"alice": "Secret-1", "bob": "Secret-2", "carol": "Secret-3"}[user])
        return client

    async def with_tree(self, share: str = "files", **options) -> tuple[Client, int]:
        client = await self.logged_on(**options)
        return client, await client.connect(share)

    # --- the end

    async def lose(self, client: Client) -> None:
        """Cut a client's connection, and wait until that has come to its end."""
        running = self.running
        client.close()
        with trio.fail_after(20):
            while self.running >= running:
                await self.ended.wait()

    async def hang_up(self) -> None:
        """Close all clients and wait until their connections have come to an end."""
        for client in self.clients:
            client.close()
        with trio.fail_after(20):
            while self.running:
                await self.idle.wait()

    async def give_up(self) -> None:
        """Close what waits for clients to come back."""
        for one in self.exported.values():
            assert one.share is not None
            disconnected = one.share.disconnected
            for absent in disconnected:
                disconnected.give_up(absent)
                with trio.fail_after(20):
                    await absent.gone.wait()
            assert not disconnected._of_user

    async def stop(self) -> None:
        """Hang up, and see that nothing is left: no session, open, record, lock, memory or descriptor."""
        await self.hang_up()
        await self.give_up()
        left = [f"session {one.session_id:#x}" for one in self.service.sessions]
        for one in self.exported.values():
            left += one.left_open()
        if self.service.opens:
            left.append(f"{self.service.opens} opens are counted")
        left += [f"{one.connections} trees on {one.name}" for one in self.service.exports if one.connections]
        left += [f"an open for instance {one!r}" for one in self.service.instances._opens]
        left += [f"CREATE {one!r}" for one in self.service.replays._opens]
        if self.service.budget.used:
            left.append(f"{self.service.budget.used} bytes of the memory budget")
        for one in self.exported.values():
            assert one.share is not None
            await one.share.aclose()
        assert not left, left
