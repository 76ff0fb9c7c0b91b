"""From what a storage tells of a file to what a client is told ([MS-FSCC] 2.6, [MS-FSA] 2.1.1.3)."""

from typing import Final

from gateway.nt.constants import (
    FILE_ATTRIBUTE_DIRECTORY,
    FILE_ATTRIBUTE_HIDDEN,
    FILE_ATTRIBUTE_NORMAL,
    FILE_ATTRIBUTE_SPARSE_FILE,
    SETTABLE_ATTRIBUTES,
)
from gateway.nt.info import FileInfo, StreamInfo
from gateway.nt.time import filetimes_from_ns
from gateway.smb.hiding import HidesName
from vfs_backends.api import Stat

__all__ = ["STORED_ATTRIBUTES", "Attributes", "attributes_from_stat", "file_attributes", "file_info_from_stat"]

Attributes = tuple[int, int, int, int, int, int, int]
"""Creation, last access, last write and change time (FILETIMEs), allocation size, end of file, FILE_ATTRIBUTE_*: as
they stand in the responses to CREATE and CLOSE, in FileNetworkOpenInformation, and first in `FileInfo`."""

STORED_ATTRIBUTES: Final = SETTABLE_ATTRIBUTES | FILE_ATTRIBUTE_SPARSE_FILE
"""What is believed of the stored attributes; the others follow from the file, or from features that are not there."""

_S_IFMT: Final = 0o170000
_S_IFDIR: Final = 0o040000


def file_attributes(stat: Stat, name: str = "", *, hides: HidesName | None = None) -> int:
    """The FILE_ATTRIBUTE_* bits of a file; `name` (its last component) matters only with `hides`.

    The mode says nothing but whether it is a directory: READONLY and its like come from what a client has stored.
    """
    attributes = (stat.dos_attributes or 0) & STORED_ATTRIBUTES
    if stat.mode & _S_IFMT == _S_IFDIR:
        attributes |= FILE_ATTRIBUTE_DIRECTORY
    if hides is not None and hides(name):
        attributes |= FILE_ATTRIBUTE_HIDDEN
    return attributes or FILE_ATTRIBUTE_NORMAL


def attributes_from_stat(stat: Stat, name: str = "", *, hides: HidesName | None = None) -> Attributes:
    """Times, sizes and attributes of a file. A directory has no size. `name` matters only with `hides`."""
    is_directory = stat.mode & _S_IFMT == _S_IFDIR
    return (
        *filetimes_from_ns(stat.birthtime_ns, stat.atime_ns, stat.mtime_ns, stat.ctime_ns),
        0 if is_directory else stat.allocated,
        0 if is_directory else stat.size,
        file_attributes(stat, name, hides=hides),
    )


def file_info_from_stat(
    stat: Stat,
    *,
    name: str = "\\",
    volume_id: int = 0,
    ea_size: int = 0,
    hides: HidesName | None = None,
    delete_pending: bool = False,
    access_granted: int = 0,
    mode: int = 0,
    position: int = 0,
    streams: tuple[StreamInfo, ...] = (),
) -> FileInfo:
    """What is told of the file behind `stat`, opened as `name` (a path with a leading backslash).

    A directory has no links but the one: what POSIX counts there are its subdirectories.
    """
    directory = stat.mode & _S_IFMT == _S_IFDIR
    last = name.rpartition("\\")[2] if hides is not None else ""
    return FileInfo(
        *attributes_from_stat(stat, last, hides=hides),
        number_of_links=1 if directory else stat.nlink,
        is_directory=directory,
        index_number=stat.node_id.inode,
        volume_id=volume_id,
        ea_size=ea_size,
        delete_pending=delete_pending,
        access_granted=access_granted,
        mode=mode,
        position=position,
        streams=streams,
        name=name,
    )
