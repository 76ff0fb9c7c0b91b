"""What an in-memory file system is made of: contents in chunks, and nodes."""

import stat as stat_module
from collections.abc import Callable
from dataclasses import dataclass, field

from vfs_backends.api import NodeId, Stat
from vfs_backends.errors import Kind, VfsError
from vfs_backends.folding import FoldedNames

__all__ = ["CHUNK", "Contents", "Node", "Stream", "Usage", "check_name", "check_stream_name", "stored_length"]

CHUNK = 65536
MAX_SIZE = 2**63 - 1
MAX_NAME = 255


class Usage:
    """Counts the bytes in use, and refuses more than there are."""

    __slots__ = ("capacity", "files", "used")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.used = 0
        self.files = 0

    def take(self, size: int) -> None:
        if self.used + size > self.capacity:
            raise VfsError(Kind.NO_SPACE)
        self.used += size


class Contents:
    """The bytes of a file, in chunks; a chunk never written is a hole and takes no space."""

    __slots__ = ("_chunks", "_usage", "size")

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._chunks: dict[int, bytearray] = {}
        self.size = 0

    @property
    def allocated(self) -> int:
        return len(self._chunks) * CHUNK

    def read_into(self, offset: int, buffer: memoryview) -> int:
        length = max(0, min(len(buffer), self.size - offset))
        done = 0
        while done < length:
            index, start = divmod(offset + done, CHUNK)
            part = min(CHUNK - start, length - done)
            chunk = self._chunks.get(index)
            buffer[done : done + part] = bytes(part) if chunk is None else memoryview(chunk)[start : start + part]
            done += part
        return length

    def write(self, offset: int, data: memoryview) -> None:
        end = offset + len(data)
        if end > MAX_SIZE:
            raise VfsError(Kind.TOO_LARGE, f"{end} bytes")
        if not len(data):
            return
        self.reserve(offset, end)
        done = 0
        while done < len(data):
            index, start = divmod(offset + done, CHUNK)
            part = min(CHUNK - start, len(data) - done)
            self._chunks[index][start : start + part] = data[done : done + part]
            done += part
        self.size = max(self.size, end)

    def reserve(self, start: int, end: int) -> None:
        """Give the bytes from `start` to `end` their chunks."""
        if end - start > self._usage.capacity + CHUNK:
            raise VfsError(Kind.NO_SPACE)
        missing = [n for n in range(start // CHUNK, -(-end // CHUNK)) if n not in self._chunks]
        self._usage.take(len(missing) * CHUNK)
        for index in missing:
            self._chunks[index] = bytearray(CHUNK)

    def resize(self, size: int) -> None:
        if size > MAX_SIZE:
            raise VfsError(Kind.TOO_LARGE, f"{size} bytes")
        if size < self.size:
            last, rest = divmod(size, CHUNK)
            for index in [n for n in self._chunks if n > last or (n == last and rest == 0)]:
                del self._chunks[index]
                self._usage.used -= CHUNK
            if last in self._chunks:
                self._chunks[last][rest:] = bytes(CHUNK - rest)
        self.size = size

    def clear(self) -> None:
        self._usage.used -= self.allocated
        self._chunks.clear()
        self.size = 0


@dataclass(slots=True, eq=False)
class Stream:
    """A named stream."""

    name: str
    contents: Contents
    is_removed: bool = False

    def remove(self) -> None:
        self.is_removed = True
        self.contents.clear()


@dataclass(slots=True, eq=False)
class Node:
    """A file or directory. Times in nanoseconds since 1970."""

    inode: int
    generation: int
    mode: int
    uid: int
    gid: int
    contents: Contents
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    birthtime_ns: int
    nlink: int = 1
    opens: int = 0
    version: int = 0
    rdev: int = 0
    dos_attributes: int | None = None
    security: bytes | None = None
    xattrs: dict[str, bytes] = field(default_factory=dict)
    needed_xattrs: tuple[str, ...] = ()
    streams: dict[str, Stream] = field(default_factory=dict)
    """By folded name."""
    children: dict[str, "Node"] = field(default_factory=dict)
    folded: FoldedNames | None = None
    """Set for directories only."""
    names: list[tuple["Node", str]] = field(default_factory=list)
    """The directories this node is in, and its name there."""

    @property
    def is_directory(self) -> bool:
        return stat_module.S_ISDIR(self.mode)

    @property
    def path(self) -> str:
        if not self.names:
            return ""
        parent, name = self.names[0]
        above = parent.path
        return f"{above}/{name}" if above else name

    def attach(self, name: str, child: "Node") -> None:
        self.children[name] = child
        child.names.append((self, name))
        if self.folded is not None:
            self.folded.add(name)
        if child.is_directory:
            self.nlink += 1

    def detach(self, name: str) -> "Node":
        child = self.children.pop(name)
        child.names.remove((self, name))
        if self.folded is not None:
            self.folded.remove(name)
        if child.is_directory:
            self.nlink -= 1
        return child

    def stat(self, device: int) -> Stat:
        return Stat(
            NodeId(device, self.inode, self.generation),
            self.mode,
            self.nlink,
            self.uid,
            self.gid,
            self.contents.size,
            self.contents.allocated,
            self.atime_ns,
            self.mtime_ns,
            self.ctime_ns,
            self.birthtime_ns,
            self.dos_attributes,
            self.rdev,
            self.version,
            bool(self.xattrs),
        )

    def clear(self) -> None:
        """Give up all contents."""
        self.contents.clear()
        for stream in self.streams.values():
            stream.remove()

    def changed(self, clock: Callable[[], int], *, contents: bool = False) -> None:
        now = clock()
        self.ctime_ns = now
        self.version += 1
        if contents:
            self.mtime_ns = now


def stored_length(name: str) -> int:
    """Bytes that a name takes; a lone surrogate counts three."""
    return len(name) if name.isascii() else len(name.encode("utf-8", "surrogatepass"))


def check_name(name: str) -> None:
    """Raises NAME_INVALID or NAME_TOO_LONG for what cannot be a single name."""
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise VfsError(Kind.NAME_INVALID, repr(name))
    if stored_length(name) > MAX_NAME:
        raise VfsError(Kind.NAME_TOO_LONG, repr(name))


def check_stream_name(name: str) -> None:
    """Raises NAME_INVALID or NAME_TOO_LONG for what cannot name a stream."""
    if not name or not {"\0", "/", ":"}.isdisjoint(name):
        raise VfsError(Kind.NAME_INVALID, repr(name))
    if stored_length(name) > MAX_NAME:
        raise VfsError(Kind.NAME_TOO_LONG, repr(name))
