"""Whether an existing file may be opened as it is asked for, whoever asks: what it is, and its DOS attributes."""

from typing import Final

from acl import mask
from gateway.nt import constants as nt
from gateway.nt.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_DELETE_PENDING,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    StatusError,
)
from gateway.share.intent import OpenIntent
from gateway.share.record import FileRecord, find_pending
from vfs_backends.api import IoAccess, Stat

__all__ = [
    "NO_ACCESS",
    "READ_DATA",
    "check_attributes",
    "check_delete_on_close",
    "check_stays",
    "check_type",
    "io_access",
    "io_wanted",
]

_WRITE_DATA: Final = mask.FILE_WRITE_DATA | mask.FILE_APPEND_DATA
READ_DATA: Final = mask.FILE_READ_DATA | mask.FILE_EXECUTE
_IO_ACCESS: Final[tuple[IoAccess, ...]] = (IoAccess(0), IoAccess.READ, IoAccess.WRITE, IoAccess.READ | IoAccess.WRITE)
NO_ACCESS: Final = _IO_ACCESS[0]
_S_IFMT: Final = 0o170000
_S_IFREG: Final = 0o100000


def check_type(intent: OpenIntent, stat: Stat) -> None:
    """Raise `StatusError` if it is not what is asked for: nothing, a file, or a directory. [MS-FSA] 2.1.5.1."""
    if intent.disposition == nt.FILE_CREATE:
        raise StatusError(STATUS_OBJECT_NAME_COLLISION)
    if stat.is_directory:
        if intent.options & nt.FILE_NON_DIRECTORY_FILE or intent.overwrites:
            raise StatusError(STATUS_FILE_IS_A_DIRECTORY)
    elif intent.wants_directory:
        raise StatusError(STATUS_NOT_A_DIRECTORY)
    elif stat.mode & _S_IFMT != _S_IFREG and not intent.posix:
        # A symbolic link that is not followed, a device, a FIFO: nothing a client without extensions can use.
        raise StatusError(STATUS_ACCESS_DENIED)


def check_stays(directory: FileRecord | None) -> None:
    """Raise `StatusError` if a directory is about to be deleted: then it takes no more names."""
    if directory is not None and find_pending(directory, ""):
        raise StatusError(STATUS_DELETE_PENDING)


def check_attributes(intent: OpenIntent, stat: Stat, granted: int) -> None:
    """Raise `StatusError` for what the DOS attributes forbid. [MS-FSA] 2.1.5.1.2, 2.1.5.1.2.1."""
    check_delete_on_close(intent, granted)
    attributes = stat.dos_attributes
    if not attributes:
        return
    writes = granted & _WRITE_DATA or intent.overwrites or intent.adds_stream
    if attributes & nt.FILE_ATTRIBUTE_READONLY and writes and not stat.is_directory:
        raise StatusError(STATUS_ACCESS_DENIED)
    if attributes & nt.FILE_ATTRIBUTE_READONLY and intent.options & nt.FILE_DELETE_ON_CLOSE:
        raise StatusError(STATUS_CANNOT_DELETE)
    if intent.overwrites and not intent.stream:
        kept = nt.FILE_ATTRIBUTE_HIDDEN | nt.FILE_ATTRIBUTE_SYSTEM
        if attributes & kept & ~intent.file_attributes:
            raise StatusError(STATUS_ACCESS_DENIED)


def check_delete_on_close(intent: OpenIntent, granted: int) -> None:
    """Raise `StatusError` if deletion was not granted: who asks for as much as there is may not get it."""
    if intent.options & nt.FILE_DELETE_ON_CLOSE and not granted & mask.DELETE:
        raise StatusError(STATUS_ACCESS_DENIED)


def io_access(granted: int, stat: Stat, *, is_stream: bool) -> IoAccess:
    """What the storage has to open it for."""
    is_file = is_stream or stat.mode & _S_IFMT == _S_IFREG
    if not is_file and not stat.is_directory:
        return NO_ACCESS
    reads = 1 if granted & READ_DATA else 0
    writes = 2 if granted & _WRITE_DATA and is_file else 0
    # From a table, because to combine the flags takes longer than all the rest of this.
    return _IO_ACCESS[reads | writes]


def io_wanted(intent: OpenIntent) -> IoAccess | None:
    """What the storage will have to open it for, as far as that can be told before it is found; None if it cannot."""
    access = intent.access
    if intent.stream or access & mask.MAXIMUM_ALLOWED:
        return None
    wanted = _IO_ACCESS[(1 if access & READ_DATA else 0) | (2 if access & _WRITE_DATA or intent.overwrites else 0)]
    return None if wanted is NO_ACCESS else wanted
