"""What the kernel can do for those who use the storage beside the gateway: tell of changes, and share locks."""

import contextlib
from collections.abc import Callable

from vfs_backends.api import Capability, ChangeWatcher, OpenGuard, OutsideOpen
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.change_watcher import PosixChangeWatcher, check_watching
from vfs_backends.posix.failures import vfs_error
from vfs_backends.posix.kernel_locks import check_locking
from vfs_backends.posix.open_guard import PosixOpenGuard, check_guarding
from vfs_backends.posix.shared_files import SharedFiles, check_leases
from vfs_backends.posix.volume import Tree

__all__ = ["guard_opens", "outside_capabilities", "share_files", "watch_changes"]


def outside_capabilities(tree: Tree) -> Capability:
    """Which of WATCH, GUARD, KERNEL_LOCKS and KERNEL_LEASES a tree has."""
    found = Capability.KERNEL_LEASES if tree.shared is not None else Capability.NONE
    for capability, check in (
        (Capability.WATCH, _check_watching),
        (Capability.KERNEL_LOCKS, _check_locking),
        (Capability.GUARD, _check_guarding),
    ):
        with contextlib.suppress(VfsError):
            check(tree)
            found |= capability
    return found


def watch_changes(tree: Tree) -> ChangeWatcher:
    """See `FileSystem.watch_changes`."""
    _check_watching(tree)
    return PosixChangeWatcher()


def guard_opens(tree: Tree, asked: Callable[[OutsideOpen], None], seconds: float) -> OpenGuard:
    """See `FileSystem.guard_opens`."""
    _check_guarding(tree)
    return PosixOpenGuard(tree, asked, seconds)


def share_files(tree: Tree) -> SharedFiles:
    """What leases on a tree's files rest on. Raises `VfsError` if there can be none."""
    _check_local(tree, "kernel leases")
    try:
        check_leases(tree.root)
    except OSError as error:
        raise vfs_error(error, "kernel leases") from error
    return SharedFiles(acts_as_callers=tree.acts_as_callers)


def _check_guarding(tree: Tree) -> None:
    _check_local(tree, "opens by others")
    check_guarding(tree.root)


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
