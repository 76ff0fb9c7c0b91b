"""A server of its own for a run of tests."""

import contextlib
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.ports import HOST, free_port

__all__ = ["JOBS_LIMIT", "Server", "ServerFailed"]

COMMAND = (sys.executable, "-m", "gateway")
USER = "tester"
OTHER_USER = "other"
JOBS_LIMIT = 4
"""How many shares `share1`, `share2` ... the configurations have, so that tests side by side do not meet."""
START_LIMIT = 30.0
STOP_LIMIT = 15.0


class ServerFailed(Exception):
    """The server did not start, or did not end as it should."""


class Server:
    """`smbgate serve` with a configuration in which `{DIR}` stands for a directory of its own."""

    def __init__(
        self, config: Path, directory: Path, command: Sequence[str] = COMMAND, arguments: Sequence[str] = ()
    ) -> None:
        self.password = secrets.token_hex(8)
        self.port = free_port()
        self.log = directory / "server.log"
        text = config.read_text(encoding="utf-8").replace("{DIR}", str(directory))
        (directory / "smbgate.conf").write_text(text, encoding="utf-8")
        for name in ("other", "state", *(f"share{number}" for number in range(1, JOBS_LIMIT + 1))):
            (directory / name).mkdir()
            (directory / name).chmod(0o777)
        (directory / "state").chmod(0o700)
        conf = str(directory / "smbgate.conf")
        self._command = [*command, "serve", "-c", conf, "--bind", HOST, "--port", str(self.port)]
        for user in (USER, OTHER_USER):
            self._command += ["--user", f"{user}:{self.password}"]
        self._command += arguments
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it answers. Raises ServerFailed."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + START_LIMIT
        while not self.answers():
            if not self.is_running() or time.monotonic() > deadline:
                self._process.kill()
                self._process.wait()
                raise ServerFailed(f"the server did not start:\n{self.last_words()}")
            time.sleep(0.1)

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def answers(self) -> bool:
        """Whether it accepts connections."""
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 5):
            return True
        return False

    def stop(self) -> None:
        """End it as an administrator would. Raises ServerFailed if that does not work."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            code = self._process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise ServerFailed(f"the server did not end within {STOP_LIMIT:.0f} s of SIGTERM") from None
        if code != 0:
            raise ServerFailed(f"the server ended with {code}:\n{self.last_words()}")

    def tracebacks(self) -> int:
        """How many errors of its own it has told of."""
        return self.log.read_text(encoding="utf-8", errors="replace").count("Traceback (most recent call last)")

    def last_words(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-3000:]
