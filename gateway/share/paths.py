"""Paths in a share: their parts, and the directory something is in."""

from typing import TYPE_CHECKING

from acl.token import Token
from gateway.share.reaching import find
from vfs_backends.api import Handle
from vfs_backends.errors import Kind, VfsError

if TYPE_CHECKING:
    from gateway.share.opens import Open
    from gateway.share.share import Share

__all__ = ["find_file", "is_below", "join", "open_parent", "split"]


def split(path: str) -> tuple[str, str]:
    """The path of the directory, and the last name. The root's are both empty."""
    directory, _, name = path.rpartition("/")
    return directory, name


def join(directory: str, name: str) -> str:
    """The path of a name in a directory."""
    return f"{directory}/{name}" if directory else name


def is_below(path: str, directory: str) -> bool:
    """Whether `path` is in the tree of `directory`, and not that directory itself."""
    return path.startswith(directory + "/") if directory else bool(path)


async def open_parent(share: "Share", path: str, token: Token | None = None) -> tuple[Handle, str]:
    """A path handle on the directory that `path` (not the root) is in, and the name there.

    With a `token`, only if that caller can get there. Raises `VfsError(PATH_NOT_FOUND)` if there is no such directory.
    """
    directory, name = split(path)
    try:
        parent = await find(share, directory, token)
    except VfsError as error:
        if error.kind is Kind.NOT_FOUND:
            raise VfsError(Kind.PATH_NOT_FOUND, directory) from error
        raise
    if parent is None or not parent.is_directory:
        if parent is not None:
            parent.discard()
        raise VfsError(Kind.PATH_NOT_FOUND, directory)
    return parent, name


async def find_file(share: "Share", one: "Open") -> Handle:
    """A path handle on the file that a stream is open of.

    Raises `VfsError`: STALE if its name leads to another file by now, which is none of the open's business.
    """
    handle = await share.fs.lookup(share.root, one.path)
    if handle.node_id != one.node_id:
        handle.discard()
        raise VfsError(Kind.STALE, one.path)
    return handle
