"""smbprotocol as a client that loses its connection and comes back for what it had open."""

import contextlib
import secrets
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from smbprotocol.connection import Connection
from smbprotocol.create_contexts import (
    SMB2CreateDurableHandleReconnect,
    SMB2CreateDurableHandleReconnectV2,
    SMB2CreateDurableHandleRequest,
    SMB2CreateDurableHandleRequestV2,
    SMB2CreateRequestLeaseV2,
    SMB2CreateResponseLeaseV2,
)
from smbprotocol.exceptions import ObjectNameNotFound
from smbprotocol.open import (
    CreateDisposition,
    ImpersonationLevel,
    LockFlags,
    Open,
    RequestedOplockLevel,
    SMB2LockElement,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from tests.interop.servers import Server
from tests.interop.smbprotocol_peer import HOST

__all__ = ["KINDS", "RWH", "DurableFile", "DurablePeer", "durable_peer"]

RWH = 7
KINDS = ("version 1, batch oplock", "version 2, batch oplock", "version 2, lease")
_READ_WRITE_DELETE = 0x13019F
_SHARE_ALL = 7


class DurableFile:
    """A file that a client has open for good."""

    def __init__(self, path: str, kind: str) -> None:
        self.path = path
        self.version = 1 if kind.startswith("version 1") else 2
        self.has_lease = kind.endswith("lease")
        self.guid = uuid.uuid4()
        self.lease_key = secrets.token_bytes(16)
        self.file_id = b""
        self.open: Open
        self.state = 0
        """What is cached, by the last answer: the bits of a lease, or the level of an oplock."""

    def _lease(self) -> list[SMB2CreateRequestLeaseV2]:
        if not self.has_lease:
            return []
        lease = SMB2CreateRequestLeaseV2()
        lease["lease_key"], lease["lease_state"], lease["parent_lease_key"] = self.lease_key, RWH, bytes(16)
        lease["epoch"] = bytes(2)
        return [lease]

    def asks(self) -> list[Any]:
        """The contexts of its first CREATE."""
        if self.version == 1:
            return [SMB2CreateDurableHandleRequest(), *self._lease()]
        request = SMB2CreateDurableHandleRequestV2()
        request["create_guid"] = self.guid
        return [request, *self._lease()]

    def claims(self) -> list[Any]:
        """The contexts of the next ones."""
        if self.version == 1:
            claim = SMB2CreateDurableHandleReconnect()
            claim["data"] = self.file_id
            return [claim, *self._lease()]
        claim = SMB2CreateDurableHandleReconnectV2()
        claim["file_id"], claim["create_guid"] = self.file_id, self.guid
        return [claim, *self._lease()]

    def create(self, tree: TreeConnect, contexts: list[Any], share: int = _SHARE_ALL) -> list[Any]:
        """Send a CREATE with these contexts; those of the answer."""
        level = RequestedOplockLevel.SMB2_OPLOCK_LEVEL_BATCH
        self.open = Open(tree, self.path)
        answers = self.open.create(
            ImpersonationLevel.Impersonation,
            _READ_WRITE_DELETE,
            0,
            share,
            CreateDisposition.FILE_OPEN_IF,
            0,
            create_contexts=contexts,
            oplock_level=RequestedOplockLevel.SMB2_OPLOCK_LEVEL_LEASE if self.has_lease else level,
        )
        self.file_id = self.open.file_id
        self.state = self.open.oplock_level
        for answer in answers or ():
            if isinstance(answer, SMB2CreateResponseLeaseV2):
                self.state = answer["lease_state"].get_value()
        return answers or []

    def write(self, data: bytes) -> None:
        self.open.write(data, 0)

    def read(self) -> bytes:
        data: bytes = self.open.read(0, 100)
        return data

    def lock(self, *, on: bool) -> None:
        """Lock, or unlock, the first byte; raises what smbprotocol raises if that cannot be."""
        element = SMB2LockElement()
        element["offset"], element["length"] = 0, 1
        exclusive = LockFlags.SMB2_LOCKFLAG_EXCLUSIVE_LOCK | LockFlags.SMB2_LOCKFLAG_FAIL_IMMEDIATELY
        element["flags"] = exclusive if on else LockFlags.SMB2_LOCKFLAG_UNLOCK
        self.open.lock([element])


class DurablePeer:
    """One client, with one connection at a time."""

    def __init__(self, server: Server, share: str) -> None:
        self._server = server
        self._share = share
        self._guid = uuid.uuid4()
        self._connection: Connection
        self.tree: TreeConnect
        self.connect()

    def connect(self) -> None:
        """Make a new connection and session."""
        self._connection = Connection(self._guid, HOST, self._server.port, require_signing=True)
        self._connection.connect(timeout=20)
        session = Session(self._connection, self._server.user, self._server.password, require_encryption=False)
        session.connect()
        self.tree = TreeConnect(session, rf"\\{HOST}\{self._share}")
        self.tree.connect()

    def cut(self) -> None:
        """Lose the connection: nothing is logged off or closed. With a new one, the server has noticed."""
        self._connection.disconnect(close=False)
        self.connect()

    def close(self) -> None:
        self._connection.disconnect(close=True)

    def open(self, path: str, kind: str, share: int = _SHARE_ALL) -> DurableFile:
        """Open a file for good, with all that a client may cache."""
        file = DurableFile(path, kind)
        answers = file.create(self.tree, file.asks(), share)
        assert len(answers) == 1 + file.has_lease, "the open is not durable"
        assert file.state == (RWH if file.has_lease else RequestedOplockLevel.SMB2_OPLOCK_LEVEL_BATCH)
        return file

    def comes_back(self, file: DurableFile) -> None:
        """Get a file back on the present connection."""
        file.create(self.tree, file.claims())

    def comes_in_vain(self, file: DurableFile) -> None:
        """See that a file is not given back."""
        with pytest.raises(ObjectNameNotFound):
            file.create(self.tree, file.claims())


@contextlib.contextmanager
def durable_peer(server: Server, share: str = "share") -> Iterator[DurablePeer]:
    """A client that has logged on."""
    peer = DurablePeer(server, share)
    try:
        yield peer
    finally:
        peer.close()
