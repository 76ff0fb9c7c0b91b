"""What one session signs and seals with on one connection. [MS-SMB2] 3.3.1.8, 3.3.1.14."""

from gateway.crypto.sealing import NonceSequence, Sealer
from gateway.crypto.signing import Signer

__all__ = ["ChannelSecurity"]


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
