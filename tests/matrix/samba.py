"""Samba's smbclient as one who uses a share: what it can do by its commands, one after the other in one connection.

It has no command that reads from, or locks, a file that is open: `lock` is for SMB1 alone.
"""

import os
import re
import select
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.interop.servers import Server
from tests.matrix.actors import Opened, Refused

__all__ = ["Smbclient", "smbclient_actor"]

_PATIENCE = 15.0
_PROMPT = "smb: \\> "
_OPENED = re.compile(r"for read/write fnum (\d+)")


class _Session:
    """smbclient on a terminal, taking commands: its prompt tells that it has done with one."""

    def __init__(self, server: Server) -> None:
        self._output = ""
        self._lock = threading.Lock()
        self._terminal, terminal = os.openpty()
        command = ["smbclient", "//127.0.0.1/share", "-p", str(server.port), "-s", "/dev/null"]
        command += ["-U", f"{server.user}%{server.password}"]
        environment = os.environ | {"TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._process = subprocess.Popen(
            command, stdin=terminal, stdout=terminal, stderr=terminal, env=environment, start_new_session=True
        )
        os.close(terminal)
        assert self.says(_PROMPT, _PATIENCE), self._output
        self._output = ""

    def send(self, line: str) -> None:
        os.write(self._terminal, f"{line}\n".encode())

    def run(self, line: str) -> str:
        """Run a command and return what it says. Raises `Refused`."""
        with self._lock:
            self.send(line)
            assert self.says(_PROMPT, _PATIENCE), f"{line}: {self._output}"
            said, self._output = self._output, ""
        if "NT_STATUS_" in said and not _OPENED.search(said):
            raise Refused(said)
        return said

    def says(self, text: str, seconds: float) -> bool:
        """Whether it does so within so many seconds, or has already."""
        deadline = time.monotonic() + seconds
        while text not in self._output and (left := deadline - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                self._output += os.read(self._terminal, 65536).decode()
        return text in self._output

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)


class _Opened:
    """A file that was opened: held by its number, or read already."""

    def __init__(self, actor: "Smbclient", path: str, number: str | None) -> None:
        self._actor = actor
        self._path = path
        self._number = number

    def read(self, offset: int, size: int) -> bytes:
        raise NotImplementedError("smbclient reads whole files, by name")

    def write(self, offset: int, data: bytes) -> None:
        """By another open, which overwrites the file."""
        assert offset == 0
        with tempfile.NamedTemporaryFile() as file:
            file.write(data)
            file.flush()
            self._actor.run(f'put "{file.name}" "{self._path}"')

    def lock(self, offset: int, length: int) -> None:
        raise NotImplementedError("smbclient locks by SMB1 only")

    def close(self) -> None:
        if self._number is not None:
            self._actor.run(f"close {self._number}")


class Smbclient:
    """smbclient, logged on and in the share `share`."""

    def __init__(self, name: str, server: Server) -> None:
        self.name = name
        self._server = server
        self._session = _Session(server)

    def run(self, command: str) -> str:
        return self._session.run(command)

    def open(self, path: str, *, writes: bool = False) -> Opened:
        """Its `open` is for reading and writing, or else for reading, which it does not tell; it shares both.

        Who only reads has done with that at once.
        """
        if not writes:
            self.run(f'get "{path}" /dev/null')
            return _Opened(self, path, None)
        said = self.run(f'open "{path}"')
        found = _OPENED.search(said)
        assert found is not None, said
        return _Opened(self, path, found[1])

    def create(self, path: str) -> None:
        self.run(f'put "{__file__}" "{path}"')

    def remove(self, path: str) -> None:
        self.run(f'del "{path}"')

    def rename(self, path: str, new_path: str) -> None:
        self.run(f'rename "{path}" "{new_path}"')

    def close_to_others(self, path: str) -> None:
        raise NotImplementedError("smbclient changes no ACLs; smbcacls does")

    def others_read(self, path: str) -> None:
        raise NotImplementedError("smbclient is one of the SMB clients of that table already")

    @contextmanager
    def watch(self, path: str) -> Iterator[Callable[[float], bool]]:
        """A directory. Gives what tells if `new` was made in it within so many seconds."""
        watching = _Session(self._server)
        try:
            watching.send(f'notify "{path}"')
            # It does not say when it has begun; but it does say when something has happened.
            deadline = time.monotonic() + _PATIENCE
            while not watching.says("first", 0.1):
                assert time.monotonic() < deadline
                self.create(f"{path}/first")
                self.remove(f"{path}/first")
            yield lambda seconds: watching.says("new", seconds)
        finally:
            watching.close()

    def close(self) -> None:
        self._session.close()


@contextmanager
def smbclient_actor(name: str, server: Server) -> Iterator[Smbclient]:
    actor = Smbclient(name, server)
    try:
        yield actor
    finally:
        actor.close()
