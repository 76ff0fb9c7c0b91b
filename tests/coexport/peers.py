"""SMB clients, and local programs that use the share's directory itself."""

import secrets
import signal
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from gateway.nt.constants import FILE_OPEN
from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.create import SMB2_OPLOCK_LEVEL_LEASE
from gateway.wire.create_contexts import SMB2_CREATE_REQUEST_LEASE
from gateway.wire.header import Opcode
from gateway.wire.lease_contexts import LeaseV2, parse_lease
from gateway.wire.oplock_break import LeaseBreakNotification, OplockBreakNotification, parse_notification
from tests.fuse.peers import Smb, program
from tests.interop.servers import Server
from tests.smb.client import ANY, Call, Client, File, Response

ADDED, REMOVED, MODIFIED, OLD_NAME, NEW_NAME = 1, 2, 3, 4, 5
"""FILE_ACTION_*, [MS-FSCC] 2.7.1."""
ENUM_DIR = [(0, "")]
PATIENCE = 20.0


class LeasingSmb(Smb):
    """A client that keeps what it is let."""

    async def lease_with(
        self, path: str, state: int, access: int, *, key: bytes = b"", share: int = 7
    ) -> tuple[File, bytes, int]:
        """An open of a file that exists, with a lease: it, the lease's key, and what was granted."""
        key = key or secrets.token_bytes(16)
        context = LeaseV2(lease_key=key, lease_state=state).to_bytes()
        call = self.client.create_call(
            self.tree,
            path.replace("/", "\\"),
            access=access,
            share=share,
            disposition=FILE_OPEN,
            contexts=[(SMB2_CREATE_REQUEST_LEASE, context)],
        )
        call.body.requested_oplock_level = SMB2_OPLOCK_LEVEL_LEASE
        (response,) = await self.client.ask(call)
        file = self.client.opened(self.tree, response)
        granted = [one.data for one in file.response.contexts if one.name == SMB2_CREATE_REQUEST_LEASE]
        return file, key, parse_lease(granted[0]).lease_state if granted else 0

    async def oplock_told(self) -> int:
        """The level that the next break of an oplock leaves."""
        notification = parse_notification((await self.client.next(ANY)).message)
        assert isinstance(notification, OplockBreakNotification)
        return notification.oplock_level

    async def rename(self, file: File, target: str) -> None:
        name = target.encode("utf-16-le")
        data = struct.pack("<B7xQI", 0, 0, len(name)) + name
        (response,) = await self.client.ask(self.client.set_info_call(file, 10, data))
        assert response.status == 0


@asynccontextmanager
async def smb(server: Server, share: str = "share", *, patience: float = 60.0) -> AsyncIterator[LeasingSmb]:
    """A client that has logged on."""
    with trio.fail_after(patience):
        client = Client(await trio.open_tcp_stream("127.0.0.1", server.port))
        try:
            await client.negotiate(guid=secrets.token_bytes(16))
            await client.log_on(server.user, server.password)
            yield LeasingSmb(client, await client.connect(share))
        finally:
            client.close()


class Watch:
    """A directory that a client watches."""

    def __init__(self, one: Smb, directory: File, *, recursive: bool, what: int) -> None:
        self._smb = one
        self._directory = directory
        self._recursive = recursive
        self._what = what
        self._message_id: int | None = None

    async def ask(self) -> None:
        """Send a CHANGE_NOTIFY, and see that it waits."""
        request = ChangeNotifyRequest(32, int(self._recursive), 65536, *self._directory.file_id, self._what)
        call = Call(Opcode.CHANGE_NOTIFY, request, self._directory.tree)
        (self._message_id,) = await self._smb.client.send(call)
        # The server has begun to watch by the time that it answers something else.
        await self._smb.client.ask(self._smb.client.query_info_call(self._directory, 4))

    async def _answer(self) -> Response:
        assert self._message_id is not None
        with trio.fail_after(PATIENCE):
            return await self._smb.client.final(self._message_id)

    async def status(self) -> int:
        """What the request ends with."""
        return (await self._answer()).status

    async def told(self) -> list[tuple[int, str]]:
        """What the answer says; `ENUM_DIR` if that it was too much. Asks again."""
        response = await self._answer()
        output = bytes(response.parse(ChangeNotifyResponse).output)
        await self.ask()
        return _changes(output) if output else ENUM_DIR

    async def until(self, last: tuple[int, str]) -> list[tuple[int, str]]:
        """What is told up to a certain change."""
        found: list[tuple[int, str]] = []
        while last not in found:
            found += await self.told()
        return found


def _changes(output: bytes) -> list[tuple[int, str]]:
    found, offset = [], 0
    while True:
        following, action, length = struct.unpack_from("<III", output, offset)
        name = output[offset + 12 : offset + 12 + length].decode("utf-16-le")
        found.append((action, name))
        if not following:
            return found
        offset += following


async def watch(one: Smb, path: str = "", *, recursive: bool = False, what: int = 0xFFF) -> Watch:
    directory = await one.client.open_directory(one.tree, path)
    watching = Watch(one, directory, recursive=recursive, what=what)
    await watching.ask()
    return watching


class Waiting:
    """A program's call that waits for a client."""

    def __init__(self, nursery: trio.Nursery, call, *arguments) -> None:
        self.done = trio.Event()
        self.result: object = None
        self.seconds = 0.0
        nursery.start_soon(self._run, call, *arguments)

    async def _run(self, call, *arguments):
        begin = time.monotonic()
        try:
            self.result = await program(call, *arguments)
        except OSError as error:
            self.result = error
        self.seconds = time.monotonic() - begin
        self.done.set()

    async def still(self) -> bool:
        """Whether it waits, as far as one can tell."""
        with trio.move_on_after(0.3):
            await self.done.wait()
        return not self.done.is_set()


async def told(client: LeasingSmb) -> LeaseBreakNotification:
    with trio.fail_after(20):
        return await client.told()


async def killed_while_a_program_waits(server: Server, client: LeasingSmb, waits) -> object:
    """Kill a server whose client is asked to give something up, in the middle of it; what the program's call returns,
    which must go on."""
    async with trio.open_nursery() as nursery:
        waiting = Waiting(nursery, waits)
        await told(client)
        assert await waiting.still()
        server.good_codes = frozenset({-signal.SIGKILL})
        await program(server.stop, signal.SIGKILL)
        with trio.fail_after(5):
            await waiting.done.wait()
    return waiting.result
