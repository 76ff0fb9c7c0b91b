"""Named streams in extended attributes, as Samba's streams_xattr keeps them.

A stream is the attribute `user.DosStream.<name>:$DATA`: its contents and a byte of zero after them. KSMBD writes the
same name without that byte; so a value that ends in another byte is taken as it is, and gets Samba's form when it is
written to. The type is left out by Samba if so configured, and is `:$INDEX_ALLOCATION` on directories in KSMBD.

What does not fit into an attribute is in the `sidestore`, and `user.smbgate.stream.<name>` holds where. Functions here
take a path that stands for an O_PATH descriptor, work as a whole in one thread, and raise OSError and VfsError.
"""

import contextlib
import errno
import os
import secrets
from typing import NamedTuple

from vfs_backends.api import Fold, NodeId, StreamEntry
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix.names import name_from_bytes, text_to_bytes
from vfs_backends.posix.sidestore import SideStore

__all__ = ["Place", "aside_tokens", "create", "find", "list_streams", "load", "move_aside", "remove", "rename", "store"]

LARGEST = 65536
"""No file system takes a longer value."""

_PREFIX = "user.DosStream."
_ASIDE = "user.smbgate.stream."
_EXTENT = "user.DosStreamExt."
_TYPES = (":$DATA", ":$INDEX_ALLOCATION")
_MAX_ATTRIBUTE_NAME = 255
_TOO_LARGE = frozenset({errno.ENOSPC, errno.E2BIG, errno.ERANGE})
"""What a file system says that keeps attributes in the inode or in one block."""


class Place(NamedTuple):
    """Where a stream is kept."""

    name: str
    """As it is spelled."""
    key: bytes
    """The attribute's name."""
    is_aside: bool


def key_of(name: str) -> bytes:
    """The attribute of a stream. Raises NAME_INVALID, NAME_TOO_LONG."""
    if not name or not {"\0", "/", ":"}.isdisjoint(name):
        raise VfsError(Kind.NAME_INVALID, repr(name))
    key = text_to_bytes(f"{_PREFIX}{name}{_TYPES[0]}")
    if len(key) > _MAX_ATTRIBUTE_NAME:
        raise VfsError(Kind.NAME_TOO_LONG, repr(name))
    return key


def _aside_key(name: str) -> bytes:
    return text_to_bytes(_ASIDE + name)


def _places(target: bytes) -> dict[str, Place]:
    """All streams by name. One that was about to be moved aside when the process died counts as moved."""
    found: dict[str, Place] = {}
    for listed in os.listxattr(target):
        if listed.startswith(_PREFIX):
            raw = os.fsencode(listed)
            name = name_from_bytes(raw)[len(_PREFIX) :]
            for suffix in _TYPES:
                name = name.removesuffix(suffix)
            found.setdefault(name, Place(name, raw, is_aside=False))
        elif listed.startswith(_ASIDE):
            raw = os.fsencode(listed)
            name = name_from_bytes(raw)[len(_ASIDE) :]
            found[name] = Place(name, raw, is_aside=True)
    return found


def find(target: bytes, name: str, fold: Fold) -> Place | None:
    """Where the stream of this name is, by its exact spelling or by its folded form; None if there is none."""
    places = _places(target)
    found = places.get(name)
    if found is None:
        wanted = fold(name)
        found = min((place for place in places.values() if fold(place.name) == wanted), default=None)
    return found


def create(target: bytes, name: str, fold: Fold) -> Place:
    """Make an empty stream. Raises EXISTS."""
    key = key_of(name)
    if find(target, name, fold) is not None:
        raise VfsError(Kind.EXISTS, name)
    os.setxattr(target, key, b"\0", os.XATTR_CREATE)
    return Place(name, key, is_aside=False)


def token_at(target: bytes, key: bytes) -> str:
    """What leads to the side store."""
    return os.getxattr(target, key).decode("ascii", "replace")


def load(target: bytes, key: bytes) -> bytes:
    """The contents of a stream that is in its attribute. Raises STALE if it is gone."""
    try:
        value = os.getxattr(target, key)
    except OSError as error:
        if error.errno == errno.ENODATA:
            raise VfsError(Kind.STALE, name_from_bytes(key)) from error
        raise
    return _contents(target, value)


def _contents(target: bytes, value: bytes) -> bytes:
    last = value[-1:]
    if last in (b"", b"\0"):
        return value[:-1]
    # Samba 4.24 may continue a stream in further attributes, whose number is the last byte.
    if any(listed.startswith(_EXTENT) for listed in os.listxattr(target)):
        raise VfsError(Kind.NOT_SUPPORTED, "a stream in several attributes")
    return value


def store(target: bytes, key: bytes, contents: bytes) -> bool:
    """Replace the contents; False if they are too large for an attribute. Raises STALE if the stream is gone."""
    if len(contents) >= LARGEST:
        return False
    try:
        os.setxattr(target, key, contents + b"\0", os.XATTR_REPLACE)
    except OSError as error:
        if error.errno == errno.ENODATA:
            raise VfsError(Kind.STALE, name_from_bytes(key)) from error
        if error.errno in _TOO_LARGE:
            return False
        raise
    return True


def move_aside(target: bytes, place: Place, node_id: NodeId, side: SideStore) -> tuple[Place, int]:
    """Give a stream a file of its own; with a descriptor of that file."""
    contents = load(target, place.key)
    token = secrets.token_hex(16)
    fd = side.open(node_id, token, create=True)
    try:
        done = 0
        while done < len(contents):
            done += os.pwrite(fd, contents[done:], done)
        key = _aside_key(place.name)
        _replace(target, place.key, contents + b"\0", key, token.encode())
    except BaseException:  # whatever it is: nothing leads to that file
        os.close(fd)
        side.remove(node_id, [token])
        raise
    return Place(place.name, key, is_aside=True), fd


def _replace(target: bytes, old: bytes, old_value: bytes, new: bytes, value: bytes) -> None:
    """Put one attribute in the place of another; where there is no room for both, for a moment there is none."""
    try:
        os.setxattr(target, new, value)
    except OSError as error:
        if error.errno not in _TOO_LARGE:
            raise
        os.removexattr(target, old)
        try:
            os.setxattr(target, new, value)
        except OSError:
            os.setxattr(target, old, old_value)
            raise
        return
    os.removexattr(target, old)


def remove(target: bytes, place: Place, node_id: NodeId, side: SideStore) -> None:
    """Remove a stream and what is kept aside of it."""
    if place.is_aside:
        token = token_at(target, place.key)
        with contextlib.suppress(OSError):  # of one that was about to be moved
            os.removexattr(target, key_of(place.name))
        os.removexattr(target, place.key)
        side.remove(node_id, [token])
    else:
        os.removexattr(target, place.key)


def rename(target: bytes, place: Place, new_name: str) -> Place:
    """Let a stream have another name, which no other one has."""
    key = key_of(new_name)
    if place.is_aside:
        key = _aside_key(new_name)
    if key != place.key:
        value = os.getxattr(target, place.key)
        _replace(target, place.key, value, key, value)
    return Place(new_name, key, place.is_aside)


def list_streams(target: bytes, node_id: NodeId, side: SideStore) -> list[StreamEntry]:
    """All streams; one that is kept aside and not found there counts as empty."""
    entries = []
    for place in _places(target).values():
        try:
            if place.is_aside:
                entries.append(_aside_entry(target, place, node_id, side))
            else:
                size = len(load(target, place.key))
                entries.append(StreamEntry(place.name, size, size))
        except VfsError as error:
            if error.kind is not Kind.STALE:  # removed since
                raise
    return entries


def _aside_entry(target: bytes, place: Place, node_id: NodeId, side: SideStore) -> StreamEntry:
    try:
        status = side.stat(node_id, token_at(target, place.key))
    except FileNotFoundError:
        return StreamEntry(place.name, 0, 0)
    return StreamEntry(place.name, status.st_size, status.st_blocks * 512)


def aside_tokens(target: bytes) -> list[str]:
    """What of a file's streams is in the side store."""
    return [token_at(target, place.key) for place in _places(target).values() if place.is_aside]
