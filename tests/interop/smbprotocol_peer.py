"""smbprotocol as a peer: one connection and session, whose dialect, algorithms and protection the test chooses."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import smbclient
from smbprotocol.connection import Connection
from smbprotocol.session import Session

from tests.interop.servers import Server

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Peer:
    """A connection with a session that is logged on."""

    connection: Connection
    session: Session
    port: int

    def path(self, relative: Path | str = "") -> str:
        """A UNC path into the share."""
        return rf"\\{HOST}\share" + "".join("\\" + part for part in Path(relative).parts)

    def call(self, function: str, *arguments: Any, **keywords: Any) -> Any:
        """A function of the package smbclient, by name, over this session."""
        cache = {f"{HOST}:{self.port}": self.connection}
        return getattr(smbclient, function)(
            *arguments, **keywords, port=self.port, username=self.session.username, connection_cache=cache
        )


@contextlib.contextmanager
def smbprotocol_peer(
    server: Server,
    dialect: int | None = None,
    *,
    port: int | None = None,
    password: str | None = None,
    sign: bool = True,
    seal: bool = False,
    ciphers: list[int] | None = None,
    signing: list[int] | None = None,
) -> Iterator[Peer]:
    """Log on to `server`; `ciphers` and `signing` are what is offered at 3.1.1, `port` another way to it."""
    port = port or server.port
    connection = Connection(uuid.uuid4(), HOST, port, require_signing=sign)
    connection.connect(dialect, timeout=20, preferred_encryption_algos=ciphers, preferred_signing_algos=signing)
    try:
        session = Session(connection, server.user, password or server.password, require_encryption=seal)
        session.connect()
        yield Peer(connection, session, port)
    finally:
        connection.disconnect(close=True)
