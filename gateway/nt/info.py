"""What is told of an open file, whatever the information class ([MS-FSCC] 2.4)."""

from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["ExtendedAttribute", "FileInfo", "StreamInfo"]


class ExtendedAttribute(NamedTuple):
    """An attribute; an empty value means that there is none, or that it shall be removed."""

    name: str
    value: bytes
    flags: int = 0
    """FILE_NEED_EA, or nothing."""


class StreamInfo(NamedTuple):
    """A named stream of a file. Sizes in bytes."""

    name: str
    """Without its type, and without colons."""
    size: int
    allocation_size: int


@dataclass(slots=True, eq=False)
class FileInfo:
    """A file as clients see it. Times are FILETIMEs (100 ns since 1601), sizes are bytes."""

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    allocation_size: int
    end_of_file: int
    file_attributes: int
    """FILE_ATTRIBUTE_* ([MS-FSCC] 2.6)."""
    number_of_links: int
    is_directory: bool
    index_number: int
    """The 64 bits that name the file on its volume."""
    volume_id: int = 0
    """The 64 bits that name the volume."""
    ea_size: int = 0
    reparse_tag: int = 0
    delete_pending: bool = False
    access_granted: int = 0
    """The access mask of the open."""
    mode: int = 0
    """What FILE_MODE_INFORMATION tells of the create options of the open."""
    position: int = 0
    alignment: int = 0
    streams: tuple[StreamInfo, ...] = ()
    """The named streams, looked up only for FileStreamInformation."""
    has_short_name: bool = False
    """Whether there is an 8.3 form of every name."""
    name: str = "\\"
    """The path from the root of the share, with a leading backslash and the stream, if there is one."""
