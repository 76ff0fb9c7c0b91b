"""Shares that have files in common, since the directory of the one is, or is within, that of the other.

Share modes, leases and locks are about files, and hold in all of them anyhow. What is about names has to be carried
over: where open files are now ([MS-FSA] 2.1.5.15.11), and who watches a directory (2.1.4.1).
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from gateway.share.paths import is_below, join

if TYPE_CHECKING:
    from gateway.share.share import Share

__all__ = ["Family", "Kin", "places"]


class Kin(NamedTuple):
    """Another share. One of the paths is empty: that of the share whose directory is the upper one."""

    share: "Share"
    below: str
    """Where its root is in one's own share."""
    above: str
    """Where one's own root is in it."""

    def path(self, path: str) -> str | None:
        """What a path of one's own share is there; None if it is outside of it."""
        if self.below and path != self.below:
            if not is_below(path, self.below):
                return None
            path = path[len(self.below) + 1 :]
        elif self.below:
            path = ""
        return join(self.above, path) if path else self.above


class Family:
    """The shares that run, by the real paths of their directories."""

    def __init__(self) -> None:
        self._members: dict[Share, str] = {}

    def enter(self, share: "Share", directory: str) -> None:
        """A share has begun."""
        for other, where in self._members.items():
            below, above = _relative(where, directory), _relative(directory, where)
            if below is not None or above is not None:
                share.kin.append(Kin(other, below or "", above or ""))
                other.kin.append(Kin(share, above or "", below or ""))
        self._members[share] = directory

    def leave(self, share: "Share") -> None:
        """A share has come to its end. Does nothing if it never began."""
        if self._members.pop(share, None) is not None:
            for kin in share.kin:
                kin.share.kin[:] = [one for one in kin.share.kin if one.share is not share]
            share.kin.clear()


def _relative(path: str, directory: str) -> str | None:
    """The way from a directory to a path that is within it."""
    above = directory.rstrip("/") + "/"
    return path[len(above) :] if path.startswith(above) else "" if path == directory else None


def places(share: "Share", path: str) -> "Iterator[tuple[Share, str]]":
    """Where a path leads in the share itself, and in all others that have it."""
    yield share, path
    for kin in share.kin:
        there = kin.path(path)
        if there is not None:
            yield kin.share, there
        elif is_below(kin.below, path):
            # All of it is in there.
            yield kin.share, ""
