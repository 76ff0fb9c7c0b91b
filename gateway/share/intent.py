"""What somebody who opens a file asks for, and what of it contradicts itself. [MS-FSA] 2.1.5.1, [MS-SMB2] 2.2.13."""

from collections.abc import Hashable, Sequence
from typing import Final

from acl.descriptor import SecurityDescriptor
from acl.mask import (
    ACCESS_SYSTEM_SECURITY,
    DELETE,
    FILE_ALL_ACCESS,
    FILE_EXECUTE,
    GENERIC_ALL,
    GENERIC_EXECUTE,
    MAXIMUM_ALLOWED,
    VALID_BITS,
    map_generic,
)
from gateway.nt.constants import (
    FILE_CREATE,
    FILE_CREATE_TREE_CONNECTION,
    FILE_DELETE_ON_CLOSE,
    FILE_DIRECTORY_FILE,
    FILE_NO_EA_KNOWLEDGE,
    FILE_NO_INTERMEDIATE_BUFFERING,
    FILE_NON_DIRECTORY_FILE,
    FILE_OPEN,
    FILE_OPEN_IF,
    FILE_OVERWRITE,
    FILE_OVERWRITE_IF,
    FILE_RESERVE_OPFILTER,
    FILE_SHARE_DELETE,
    FILE_SHARE_READ,
    FILE_SHARE_WRITE,
    FILE_SUPERSEDE,
)
from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_A_DIRECTORY,
    STATUS_NOT_SUPPORTED,
    StatusError,
)
from vfs_backends.api import Handle
from vfs_backends.native import mypyc_attr

__all__ = ["OpenIntent"]

_SHARE_ALL: Final = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
_EXECUTE_AT_MOST: Final = MAXIMUM_ALLOWED | GENERIC_EXECUTE
_OPTIONS_ALL: Final = 0x00FFFFFF
_UNSUPPORTED_OPTIONS: Final = FILE_CREATE_TREE_CONNECTION | FILE_RESERVE_OPFILTER
_ATTRIBUTES_ALL: Final = 0x00007FB7


@mypyc_attr(free_list_len=1, acyclic=True)
class OpenIntent:
    """An open, as it is asked for. Names are checked already; numbers are those of [MS-SMB2] 2.2.13."""

    __slots__ = (
        "access",
        "access_limit",
        "adds_stream",
        "allocation_size",
        "by_id",
        "creates",
        "desired_access",
        "disposition",
        "extended_attributes",
        "file_attributes",
        "is_new",
        "lease_key",
        "mode",
        "options",
        "overwrites",
        "owner",
        "parent",
        "parent_key",
        "path",
        "posix",
        "security",
        "share_access",
        "stream",
        "wants_directory",
    )

    def __init__(
        self,
        path: str,
        desired_access: int,
        share_access: int,
        disposition: int,
        options: int,
        file_attributes: int = 0,
        allocation_size: int = 0,
        by_id: int | None = None,
        extended_attributes: Sequence[ExtendedAttribute] = (),
        owner: Hashable = None,
        access_limit: int = FILE_ALL_ACCESS | ACCESS_SYSTEM_SECURITY,
        lease_key: bytes = b"",
        parent_key: bytes = b"",
        posix: bool = False,
        stream: str = "",
        security: SecurityDescriptor | None = None,
        parent: Handle | None = None,
    ) -> None:
        self.path = path
        """From the root of the share, `/` between the names; empty for the root itself."""
        self.desired_access = desired_access
        self.share_access = share_access
        self.disposition = disposition
        self.options = options
        self.file_attributes = file_attributes
        self.allocation_size = allocation_size
        self.by_id = by_id
        """Open the file of this inode number; `path` is empty then. FILE_OPEN_BY_FILE_ID."""
        self.extended_attributes = extended_attributes
        """For a file that is created or overwritten."""
        self.owner = owner
        self.access_limit = access_limit
        """What the way by which the caller came (a read-only share, say) allows at most."""
        self.lease_key = lease_key
        """The lease of `owner` that the open is to belong to; empty if to none. It is asked for by `Share.grant`."""
        self.parent_key = parent_key
        """The lease that `owner` has on the directory, and that changes by this open need not break."""
        self.posix = posix
        """As POSIX means it: names differ by case, whatever is not a file is opened as what it is (to be asked and
        changed, not for its contents), and a new file gets no DOS attributes."""
        self.is_new = False
        """Whoever asks has just found that nothing has the name: creating it comes before looking for it."""
        self.mode: int | None = None
        """Permission bits of a new file; those of the share if None."""
        self.stream = stream
        """The named stream of that file, as the caller spells it; empty for the file itself."""
        self.adds_stream = False
        """Whether the file was found, and the stream has to be created."""
        self.security = security
        """The descriptor that a file which is created is to have."""
        self.parent = parent
        """The directory that the last name is in, where whoever asks has got to it already, and keeps this handle."""
        access = map_generic(desired_access)
        if desired_access & _EXECUTE_AT_MOST == _EXECUTE_AT_MOST and not desired_access & (FILE_EXECUTE | GENERIC_ALL):
            # Beside MAXIMUM_ALLOWED, Windows does not insist on what only GENERIC_EXECUTE asks for.
            access &= ~FILE_EXECUTE
        self.access = access
        """The access asked for, without generic bits; MAXIMUM_ALLOWED may be in it."""
        self.wants_directory = bool(options & FILE_DIRECTORY_FILE)
        self.overwrites = disposition in (FILE_SUPERSEDE, FILE_OVERWRITE, FILE_OVERWRITE_IF)
        self.creates = disposition in (FILE_SUPERSEDE, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE_IF)
        """Whether a file that does not exist is created."""

    def check(self) -> None:
        """Raise `StatusError` for what cannot be meant, whatever file it is about. [MS-FSA] 2.1.5.1, phase 1."""
        options = self.options
        if self.disposition > FILE_OVERWRITE_IF or self.share_access & ~_SHARE_ALL or options & ~_OPTIONS_ALL:
            raise StatusError(STATUS_INVALID_PARAMETER)
        if options & _UNSUPPORTED_OPTIONS:
            raise StatusError(STATUS_NOT_SUPPORTED)
        if not self.desired_access or self.desired_access & ~VALID_BITS:
            raise StatusError(STATUS_ACCESS_DENIED)
        if self.file_attributes & ~_ATTRIBUTES_ALL:
            raise StatusError(STATUS_INVALID_PARAMETER)
        if options & FILE_DIRECTORY_FILE and (options & FILE_NON_DIRECTORY_FILE or self.overwrites):
            raise StatusError(STATUS_INVALID_PARAMETER)
        if options & FILE_NO_EA_KNOWLEDGE and self.extended_attributes:
            raise StatusError(STATUS_ACCESS_DENIED)
        if self.stream and options & FILE_DIRECTORY_FILE:
            raise StatusError(STATUS_NOT_A_DIRECTORY)
        if options & FILE_DELETE_ON_CLOSE and not self.access & (DELETE | MAXIMUM_ALLOWED):
            raise StatusError(STATUS_INVALID_PARAMETER)
        if self.by_id is not None and self.disposition not in (FILE_OPEN, FILE_OVERWRITE, FILE_OPEN_IF):
            raise StatusError(STATUS_INVALID_PARAMETER)
        if options & FILE_NO_INTERMEDIATE_BUFFERING:
            # Nothing is buffered here that a client could see; the flag stays in the mode that it reads back.
            return
