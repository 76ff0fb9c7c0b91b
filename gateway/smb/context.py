"""What a handler is given besides its request: each type promises what its attributes say."""

from typing import TYPE_CHECKING, ClassVar

from gateway.nt.status import STATUS_FILE_CLOSED, STATUS_INVALID_PARAMETER, StatusError
from gateway.protocol.connection import ANY_ID
from gateway.protocol.credits import CREDIT_UNIT, credit_charge
from gateway.protocol.dialect import Negotiated
from gateway.protocol.message import Request
from gateway.smb import channel_sequence
from gateway.wire.header import SMB2_FLAGS_REPLAY_OPERATION
from gateway.wire.negotiate import DIALECT_300
from vfs_backends.native import mypyc_attr

if TYPE_CHECKING:
    from gateway.smb.compound import Compound
    from gateway.smb.connection import SmbConnection
    from gateway.smb.opens import FileOpen, SmbOpen
    from gateway.smb.pending import Pending
    from gateway.smb.session import Session
    from gateway.smb.tree import Tree

__all__ = ["ConnectionContext", "FileContext", "OpenContext", "SessionContext", "TreeContext"]


@mypyc_attr(free_list_len=1)
class ConnectionContext:
    """For commands that need no session."""

    __slots__ = ("connection", "pending", "request")
    LEVEL: ClassVar[int] = 0
    """How much it promises: each level has what is below it."""

    def __init__(self, connection: "SmbConnection", request: Request, pending: "Pending | None") -> None:
        self.connection = connection
        self.request = request
        self.pending = pending
        """Set if the request runs in a task."""

    @property
    def negotiated(self) -> Negotiated:
        """What the connection agreed on. Raises INVALID_PARAMETER before it has."""
        negotiated = self.connection.negotiated
        if negotiated is None:
            raise StatusError(STATUS_INVALID_PARAMETER)
        return negotiated

    def check_charge(self, size: int) -> None:
        """Raise INVALID_PARAMETER if the request did not pay for `size` bytes of payload. [MS-SMB2] 3.3.5.2.5."""
        if size > CREDIT_UNIT and credit_charge(size) > self.request.charge:
            raise StatusError(STATUS_INVALID_PARAMETER)


class SessionContext(ConnectionContext):
    """The session is there, authenticated and not expired."""

    __slots__ = ("session",)
    LEVEL = 1

    def __init__(
        self, connection: "SmbConnection", request: Request, pending: "Pending | None", session: "Session"
    ) -> None:
        super().__init__(connection, request, pending)
        self.session = session


@mypyc_attr(free_list_len=1)
class TreeContext(SessionContext):
    """The tree belongs to the session, and the request is protected as its share demands."""

    __slots__ = ("compound", "tree")
    LEVEL = 2

    def __init__(
        self,
        connection: "SmbConnection",
        request: Request,
        pending: "Pending | None",
        session: "Session",
        tree: "Tree",
        compound: "Compound",
    ) -> None:
        # At once, and not by way of those below: most requests need one.
        self.connection = connection
        self.request = request
        self.pending = pending
        self.session = session
        self.tree = tree
        self.compound = compound

    def find_open(self, persistent_file_id: int, volatile_file_id: int) -> "SmbOpen":
        """The open of this tree that a file id names, or, in a related element, the one of the element before.

        Raises FILE_CLOSED, what the CREATE of this compound failed with, and FILE_NOT_AVAILABLE as of
        `channel_sequence`.
        """
        if self.compound.related and persistent_file_id == ANY_ID and volatile_file_id == ANY_ID:
            persistent_file_id, volatile_file_id = self.compound.inherited_file_id()
        one = self.session.opens.get(volatile_file_id)
        if one is None or one.persistent_file_id != persistent_file_id or one.tree is not self.tree:
            raise StatusError(STATUS_FILE_CLOSED)
        header = self.request.header
        if (
            header.status != one.channel_sequence or header.flags & SMB2_FLAGS_REPLAY_OPERATION
        ) and self.negotiated.dialect >= DIALECT_300:
            channel_sequence.verify(one, header)
        if one.replay_key is not None:
            one.used()
        self.compound.file_id = persistent_file_id, volatile_file_id
        return one


@mypyc_attr(free_list_len=1)
class OpenContext(TreeContext):
    """The open belongs to the tree."""

    __slots__ = ("open",)
    LEVEL = 3
    open: "SmbOpen"

    @property
    def is_fresh(self) -> bool:
        """Whether the element before has opened it, and nobody was served since: what was told then still holds."""
        return self.pending is None and self.compound.just_opened == self.open.file_id


@mypyc_attr(free_list_len=1)
class FileContext(TreeContext):
    """The open belongs to the tree, and is of a file or directory, not of a pipe."""

    __slots__ = ("open",)
    LEVEL = 4
    open: "FileOpen"
