"""What a file leaves in the side store when it loses its last name."""

import contextlib

from vfs_backends.api import NodeId
from vfs_backends.posix.handles import PosixHandle
from vfs_backends.posix.stats import fields_of
from vfs_backends.posix.streams import aside_tokens
from vfs_backends.posix.syscalls import proc_path
from vfs_backends.posix.volume import Tree, Volume

__all__ = ["Aside", "Remains"]

Aside = tuple[NodeId, list[str]]
"""A file, and what leads to its streams in the side store."""


class Remains:
    """Looked at before a name goes, and removed after it has gone."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @property
    def possible(self) -> bool:
        """Whether there may be anything in the side store."""
        return self._tree.streams is not None and self._tree.streams.side.in_use

    async def of(self, handle: PosixHandle) -> Aside | None:
        """What is there of a file that is about to lose a name, if that is its last one. Raises VfsError."""
        return await handle.ask(_last_aside, handle)

    async def remove(self, volume: Volume, doomed: Aside) -> None:
        """Remove it; what cannot be removed is at the next start."""
        table = self._tree.streams
        if table is not None:
            with contextlib.suppress(OSError):
                await volume.threads.change(lambda: table.side.remove(*doomed))


def _last_aside(handle: PosixHandle) -> Aside | None:
    if not handle.is_directory and fields_of(handle.fd)[1] > 1:
        return None
    tokens = aside_tokens(proc_path(handle.fd))
    return (handle.node_id, tokens) if tokens else None
