"""A connection that outlives the server at its end: libnfs 4 does not connect again, as other NFSv4 clients do."""

import contextlib
import socket
import threading

from tests.interop.relay import Relay

__all__ = ["KeptConnection"]


class KeptConnection(Relay):
    """A server that has gone is looked for again with the next request."""

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        gone = threading.Event()
        with contextlib.suppress(OSError), client:
            while request := client.recv(1 << 20):
                if server is None or gone.is_set():
                    server, gone = socket.create_connection(("127.0.0.1", self._target)), threading.Event()
                    threading.Thread(target=self._answer, args=(server, client, gone), daemon=True).start()
                server.sendall(request)
        if server is not None:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)

    def _answer(self, server: socket.socket, client: socket.socket, gone: threading.Event) -> None:
        with contextlib.suppress(OSError), server:
            while answer := server.recv(1 << 20):
                client.sendall(answer)
        gone.set()
