"""A file of the store as an SMB client is told of it."""

from gateway.nt.info import FileInfo
from gateway.nt.names import wire_path
from gateway.smb.info.stat import file_info_from_stat
from gateway.smb.opens import FileOpen
from vfs_backends.api import Stat

__all__ = ["attributes_of"]


def attributes_of(one: FileOpen, stat: Stat) -> FileInfo:
    """Times, sizes and attributes of an open file."""
    export = one.tree.export
    return file_info_from_stat(stat, name=wire_path(one.file.path), hides=export.hides)
