"""Files by their short names, where a share has them: what somebody means who names a file by its 8.3 form.

[MS-FSA] 2.1.5.1 (open), 2.1.1.2 (tunnel cache). A name that is there counts before a short name that is made of
another one; of two names with the same short name, neither is meant.
"""

import contextlib
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from gateway.nt.shortnames import may_be_generated, short_name
from gateway.nt.upcase import upcase
from gateway.share.paths import join
from vfs_backends.api import Handle, IoAccess, NodeId
from vfs_backends.errors import Kind, VfsError
from vfs_backends.inline import may_wait

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["Tunnel", "long_path"]

_TUNNEL_SECONDS: Final = 15.0
_MOST_NAMES: Final = 1024


class Tunnel:
    """Names that have gone lately, by their short names: who makes the short one anew gets the long one.

    So a program that knows only short names does not lose the long ones of files that it saves by replacing them.
    """

    def __init__(self) -> None:
        self._names: OrderedDict[tuple[NodeId, str], tuple[str, float]] = OrderedDict()

    def removed(self, directory: NodeId, name: str) -> None:
        """A name has gone from a directory."""
        short = short_name(name)
        if short != upcase(name):
            self._names[directory, short] = name, time.monotonic() + _TUNNEL_SECONDS
            self._names.move_to_end((directory, short))
            if len(self._names) > _MOST_NAMES:
                self._names.popitem(last=False)

    def find(self, directory: NodeId, short: str) -> str | None:
        """The long name that the short one (in capitals) stood for until lately."""
        name, until = self._names.get((directory, short), ("", 0.0))
        return name if time.monotonic() < until else None


async def long_path(share: "Share", path: str) -> str:
    """The path with long names in place of short ones; what is not found so stays as it is."""
    if "~" not in path:
        return path
    directory = ""
    for name in path.split("/"):
        found = await _long_name(share, directory, name) if may_be_generated(name) else name
        directory = join(directory, found)
    return directory


async def _long_name(share: "Share", directory: str, name: str) -> str:
    try:
        (await share.fs.lookup(share.root, join(directory, name))).discard()
    except VfsError as error:
        if error.kind is not Kind.NOT_FOUND:
            return name
    else:
        return name
    may_wait()
    with contextlib.suppress(VfsError):  # whoever opens it gets to know why
        return await _name_of(share, directory, upcase(name)) or name
    return name


async def _name_of(share: "Share", directory: str, short: str) -> str | None:
    """The name in a directory that has this short name, or had it until lately."""
    handle = await share.fs.lookup(share.root, directory)
    try:
        names = await _names_of(handle, short)
        if not names and share.tunnel is not None:
            return share.tunnel.find(handle.node_id, short)
        return names[0] if len(names) == 1 else None
    finally:
        handle.discard()


async def _names_of(directory: Handle, short: str) -> list[str]:
    """The names in a directory that have this short name."""
    await directory.open_io(IoAccess.READ)
    stream = await directory.open_directory()
    names: list[str] = []
    try:
        while found := await stream.read(2, lambda name: short_name(name) == short, with_stat=False):
            names += [entry.name for entry in found]
    finally:
        stream.discard()
    return names
