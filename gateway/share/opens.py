"""An open file or directory, as every front end sees it. [MS-SMB2] 3.3.1.10, [MS-FSA] 2.1.1.6."""

from collections.abc import Hashable
from typing import TYPE_CHECKING

from acl.token import Token
from vfs_backends.api import Caller, Handle, NodeId, Stat
from vfs_backends.native import mypyc_attr

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["Open"]


@mypyc_attr(free_list_len=1)
class Open:
    """What `Share.open` gives: a handle of the storage with what was granted on it.

    Its record in the table says what others must respect; this object is its owner's alone.
    """

    __slots__ = (
        "action",
        "allocation_size",
        "archived_at",
        "caller",
        "closed",
        "created_stat",
        "granted_access",
        "handle",
        "is_directory",
        "is_posix",
        "kept_times",
        "lease_holder",
        "lease_key",
        "node_id",
        "open_id",
        "options",
        "owner",
        "parent_key",
        "path",
        "position",
        "share",
        "share_access",
        "stream",
        "token",
        "written",
    )

    def __init__(
        self,
        share: "Share",
        open_id: int,
        handle: Handle,
        granted_access: int,
        share_access: int,
        options: int,
        token: Token,
        action: int,
        stat: Stat,
        owner: Hashable = None,
        lease_key: bytes = b"",
        parent_key: bytes = b"",
        stream: str = "",
    ) -> None:
        self.share = share
        self.open_id = open_id
        self.handle = handle
        self.node_id: NodeId = handle.node_id
        self.path = handle.path
        """From the root of the share, `/` between names as the storage spells them; kept true across renames."""
        self.stream = stream
        """The folded name of the stream; empty for the file itself. Renaming the stream replaces it."""
        self.is_directory = handle.is_directory
        self.granted_access = granted_access
        self.share_access = share_access
        self.options = options
        """Create options, as FileModeInformation gives them back."""
        self.token = token
        """Who opened it."""
        self.caller: Caller | None = None
        """The same for the storage, when it is about the file's name."""
        self.action = action
        """FILE_OPENED and its like."""
        self.created_stat = stat
        """What the storage told at the end of the open."""
        self.position = 0
        self.allocation_size = 0
        self.closed = False
        self.owner = owner
        self.lease_key = lease_key
        self.parent_key = parent_key
        self.lease_holder = (owner, lease_key, 0 if lease_key else open_id)
        """Names its lease, or its oplock, if it has any."""
        self.kept_times = 0
        """Which times its operations leave alone: `times.KEEP_WRITE_TIME` and its like."""
        self.is_posix = False
        """Whether it is as POSIX means it (`OpenIntent.posix`)."""
        self.archived_at = -1
        """What `Archiving.cleared` was when the file was known to have FILE_ATTRIBUTE_ARCHIVE."""
        self.written = False
        """Whether the directory's entry has to be looked at anew when it is closed."""
