"""What a command's handler gives back."""

from typing import Protocol

from gateway.crypto.preauth import PreauthHash
from gateway.nt.status import STATUS_SUCCESS
from gateway.protocol.security import ChannelSecurity
from vfs_backends.extent import Extent
from vfs_backends.native import mypyc_attr

__all__ = ["Answer", "AtHand", "Response", "Result"]


class Response(Protocol):
    """A response structure of `gateway.wire`."""

    def to_bytes(self) -> bytes: ...


@mypyc_attr(free_list_len=1, acyclic=True)
class Answer:
    """A response with something besides its structure.

    A handler that has nothing to add returns the structure itself. `body` is the structure as bytes, or, with
    `headroom`, a buffer in which HEADROOM bytes of `gateway.protocol.message` are free for what goes before it.
    """

    __slots__ = (
        "body",
        "extent",
        "file_id",
        "hash",
        "headroom",
        "lent",
        "reserved",
        "security",
        "session_id",
        "status",
        "tree_id",
    )

    def __init__(
        self,
        body: bytes | bytearray | memoryview,
        status: int = STATUS_SUCCESS,
        *,
        headroom: bool = False,
        session_id: int | None = None,
        tree_id: int | None = None,
        security: ChannelSecurity | None = None,
        file_id: tuple[int, int] | None = None,
        preauth_hash: PreauthHash | None = None,
    ) -> None:
        self.body = body
        self.status = status
        """A success or a warning that goes with a response; errors are raised."""
        self.headroom = headroom
        self.session_id = session_id
        """For the header, where it is not the request's."""
        self.tree_id = tree_id
        self.security = security
        """Signs the answer although the request was not signed."""
        self.file_id = file_id
        """The file that related elements behind this one mean."""
        self.hash = preauth_hash
        """Takes in the finished message."""
        self.reserved = 0
        """Bytes of the memory budget that come back when the answer has been sent."""
        self.lent: memoryview | None = None
        """Storage of the pool that comes back with them."""
        self.extent: Extent | None = None
        """What follows the body, as of `Reply`; it is released when the answer has been sent."""


Result = Answer | Response | bytearray
"""What a handler gives back. A `bytearray` is a structure behind HEADROOM bytes that are free."""
AtHand = Answer | bytearray
"""What it gives back if it is no coroutine function."""
