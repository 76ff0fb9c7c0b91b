"""What somebody who opens a file asks for, and what of it contradicts itself. [MS-FSA] 2.1.5.1, [MS-SMB2] 2.2.13."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

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

__all__ = ["OpenIntent"]

_SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
_EXECUTE_AT_MOST = MAXIMUM_ALLOWED | GENERIC_EXECUTE
_OPTIONS_ALL = 0x00FFFFFF
_UNSUPPORTED_OPTIONS = FILE_CREATE_TREE_CONNECTION | FILE_RESERVE_OPFILTER
_ATTRIBUTES_ALL = 0x00007FB7

OVERWRITING = frozenset({FILE_SUPERSEDE, FILE_OVERWRITE, FILE_OVERWRITE_IF})
CREATING = frozenset({FILE_SUPERSEDE, FILE_CREATE, FILE_OPEN_IF, FILE_OVERWRITE_IF})


@dataclass(slots=True)
class OpenIntent:
    """An open, as it is asked for. Names are checked already; numbers are those of [MS-SMB2] 2.2.13."""

    path: str
    """From the root of the share, `/` between the names; empty for the root itself."""
    desired_access: int
    share_access: int
    disposition: int
    options: int
    file_attributes: int = 0
    allocation_size: int = 0
    by_id: int | None = None
    """Open the file of this inode number; `path` is empty then. FILE_OPEN_BY_FILE_ID."""
    extended_attributes: Sequence[ExtendedAttribute] = ()
    """For a file that is created or overwritten."""
    owner: Hashable = None
    access_limit: int = FILE_ALL_ACCESS | ACCESS_SYSTEM_SECURITY
    """What the way by which the caller came (a read-only share, say) allows at most."""
    lease_key: bytes = b""
    """The lease of `owner` that the open is to belong to; empty if to none. It is asked for by `Share.grant`."""
    parent_key: bytes = b""
    """The lease that `owner` has on the directory, and that changes by this open need not break."""
    posix: bool = False
    """As POSIX means it: names differ by case, whatever is not a file is opened as what it is (to be asked and changed,
    not for its contents), and a new file gets no DOS attributes."""
    is_new: bool = False
    """Whoever asks has just found that nothing has the name: creating it comes before looking for it."""
    mode: int | None = None
    """Permission bits of a new file; those of the share if None."""
    stream: str = ""
    """The named stream of that file, as the caller spells it; empty for the file itself."""
    adds_stream: bool = field(default=False, init=False)
    """Whether the file was found, and the stream has to be created."""
    security: SecurityDescriptor | None = None
    """The descriptor that a file which is created is to have."""
    parent: Handle | None = None
    """The directory that the last name is in, where whoever asks has got to it already, and keeps this handle."""

    access: int = field(init=False)
    """The access asked for, without generic bits; MAXIMUM_ALLOWED may be in it."""
    wants_directory: bool = field(init=False)
    overwrites: bool = field(init=False)
    creates: bool = field(init=False)
    """Whether a file that does not exist is created."""

    def __post_init__(self) -> None:
        # What is asked again and again follows from what never changes.
        desired = self.desired_access
        self.access = map_generic(desired)
        if desired & _EXECUTE_AT_MOST == _EXECUTE_AT_MOST and not desired & (FILE_EXECUTE | GENERIC_ALL):
            # Beside MAXIMUM_ALLOWED, Windows does not insist on what only GENERIC_EXECUTE asks for.
            self.access &= ~FILE_EXECUTE
        self.wants_directory = bool(self.options & FILE_DIRECTORY_FILE)
        self.overwrites = self.disposition in OVERWRITING
        self.creates = self.disposition in CREATING

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
        if options & FILE_DIRECTORY_FILE:
            contradicts = options & FILE_NON_DIRECTORY_FILE or self.disposition in (
                FILE_SUPERSEDE,
                FILE_OVERWRITE,
                FILE_OVERWRITE_IF,
            )
            if contradicts:
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
