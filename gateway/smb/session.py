"""Sessions: who is logged on, with which keys, and what they have open. [MS-SMB2] 3.3.1.8."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import trio

from acl.token import Token
from gateway.auth.acceptor import Acceptor, Identity
from gateway.crypto.preauth import PreauthHash
from gateway.nt.status import STATUS_INSUFFICIENT_RESOURCES, STATUS_TOO_MANY_OPENED_FILES, StatusError
from gateway.protocol.dialect import Negotiated
from gateway.protocol.security import ChannelSecurity

if TYPE_CHECKING:
    from gateway.smb.connection import SmbConnection
    from gateway.smb.opens import SmbOpen
    from gateway.smb.service import Service
    from gateway.smb.tree import Tree

__all__ = ["Session", "SessionTable", "Setup"]


class Setup:
    """An authentication that goes on on one connection: the first one of a session, a later one, or one that binds the
    session to the connection. [MS-SMB2] 3.3.5.5."""

    __slots__ = ("acceptor", "hash", "session")

    def __init__(self, session: "Session", acceptor: Acceptor, preauth_hash: PreauthHash) -> None:
        self.session = session
        self.acceptor = acceptor
        self.hash = preauth_hash


class Session:
    """One logged-on user. It is made before anybody is authenticated; `token` is None until then."""

    def __init__(self, session_id: int, connection: "SmbConnection", negotiated: Negotiated) -> None:
        self.session_id = session_id
        self.service: Service = connection.service
        self.negotiated = negotiated
        """What was agreed on the connection that it came by; connections that it is bound to agreed on the same."""
        self.token: Token | None = None
        """Immutable; replaced as a whole by a re-authentication, and looked up anew for each request."""
        self.identity: Identity | None = None
        self.security = ChannelSecurity(session_id)
        """The keys on its first connection, which are the session's own: a connection that is to be bound shows that it
        knows them, and seals with them."""
        self.channels: dict[SmbConnection, ChannelSecurity] = {}
        """The keys on each of its connections, oldest first. [MS-SMB2] 3.3.1.14."""
        self.application_key = b""
        self.encrypt_data = False
        self.expires: int | None = None
        """When the log-on ends (ns since 1970); None if it does not."""
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
        self.attach(connection, self.security)

    def attach(self, connection: "SmbConnection", security: ChannelSecurity) -> None:
        """Give it a connection more."""
        self.channels[connection] = security
        connection.enter_session(self, security)

    async def detach(self, connection: "SmbConnection") -> None:
        """One of its connections has ended; with the last one, so does the session."""
        connection.forget_session(self)
        if self.channels.pop(connection, None) is not None and not self.channels:
            await self.close()

    def is_of(self, identity: Identity | None) -> bool:
        """Whether this is who is logged on. A token does not tell: several accounts may act as one user."""
        known = self.identity
        return known is not None and identity is not None and known.account == identity.account

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
        """End the session on all its connections: what it has open is closed, or waits for its client.

        Its requests are cancelled. May be called twice.
        """
        if self.closed:
            return
        self.closed = True
        self.service.sessions.remove(self)
        for connection in self.channels:
            connection.forget_session(self)
        self.channels.clear()
        for one in self.opens.values():
            one.leaves()
        for tree in list(self.trees.values()):
            await tree.end()


class SessionTable:
    """All sessions of the server, by id. [MS-SMB2] 3.3.1.5 GlobalSessionTable."""

    def __init__(self, new_id: Callable[[], int]) -> None:
        self._sessions: dict[int, Session] = {}
        self._new_id = new_id

    def __len__(self) -> int:
        return len(self._sessions)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def add(self, connection: "SmbConnection", negotiated: Negotiated) -> Session:
        """Make a session with an id that nobody has and nobody can guess."""
        while True:
            session_id = self._new_id()
            if session_id not in (0, 0xFFFFFFFFFFFFFFFF) and session_id not in self._sessions:
                break
        session = self._sessions[session_id] = Session(session_id, connection, negotiated)
        return session

    def get(self, session_id: int) -> Session | None:
        return self._sessions.get(session_id)

    def remove(self, session: Session) -> None:
        self._sessions.pop(session.session_id, None)
