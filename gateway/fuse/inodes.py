"""What the kernel knows: inodes by their numbers, each with the names that lead to it.

A number is made of the share's name and of the storage's own inode number, so that it is the same after a restart, and
an NFS client's handle still good. An inode lives from the first look-up that the kernel is told of until it forgets
the last.
"""

import math
import zlib
from collections.abc import Iterator
from typing import Final

from gateway.fuse.exports import Mounted
from gateway.share.opens import Open
from vfs_backends.api import NodeId

__all__ = ["ROOT", "Inode", "Inodes"]

ROOT: Final = 1
"""The mount's own directory, whose entries are the shares."""

_INODE_BITS: Final = 48
_INODE_MASK: Final = (1 << _INODE_BITS) - 1
_SALTS: Final = 1 << (64 - _INODE_BITS)


class Inode:
    """A file that the kernel knows."""

    __slots__ = (
        "is_open",
        "is_root",
        "judged_until",
        "kept_until",
        "lookups",
        "mounted",
        "names",
        "node_id",
        "number",
        "opens",
        "unkept_until",
    )

    def __init__(self, number: int, mounted: Mounted, node_id: NodeId) -> None:
        self.number = number
        self.mounted = mounted
        self.node_id = node_id
        self.is_root = node_id == mounted.share.root.node_id
        """Whether it is the directory that the share is."""
        self.names: dict[tuple[Inode, str], None] = {}
        """The directories and names it was found under, the latest last. Empty for the root of a share, and for what
        has lost its name."""
        self.opens: list[Open] = []
        """Of this mount; they can be asked when there is no name any more."""
        self.lookups = 0
        """How often the kernel was told of it."""
        self.kept_until = -math.inf
        """On the clock `time.monotonic`: until then the kernel may answer by itself what it was told."""
        self.unkept_until = -math.inf
        """Until then it must not be told anything that it may keep."""
        self.is_open = False
        """Of a directory: everybody may look up names in it."""
        self.judged_until = -math.inf
        """Until then that is believed."""

    def path(self) -> str | None:
        """From the root of the share; None if no name is known."""
        parts: list[str] = []
        inode = self
        while not inode.is_root:
            if not inode.names or len(parts) > 4096:
                return None
            inode, name = next(reversed(inode.names))
            parts.append(name)
        return "/".join(reversed(parts))

    def paths(self) -> Iterator[str]:
        """By all names that are known, the latest first."""
        if self.is_root:
            yield ""
        for directory, name in reversed(list(self.names)):
            above = directory.path()
            if above is not None:
                yield f"{above}/{name}" if above else name


_NONE: Final[list[Inode]] = []


class Inodes:
    """All inodes of a mount but `ROOT`."""

    def __init__(self) -> None:
        self._by_number: dict[int, Inode] = {}
        self._by_node: dict[NodeId, list[Inode]] = {}
        """Of a file in several shares there is one for each."""
        self._by_name: dict[tuple[int, str], Inode] = {}
        self._salts: dict[int, tuple[Mounted, int]] = {}
        self._salt_of: dict[tuple[Mounted, int], int] = {}

    def __len__(self) -> int:
        return len(self._by_number)

    def get(self, number: int) -> Inode | None:
        return self._by_number.get(number)

    def find(self, mounted: Mounted, node_id: NodeId) -> Inode | None:
        """The inode of a file, if the kernel knows it."""
        for inode in self._by_node.get(node_id, _NONE):
            if inode.mounted is mounted:
                return inode
        return None

    def known(self, node_id: NodeId) -> list[Inode]:
        """What the kernel knows of a file, by each share that it is in."""
        return list(self._by_node.get(node_id, _NONE))

    def child(self, directory: Inode, name: str) -> Inode | None:
        """What was last found under this name, if the kernel knows it."""
        return self._by_name.get((directory.number, name))

    def children(self, directory: Inode) -> list[tuple[str, Inode]]:
        """All that the kernel knows in a directory."""
        return [(name, inode) for (number, name), inode in self._by_name.items() if number == directory.number]

    def origin(self, number: int) -> tuple[Mounted, int] | None:
        """Share and inode number of the storage that a number is made of, if shares were told of by `salt`."""
        found = self._salts.get(number >> _INODE_BITS)
        if found is None:
            return None
        mounted, device = found
        return (mounted, number & _INODE_MASK) if device == mounted.share.root.node_id.device else None

    def salt(self, mounted: Mounted, device: int) -> int:
        """What the numbers of a share's files on one device have in common: never 0, and the same on each start."""
        key = (mounted, device)
        salt = self._salt_of.get(key)
        if salt is None:
            is_main = device == mounted.share.root.node_id.device
            text = mounted.name if is_main else f"{mounted.name}\0{device}"
            salt = zlib.crc32(text.encode(errors="surrogatepass")) % (_SALTS - 1) + 1
            while salt in self._salts:
                salt = salt % (_SALTS - 1) + 1
            self._salts[salt] = key
            self._salt_of[key] = salt
        return salt

    def _new_number(self, mounted: Mounted, node_id: NodeId) -> int:
        inode = node_id.inode
        folded = (inode ^ inode >> _INODE_BITS) & _INODE_MASK
        number = self.salt(mounted, node_id.device) << _INODE_BITS | folded
        while (other := self._by_number.get(number)) is not None:
            if other.mounted is mounted and other.node_id[:2] == node_id[:2]:
                break  # the same inode of the storage, in a new life: the generation tells them apart
            number = (number & ~_INODE_MASK) | ((number + 1) & _INODE_MASK)
        return number

    def number(self, mounted: Mounted, node_id: NodeId) -> int:
        """The number that a file has, or would have."""
        inode = self.find(mounted, node_id)
        return inode.number if inode is not None else self._new_number(mounted, node_id)

    def enter(self, mounted: Mounted, node_id: NodeId) -> Inode:
        """The inode of a file, which becomes known if it was not."""
        inode = self.find(mounted, node_id)
        if inode is None:
            inode = Inode(self._new_number(mounted, node_id), mounted, node_id)
            former = self._by_number.get(inode.number)
            if former is not None:
                # The kernel counts by number.
                inode.lookups = former.lookups
                self._drop(former)
            self._keep(inode)
        return inode

    def enter_child(self, directory: Inode, name: str, node_id: NodeId) -> Inode:
        """The same, for what was found under a name."""
        key = (directory.number, name)
        inode = self._by_name.get(key)
        if inode is not None and inode.node_id == node_id:
            return inode
        if inode is not None:
            inode.names.pop((directory, name), None)
        inode = self.enter(directory.mounted, node_id)
        if not inode.is_root:
            inode.names[directory, name] = None
            self._by_name[key] = inode
        return inode

    def revive(self, inode: Inode) -> Inode:
        """What has become of an inode that may have been forgotten."""
        known = self.find(inode.mounted, inode.node_id)
        if known is not None:
            return known
        inode.lookups = 0
        self._keep(inode)
        for directory, name in inode.names:
            self._by_name[directory.number, name] = inode
        return inode

    def forget(self, number: int, lookups: int) -> None:
        """The kernel does not know it by so many look-ups any more."""
        inode = self._by_number.get(number)
        if inode is not None:
            inode.lookups -= lookups
            self.release(inode)

    def release(self, inode: Inode) -> None:
        """Drop it, if nobody needs it."""
        if inode.lookups <= 0 and not inode.opens:
            self._drop(inode)

    def remove_name(self, directory: Inode, name: str) -> None:
        """A name has gone."""
        inode = self._by_name.pop((directory.number, name), None)
        if inode is not None:
            inode.names.pop((directory, name), None)

    def move_name(self, directory: Inode, name: str, new_directory: Inode, new_name: str) -> None:
        """A name has become another one, in place of what had that."""
        inode = self._by_name.get((directory.number, name))
        self.remove_name(directory, name)
        self.remove_name(new_directory, new_name)
        if inode is not None:
            inode.names[new_directory, new_name] = None
            self._by_name[new_directory.number, new_name] = inode

    def exchange_names(self, mounted: Mounted, one: tuple[NodeId, str], other: tuple[NodeId, str]) -> None:
        """Two names, in directories of a share, have changed places."""
        places = [(self.find(mounted, node_id), name) for node_id, name in (one, other)]
        found = [None if directory is None else self.child(directory, name) for directory, name in places]
        for directory, name in places:
            if directory is not None:
                self.remove_name(directory, name)
        for (directory, name), inode in zip(places, reversed(found), strict=True):
            if directory is not None and inode is not None:
                inode.names[directory, name] = None
                self._by_name[directory.number, name] = inode

    def _keep(self, inode: Inode) -> None:
        self._by_number[inode.number] = inode
        self._by_node.setdefault(inode.node_id, []).append(inode)

    def _drop(self, inode: Inode) -> None:
        if self._by_number.get(inode.number) is inode:
            del self._by_number[inode.number]
        others = [other for other in self._by_node.pop(inode.node_id, _NONE) if other.mounted is not inode.mounted]
        if others:
            self._by_node[inode.node_id] = others
        for directory, name in inode.names:
            if self._by_name.get((directory.number, name)) is inode:
                del self._by_name[directory.number, name]
