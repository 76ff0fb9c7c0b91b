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


def file_attributes(stat: Stat, name: str = "", *, hides: HidesName | None = None) -> int:
    """The FILE_ATTRIBUTE_* bits of a file; `name` (its last component) matters only with `hides`.

    The mode says nothing but whether it is a directory: READONLY and its like come from what a client has stored.
    """
    attributes = (stat.dos_attributes or 0) & STORED_ATTRIBUTES
    if stat.is_directory:
        attributes |= FILE_ATTRIBUTE_DIRECTORY
    if hides is not None and hides(name):
        attributes |= FILE_ATTRIBUTE_HIDDEN
    return attributes or FILE_ATTRIBUTE_NORMAL


def attributes_from_stat(stat: Stat, name: str = "", *, hides: HidesName | None = None) -> Attributes:
    """Times, sizes and attributes of a file. A directory has no size. `name` matters only with `hides`."""
    created, read, written, changed = filetimes_from_ns(stat.birthtime_ns, stat.atime_ns, stat.mtime_ns, stat.ctime_ns)
    attributes = file_attributes(stat, name, hides=hides)
    if stat.is_directory:
        return created, read, written, changed, 0, 0, attributes
    return created, read, written, changed, stat.allocated, stat.size, attributes


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
    directory = stat.is_directory
    last = name.rpartition("\\")[2] if hides is not None else ""
    created, accessed, written, changed, allocated, size, attributes = attributes_from_stat(stat, last, hides=hides)
    links, index = 1 if directory else stat.nlink, stat.node_id.inode
    info = FileInfo(created, accessed, written, changed, allocated, size, attributes, links, directory, index)
    info.volume_id = volume_id
    info.ea_size = ea_size
    info.delete_pending = delete_pending
    info.access_granted = access_granted
    info.mode = mode
    info.position = position
    info.streams = streams
    info.name = name
    return info
