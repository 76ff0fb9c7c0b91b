"""SMB clients and programs, at the same time."""

import os
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trio

from gateway.wire.create import SMB2_OPLOCK_LEVEL_LEASE, CreateRequest, CreateResponse
from gateway.wire.create_contexts import SMB2_CREATE_REQUEST_LEASE
from gateway.wire.header import Opcode
from gateway.wire.lease_contexts import LeaseV2, parse_lease
from gateway.wire.oplock_break import LeaseBreakAcknowledgment, LeaseBreakNotification, parse_notification
from tests.fuse.mounts import Mount
from tests.smb.client import ANY, Client, File

T = TypeVar("T")

R, H, W = 1, 2, 4
READ, WRITE, DELETE, READ_ATTRIBUTES = 0x1, 0x2, 0x10000, 0x80
USUAL = READ | WRITE | DELETE | READ_ATTRIBUTES
"""What a file's mode gives its owner. All there is would include the right to run it."""


@dataclass
class Smb:
    """An SMB client in the share `share`."""

    client: Client
    tree: int

    async def open(self, path: str, **options) -> File:
        return await self.client.create(self.tree, path.replace("/", "\\"), **{"access": USUAL, **options})

    async def status(self, path: str, **options) -> int:
        return await self.client.create_status(self.tree, path.replace("/", "\\"), **{"access": USUAL, **options})

    async def lease(self, path: str, state: int, **options) -> tuple[File, bytes, int]:
        """An open with a lease: it, the lease's key, and what was granted."""
        key = secrets.token_bytes(16)
        lease = LeaseV2(lease_key=key, lease_state=state).to_bytes()
        call = self.client.create_call(
            self.tree, path.replace("/", "\\"), contexts=[(SMB2_CREATE_REQUEST_LEASE, lease)], **options
        )
        request: CreateRequest = call.body
        request.requested_oplock_level = SMB2_OPLOCK_LEVEL_LEASE
        (response,) = await self.client.ask(call)
        file = self.client.opened(self.tree, response)
        granted = 0
        answer: CreateResponse = file.response
        for context in answer.contexts:
            if context.name == SMB2_CREATE_REQUEST_LEASE:
                granted = parse_lease(context.data).lease_state
        return file, key, granted

    async def told(self) -> LeaseBreakNotification:
        """The next break of a lease."""
        notification = parse_notification((await self.client.next(ANY)).message)
        assert isinstance(notification, LeaseBreakNotification)
        return notification

    async def acknowledge(self, told: LeaseBreakNotification) -> None:
        request = LeaseBreakAcknowledgment(lease_key=told.lease_key, lease_state=told.new_lease_state)
        await self.client.well(Opcode.OPLOCK_BREAK, request, self.tree)

    async def close(self, file: File) -> None:
        await self.client.close_file(file)


@asynccontextmanager
async def smb(mount: Mount, share: str = "share") -> AsyncIterator[Smb]:
    """A client that has logged on."""
    server = mount.server
    stream = await trio.open_tcp_stream("127.0.0.1", server.port)
    client = Client(stream)
    try:
        await client.negotiate()
        await client.log_on(server.user, server.password)
        yield Smb(client, await client.connect(share))
    finally:
        client.close()


async def program(call: Callable[..., T], *arguments: object) -> T:
    """A system call, as a local program makes it; while it waits, clients go on."""
    return await trio.to_thread.run_sync(call, *arguments, abandon_on_cancel=True)


def opened_and_closed(path: Path, flags: int) -> None:
    os.close(os.open(path, flags))


async def until(condition: Callable[[], Awaitable[object]], seconds: float = 5) -> None:
    """Wait for something that does not tell when it has happened."""
    with trio.fail_after(seconds):
        while not await condition():  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.01)


def reader_of(path: Path) -> subprocess.Popen[bytes]:
    """A program that opens and reads a file."""
    code = "import sys; open(sys.argv[1]).read()"
    return subprocess.Popen([sys.executable, "-c", code, path], stderr=subprocess.PIPE)
