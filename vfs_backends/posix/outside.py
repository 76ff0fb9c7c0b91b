"""What the kernel can do for those who use the storage beside the gateway: tell of changes, and share locks."""

import contextlib

from vfs_backends.api import Capability, ChangeWatcher
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.change_watcher import PosixChangeWatcher, check_watching
from vfs_backends.posix.kernel_locks import check_locking
from vfs_backends.posix.volume import Tree

__all__ = ["outside_capabilities", "watch_changes"]


def outside_capabilities(tree: Tree) -> Capability:
    """Which of WATCH and KERNEL_LOCKS a tree has."""
    found = Capability.NONE
    for capability, check in ((Capability.WATCH, _check_watching), (Capability.KERNEL_LOCKS, _check_locking)):
        with contextlib.suppress(VfsError):
            check(tree)
            found |= capability
    return found


def watch_changes(tree: Tree) -> ChangeWatcher:
    """See `FileSystem.watch_changes`."""
    _check_watching(tree)
    return PosixChangeWatcher()


def _check_watching(tree: Tree) -> None:
    _check_local(tree, "changes by others")
    check_watching(tree.root)


def _check_locking(tree: Tree) -> None:
    _check_local(tree, "locks of others")
    check_locking(tree.root)


def _check_local(tree: Tree, what: str) -> None:
    """Raise NOT_SUPPORTED where others may be on other machines, of whom the kernel knows nothing."""
    if tree.top.threads.always:
        raise VfsError(Kind.NOT_SUPPORTED, f"{what} on {tree.top.kind.name}: they may be elsewhere")
