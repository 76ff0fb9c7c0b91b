"""Sessions: who is logged on, with which keys, and what they have open. [MS-SMB2] 3.3.1.8."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import trio

from acl.token import Token
from gateway.auth.acceptor import Acceptor, Identity
from gateway.crypto.preauth import PreauthHash
from gateway.crypto.sealing import NonceSequence
from gateway.nt.status import STATUS_INSUFFICIENT_RESOURCES, STATUS_TOO_MANY_OPENED_FILES, StatusError
from gateway.protocol.security import ChannelSecurity

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection
    from gateway.smb.opens import SmbOpen
    from gateway.smb.tree import Tree

__all__ = ["Session", "SessionTable", "Setup"]


class Setup:
    """An authentication that goes on: the first one of a session, or a later one. [MS-SMB2] 3.3.5.5."""

    __slots__ = ("acceptor", "hash")

    def __init__(self, acceptor: Acceptor, preauth_hash: PreauthHash) -> None:
        self.acceptor = acceptor
        self.hash = preauth_hash


class Session:
    """One logged-on user. It is made before anybody is authenticated; `token` is None until then."""

    def __init__(self, session_id: int, connection: "SmbConnection") -> None:
        self.session_id = session_id
        self.connection = connection
        self.token: Token | None = None
        """Immutable; replaced as a whole by a re-authentication, and looked up anew for each request."""
        self.identity: Identity | None = None
        self.security = ChannelSecurity(session_id)
        self.nonces: NonceSequence | None = None
        self.application_key = b""
        self.encrypt_data = False
        self.expires: int | None = None
        """When the log-on ends (ns since 1970); None if it does not."""
        self.setup: Setup | None = None
        self.setup_lock = trio.Lock()
        """SESSION_SETUPs of one session take turns."""
        self.trees: dict[int, Tree] = {}
        self.opens: dict[int, SmbOpen] = {}
        """By volatile file id."""
        self.opening = 0
        """Files that are being opened."""
        self.pending = 0
        """Requests that went on asynchronously."""
        self.created = 0
        self.closed = False
        self._last_tree_id = 0

    def is_expired(self, now: int) -> bool:
        return self.expires is not None and now >= self.expires

    def add_tree(self, make: "Callable[[int], Tree]", limit: int) -> "Tree":
        """Number and keep a new tree. Raises INSUFFICIENT_RESOURCES beyond `limit`."""
        if len(self.trees) >= limit:
            raise StatusError(STATUS_INSUFFICIENT_RESOURCES)
        self._last_tree_id += 1
        tree = self.trees[self._last_tree_id] = make(self._last_tree_id)
        return tree

    def check_open_limit(self, limit: int) -> None:
        """Raise TOO_MANY_OPENED_FILES if the session has `limit` opens already."""
        if len(self.opens) + self.opening >= limit:
            raise StatusError(STATUS_TOO_MANY_OPENED_FILES)

    async def close(self) -> None:
        """End the session: everything it has open is closed, its requests are cancelled. May be called twice."""
        if self.closed:
            return
        self.closed = True
        self.connection.forget_session(self)
        for tree in list(self.trees.values()):
            await tree.disconnect()


class SessionTable:
    """All sessions of the server, by id. [MS-SMB2] 3.3.1.5 GlobalSessionTable."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._sessions: dict[int, Session] = {}
        self._new_id = new_id

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def add(self, connection: "SmbConnection") -> Session:
        """Make a session with an id that nobody has and nobody can guess."""
        while True:
            session_id = self._new_id()
            if session_id not in (0, 0xFFFFFFFFFFFFFFFF) and session_id not in self._sessions:
                break
        session = self._sessions[session_id] = Session(session_id, connection)
        return session

    def get(self, session_id: int) -> Session | None:
        return self._sessions.get(session_id)

    def remove(self, session: Session) -> None:
        self._sessions.pop(session.session_id, None)
