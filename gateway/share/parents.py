"""The directory by which the access to a file was granted, kept until the inline pass is over.

To open a file for deletion and to delete it takes the same directory, and a client does both in one compound. Nobody
is served in between, and what others do to the directory meanwhile is as good as done a moment later: the name that
goes must lead to the very file.
"""

from typing import Final

from vfs_backends.api import Handle
from vfs_backends.inline import at_end, may_suspend

__all__ = ["forget_parent", "keep_parent", "take_parent"]


class _Kept:
    """One is enough: inline passes do not overlap."""

    __slots__ = ("handle", "parent")

    def __init__(self) -> None:
        self.handle: Handle | None = None
        self.parent: Handle | None = None


_kept: Final = _Kept()


def keep_parent(handle: Handle, parent: Handle) -> None:
    """Take over a path handle on the directory that the file behind `handle` was just found in."""
    if may_suspend():
        parent.discard()
        return
    if _kept.parent is None:
        at_end(forget_parent)
    else:
        _kept.parent.discard()
    _kept.handle, _kept.parent = handle, parent


def take_parent(handle: Handle, path: str) -> Handle | None:
    """What was kept for this very handle, if that is the directory at `path`; it is the caller's then."""
    parent = _kept.parent
    if parent is None or _kept.handle is not handle or parent.path != path:
        return None
    _kept.handle = _kept.parent = None
    return parent


def forget_parent() -> None:
    """Give up what is kept: directories may have other names now."""
    parent, _kept.handle, _kept.parent = _kept.parent, None, None
    if parent is not None:
        parent.discard()
