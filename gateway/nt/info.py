"""What is told of an open file, whatever the information class ([MS-FSCC] 2.4)."""

from typing import NamedTuple

from vfs_backends.native import mypyc_attr

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


@mypyc_attr(free_list_len=1, acyclic=True)
class FileInfo:
    """A file as clients see it. Times are FILETIMEs (100 ns since 1601), sizes are bytes."""

    __slots__ = (
        "access_granted",
        "alignment",
        "allocation_size",
        "change_time",
        "creation_time",
        "delete_pending",
        "ea_size",
        "end_of_file",
        "file_attributes",
        "has_short_name",
        "index_number",
        "is_directory",
        "last_access_time",
        "last_write_time",
        "mode",
        "name",
        "number_of_links",
        "position",
        "reparse_tag",
        "streams",
        "volume_id",
    )

    def __init__(
        self,
        creation_time: int,
        last_access_time: int,
        last_write_time: int,
        change_time: int,
        allocation_size: int,
        end_of_file: int,
        file_attributes: int,
        number_of_links: int,
        is_directory: bool,
        index_number: int,
    ) -> None:
        self.creation_time = creation_time
        self.last_access_time = last_access_time
        self.last_write_time = last_write_time
        self.change_time = change_time
        self.allocation_size = allocation_size
        self.end_of_file = end_of_file
        self.file_attributes = file_attributes
        """FILE_ATTRIBUTE_* ([MS-FSCC] 2.6)."""
        self.number_of_links = number_of_links
        self.is_directory = is_directory
        self.index_number = index_number
        """The 64 bits that name the file on its volume."""
        self.volume_id = 0
        """The 64 bits that name the volume."""
        self.ea_size = 0
        self.reparse_tag = 0
        self.delete_pending = False
        self.access_granted = 0
        """The access mask of the open."""
        self.mode = 0
        """What FILE_MODE_INFORMATION tells of the create options of the open."""
        self.position = 0
        self.alignment = 0
        self.streams: tuple[StreamInfo, ...] = ()
        """The named streams, looked up only for FileStreamInformation."""
        self.has_short_name = False
        """Whether there is an 8.3 form of every name."""
        self.name = "\\"
        """The path from the root of the share, with a leading backslash and the stream, if there is one."""
