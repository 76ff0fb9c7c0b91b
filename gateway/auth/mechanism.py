"""What SPNEGO expects of an authentication mechanism (RFC 2743, cut down to what SMB uses)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from gateway.auth.accounts import Account
from gateway.auth.policy import AuthPolicy, Identity

Lookup = Callable[[str, str], Account | None]
"""Finds the account for the user and domain that a client named."""

Urandom = Callable[[int], bytes]
"""Gives as many random bytes as asked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to send to the client, and who it is once that is known; then the log-on has succeeded."""

    token: bytes
    identity: Identity | None = None


class Mechanism(Protocol):
    """The accepting side of one mechanism, for one log-on."""

    def step(self, token: bytes, now: int) -> Step:
        """Take the client's next token, at *now* ns since 1970. Raises AuthError."""

    def sign(self, message: bytes) -> bytes | None:
        """The server's signature of *message* after the last step; None where this log-on has no key to sign with."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether the client signed *message* so."""


MechanismFactory = Callable[[AuthPolicy, Lookup, Urandom], Mechanism]
