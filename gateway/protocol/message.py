"""What came in one frame, and what goes out in one. [MS-SMB2] 3.3.5.2, 3.3.4.1."""

from typing import Final

from gateway.crypto.preauth import PreauthHash
from gateway.protocol.framing import PREFIX_SIZE
from gateway.protocol.security import ChannelSecurity
from gateway.wire.header import HEADER_SIZE, Header
from vfs_backends.extent import Extent
from vfs_backends.native import mypyc_attr

__all__ = ["HEADROOM", "Batch", "Reply", "Request"]

HEADROOM: Final = PREFIX_SIZE + HEADER_SIZE
"""Bytes before the body of a message that is alone in its frame: the transport's prefix and the header."""


@mypyc_attr(free_list_len=1, acyclic=True)
class Request:
    """One element of a frame. `message` begins at its header and ends where the element ends."""

    __slots__ = ("charge", "credits", "header", "message", "refused", "sealed", "security", "signed")

    def __init__(self, header: Header, message: memoryview, *, sealed: bool) -> None:
        self.header = header
        self.message = message
        self.sealed = sealed
        self.security: ChannelSecurity | None = None
        """The keys of the session it names, if there is one."""
        self.signed = False
        """Whether it carried a signature that is right."""
        self.charge = 1
        """Credits it consumed."""
        self.credits: int | None = None
        """Credits its answer grants; None while that is not settled."""
        self.refused = 0
        """The status it must be answered with, whatever it asks for; 0 if it may go on."""


@mypyc_attr(free_list_len=1, acyclic=True)
class Batch:
    """The elements of one frame, in order."""

    __slots__ = ("requests", "sealed_by")

    def __init__(self, requests: list[Request], sealed_by: ChannelSecurity | None) -> None:
        self.requests = requests
        self.sealed_by = sealed_by
        """The session whose key sealed the frame."""

    def keep(self) -> None:
        """Give the messages storage of their own, so that the frame's may go."""
        for request in self.requests:
            request.message = memoryview(bytearray(request.message))


@mypyc_attr(free_list_len=1, acyclic=True)
class Reply:
    """The answer to one element: a status and a body, and what else its header and trailer need.

    `body` is the response structure; if `headroom`, it can be written to, and its first HEADROOM bytes are free for
    what goes before it.
    """

    __slots__ = (
        "async_id",
        "body",
        "extent",
        "hash",
        "headroom",
        "lent",
        "request",
        "reserved",
        "security",
        "session_id",
        "sign",
        "status",
        "tree_id",
    )

    def __init__(
        self, request: Request, status: int, body: bytes | bytearray | memoryview, *, headroom: bool = False
    ) -> None:
        self.request = request
        self.status = status
        self.body = body
        self.headroom = headroom
        self.session_id = request.header.session_id
        self.tree_id = request.header.tree_id
        self.async_id = 0
        """Not 0 for the interim and the final answer to a request that went on asynchronously."""
        self.security: ChannelSecurity | None = None
        """What signs it, if `sign`."""
        self.sign = False
        self.hash: PreauthHash | None = None
        """Takes in the finished message."""
        self.reserved = 0
        """Bytes of the memory budget that come back when it has been sent."""
        self.lent: memoryview | None = None
        """Storage of the pool that comes back with them."""
        self.extent: Extent | None = None
        """What follows the body; only of a reply that is alone in its frame, and neither signed nor sealed."""
