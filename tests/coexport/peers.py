"""SMB clients, and local programs that use the share's directory itself."""

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from gateway.wire.change_notify import ChangeNotifyRequest, ChangeNotifyResponse
from gateway.wire.header import Opcode
from tests.fuse.peers import Smb
from tests.interop.servers import Server
from tests.smb.client import Call, Client, File

ADDED, REMOVED, MODIFIED, OLD_NAME, NEW_NAME = 1, 2, 3, 4, 5
"""FILE_ACTION_*, [MS-FSCC] 2.7.1."""
ENUM_DIR = [(0, "")]
PATIENCE = 20.0


@asynccontextmanager
async def smb(server: Server, share: str = "share", *, patience: float = 60.0) -> AsyncIterator[Smb]:
    """A client that has logged on."""
    with trio.fail_after(patience):
        client = Client(await trio.open_tcp_stream("127.0.0.1", server.port))
        try:
            await client.negotiate()
            await client.log_on(server.user, server.password)
            yield Smb(client, await client.connect(share))
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

    async def told(self) -> list[tuple[int, str]]:
        """What the answer says; `ENUM_DIR` if that it was too much. Asks again."""
        assert self._message_id is not None
        with trio.fail_after(PATIENCE):
            response = await self._smb.client.final(self._message_id)
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
