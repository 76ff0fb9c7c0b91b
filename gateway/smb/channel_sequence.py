"""Channel sequences: which requests on an open were sent before their client lost a channel. [MS-SMB2] 3.3.5.2.10.

A client that loses a channel raises its sequence number and sends again, by another one, what it got no answer to.
What comes late by the old one must change nothing any more; and what is sent again must not be done while the first
of the two still goes on.

A request that is answered inline is over before the next one comes: only those in tasks are counted.
"""

from typing import TYPE_CHECKING, Final

from gateway.nt.status import STATUS_FILE_NOT_AVAILABLE, StatusError
from gateway.wire.header import SMB2_FLAGS_REPLAY_OPERATION, Header, Opcode

if TYPE_CHECKING:
    from gateway.smb.opens import SmbOpen

__all__ = ["Generation", "verify"]

_MODIFYING: Final = frozenset({Opcode.WRITE, Opcode.SET_INFO, Opcode.IOCTL})
_AHEAD: Final = 0x7FFF
"""How far a number may be ahead of another one, modulo 2**16; what is further away is behind it."""


class Generation:
    """The requests in tasks of one sequence number (Open.OutstandingRequestCount), and of the numbers before it
    (OutstandingPreRequestCount)."""

    __slots__ = ("_earlier", "users")

    def __init__(self, earlier: "Generation | None" = None) -> None:
        self._earlier = earlier
        self.users = 0

    @property
    def is_idle(self) -> bool:
        """Whether none of its requests goes on, nor any from before it."""
        return not self.users and not self.has_earlier

    @property
    def has_earlier(self) -> bool:
        """Whether requests go on that came with an earlier number."""
        if self._earlier is not None and self._earlier.is_idle:
            self._earlier = None
        return self._earlier is not None


def verify(one: "SmbOpen", header: Header) -> None:
    """Check the sequence number of a request that names an open, and remember it if it is a new one (dialects 3.x).

    Raises FILE_NOT_AVAILABLE for what would change the file and comes too late, or too early to be done again.
    """
    ahead = (header.channel_sequence - one.channel_sequence) & 0xFFFF
    modifies = header.command in _MODIFYING
    replays = modifies and bool(header.flags & SMB2_FLAGS_REPLAY_OPERATION)
    if ahead > _AHEAD:
        if modifies:
            raise StatusError(STATUS_FILE_NOT_AVAILABLE)
    elif ahead:
        if replays and not one.generation.is_idle:
            raise StatusError(STATUS_FILE_NOT_AVAILABLE)
        one.channel_sequence = header.channel_sequence
        if not one.generation.is_idle:
            one.generation = Generation(one.generation)
    elif replays and one.generation.has_earlier:
        raise StatusError(STATUS_FILE_NOT_AVAILABLE)
