"""What one session signs and seals with on one connection. [MS-SMB2] 3.3.1.8, 3.3.1.14."""

from collections import deque
from typing import Final

from gateway.crypto.sealing import NonceSequence, Sealer
from gateway.crypto.signing import Signer

__all__ = ["ChannelSecurity", "KeyRing"]

_ENDED: Final = 8
"""Of so many sessions that have ended a connection keeps the keys."""


class ChannelSecurity:
    """The keys of a session on a connection, and what the session demands of every request.

    `nonces` belongs to the session: channels that share an encryption key share it too.
    """

    __slots__ = ("nonces", "opener", "sealer", "sealing_required", "session_id", "signer", "signing_required")

    def __init__(self, session_id: int) -> None:
        self.session_id = session_id
        self.signer: Signer | None = None
        """None until the session is authenticated, and in guest and anonymous sessions."""
        self.signing_required = False
        self.sealer: Sealer | None = None
        """Seals what goes to the client."""
        self.opener: Sealer | None = None
        """Unseals what comes from the client."""
        self.nonces: NonceSequence | None = None
        self.sealing_required = False

    def of_ended(self) -> "ChannelSecurity":
        """The same keys, of a session that has ended and demands nothing any more."""
        ended = ChannelSecurity(self.session_id)
        ended.signer, ended.sealer, ended.opener, ended.nonces = self.signer, self.sealer, self.opener, self.nonces
        return ended


class KeyRing:
    """The keys of a connection's sessions, and for a while of those that have ended: who does not know of the end yet
    is told in a signed answer, for clients believe no other."""

    __slots__ = ("_ended", "_keys", "find")

    def __init__(self) -> None:
        self._keys: dict[int, ChannelSecurity] = {}
        self._ended: deque[ChannelSecurity] = deque()
        self.find = self._keys.get
        """Finds a session's keys by its id; None if there are none."""

    def enter(self, security: ChannelSecurity) -> None:
        """A session begins on this connection."""
        self._keys[security.session_id] = security

    def leave(self, session_id: int) -> None:
        """It has ended here."""
        security = self._keys.pop(session_id, None)
        if security is None or security.signer is None:
            return
        ended = self._keys[session_id] = security.of_ended()
        self._ended.append(ended)
        if len(self._ended) > _ENDED:
            oldest = self._ended.popleft()
            if self._keys.get(oldest.session_id) is oldest:
                del self._keys[oldest.session_id]
