"""For clients that know one port only: a network in which a server, wherever it listens, is on 127.0.0.1:445."""

import contextlib
import ctypes
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.interop.relay import Relay
from tests.requirements import Need, need, skip_unless

CLONE_NEWNET = 0x4000_0000
TIMEOUT = 60.0

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]
"""Runs a program there; raises TimeoutExpired where it takes longer than `TIMEOUT` seconds."""


@contextlib.contextmanager
def on_port_445(port: int) -> Iterator[Run]:
    """That network, in which what is run finds the server that listens on `port` of this one."""
    need(Need.ROOT)
    # A thread has a network of its own, and so has what it starts; the relay's threads stay in this one.
    with ThreadPoolExecutor(1) as there:
        there.submit(_enter).result()
        relay = Relay(port, there.submit(socket.create_server, ("127.0.0.1", 445)).result())
        try:
            yield lambda command: there.submit(_run, command).result()
        finally:
            relay.close()


def _enter() -> None:
    skip_unless(ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0, Need.NAMESPACES)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=TIMEOUT)


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
    )
