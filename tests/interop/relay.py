"""A relay between a client and a server that counts what it sees: signed, sealed and plain messages."""

import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Iterator

TRANSFORM = b"\xfdSMB"
NEGOTIATE = 0
STATUS_PENDING = 0x103
FILE_COMMANDS = frozenset({5, 6, 7, 8, 9, 10, 14, 15, 16, 17})
"""CREATE to LOCK, QUERY_DIRECTORY to SET_INFO: TREE_CONNECT and FSCTL_VALIDATE_NEGOTIATE_INFO are always signed."""
SIGNED = 0x8


class Relay:
    """Listens on `port`; `seen` counts messages: sealed, and about files plain or signed. `dialect` was agreed on."""

    def __init__(self, target: int, listener: socket.socket | None = None) -> None:
        self._target = target
        self._listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.seen: Counter[str] = Counter()
        self.dialect = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError), source, source.makefile("rb") as stream:
            while len(prefix := stream.read(4)) == 4:
                message = stream.read(int.from_bytes(prefix[1:], "big"))
                self._count(message)
                sink.sendall(prefix + message)
            sink.shutdown(socket.SHUT_WR)

    def _count(self, message: bytes) -> None:
        if message[:4] == TRANSFORM:
            self.seen["sealed"] += 1
            return
        status, command, flags = struct.unpack_from("<IH2xI", message, 8)
        if status == STATUS_PENDING:
            return  # an interim is never signed ([MS-SMB2] 3.3.4.2)
        if command == NEGOTIATE:
            if flags & 1:
                (self.dialect,) = struct.unpack_from("<H", message, 68)
        elif command in FILE_COMMANDS:
            self.seen["signed" if flags & SIGNED else "plain"] += 1


@contextlib.contextmanager
def relayed(port: int) -> Iterator[Relay]:
    """A relay to the server on `port`."""
    relay = Relay(port)
    try:
        yield relay
    finally:
        relay.close()
