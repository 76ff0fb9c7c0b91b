"""How the reader of a connection takes what arrives, and how often it looks for more."""

import os
import socket

import pytest
import trio

from gateway.smb.connection import SmbConnection
from gateway.transport.lookout import Lookout
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from tests.smb.client import Call, Client

RECEIVES = 8
"""How often a connection receives in one turn at most."""


class Observed:
    """The socket of a connection whose peer asks for an ECHO, and for more as soon as it is answered if `prompt`."""

    def __init__(self, connection: SmbConnection, client: Client) -> None:
        self.prompt = False
        self.receives = 0
        self.calls: list[Call] = []
        self._sock = connection._sock
        self._client = client
        self._peer = socket.socket(fileno=os.dup(client.stream.socket.fileno()))

    def ask(self) -> None:
        call = Call(Opcode.ECHO, EchoRequest(), credits=2)
        frame = self._client.frame(call)
        self.calls.append(call)
        self._peer.send(len(frame).to_bytes(4, "big") + frame)

    async def read_answers(self) -> int:
        """All that have been sent; how many they are."""
        answered = [await self._client.answer(call) for call in self.calls]
        self.calls.clear()
        return len(answered)

    def recv_into(self, room: memoryview) -> int:
        self.receives += 1
        return self._sock.recv_into(room)

    def send(self, data: bytes) -> int:
        count = self._sock.send(data)
        if self.prompt:
            self.ask()
        return count

    def close_peer(self) -> None:
        self._peer.close()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


@pytest.fixture
async def turning(server, monkeypatch):
    """A connection whose reader waits, as if nothing had been looked for yet, and its socket."""
    client = await server.logged_on()
    await trio.testing.wait_all_tasks_blocked()
    connection = server.connections[0]
    connection._lookout = Lookout()
    observed = Observed(connection, client)
    with monkeypatch.context() as patched:
        patched.setattr(connection, "_sock", observed)
        patched.setattr(connection.outbox, "_sock", observed)
        yield connection, observed
    observed.close_peer()


async def test_the_next_request_is_looked_for(turning) -> None:
    connection, observed = turning
    observed.prompt = True
    observed.ask()
    assert connection._turn()
    assert len(observed.calls) == RECEIVES + 1  # or others would never have their turn
    observed.prompt = False
    assert connection._turn()
    assert await observed.read_answers() == RECEIVES + 1


async def test_what_never_is_there_is_looked_for_less_and_less(turning) -> None:
    connection, observed = turning
    looks = []
    for turn in range(200):
        observed.ask()
        before = observed.receives
        assert connection._turn()
        if observed.receives - before == 2:
            looks.append(turn)
        assert await observed.read_answers() == 1
    assert looks == [0, 2, 6, 14, 30, 62, 126, 190]
    assert connection._frames._view.nbytes == 0


async def test_what_is_there_again_is_looked_for_again(turning) -> None:
    connection, observed = turning
    for _ in range(10):
        connection._lookout.came_to(found=False)
    while not connection._lookout.pays():
        pass
    observed.prompt = True
    observed.ask()
    assert connection._turn()
    observed.prompt = False
    assert connection._turn()
    assert [connection._lookout.pays() for _ in range(3)] == [False, True, True]
    assert await observed.read_answers() == RECEIVES + 1
