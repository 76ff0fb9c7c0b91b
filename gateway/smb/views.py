"""A file of the store as an SMB client is told of it."""

from gateway.smb.info.stat import Attributes, attributes_from_stat
from gateway.smb.opens import FileOpen
from vfs_backends.api import Stat

__all__ = ["attributes_of"]


def attributes_of(one: FileOpen, stat: Stat) -> Attributes:
    """Times, sizes and attributes of an open file."""
    hides = one.tree.export.hides
    name = one.file.path.rpartition("/")[2] if hides is not None else ""
    return attributes_from_stat(stat, name, hides=hides)
