"""What the elements of a compound take over from each other. [MS-SMB2] 3.3.5.2.7."""

from typing import Final

from gateway.nt.status import STATUS_FILE_CLOSED, STATUS_INVALID_PARAMETER, StatusError
from gateway.protocol.connection import ANY_ID
from gateway.protocol.message import Request
from gateway.wire.header import SMB2_FLAGS_RELATED_OPERATIONS
from vfs_backends.native import mypyc_attr

__all__ = ["Compound"]

_ANY_TREE_ID: Final = 0xFFFFFFFF


@mypyc_attr(free_list_len=1, acyclic=True)
class Compound:
    """The ids that hold for the element at hand, and for related ones after it."""

    __slots__ = ("_opened", "create_status", "file_id", "is_first", "just_opened", "related", "session_id", "tree_id")

    def __init__(self) -> None:
        self.related = False
        """Whether the element at hand is related to the one before."""
        self.is_first = True
        """Whether the element at hand is the first one."""
        self.session_id = ANY_ID
        """ANY_ID where there is no session to take over."""
        self.tree_id = _ANY_TREE_ID
        self.file_id: tuple[int, int] | None = None
        """Persistent and volatile id of the file that was last opened or named."""
        self.create_status = 0
        """What the last CREATE failed with; 0 if it did not."""
        self.just_opened: tuple[int, int] | None = None
        """The ids of what the element before has opened."""
        self._opened: tuple[int, int] | None = None

    def enter(self, request: Request, *, first: bool) -> None:
        """Begin with an element. Raises INVALID_PARAMETER if it is related to nothing."""
        header = request.header
        self.is_first = first
        self.just_opened, self._opened = self._opened, None
        self.related = bool(header.flags & SMB2_FLAGS_RELATED_OPERATIONS)
        if not self.related:
            self.session_id, self.tree_id = header.session_id, header.tree_id
            self.file_id, self.create_status = None, 0
        elif first or self.session_id == ANY_ID:
            raise StatusError(STATUS_INVALID_PARAMETER)

    def opens(self, file_id: tuple[int, int]) -> None:
        """The element at hand has opened a file."""
        self.file_id = self._opened = file_id
        self.create_status = 0

    def inherited_file_id(self) -> tuple[int, int]:
        """The file that a related element means which names none. Raises `StatusError` if there is none."""
        if self.create_status:
            raise StatusError(self.create_status)
        if self.file_id is None:
            raise StatusError(STATUS_FILE_CLOSED)
        return self.file_id
