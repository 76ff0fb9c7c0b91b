"""Typed, 8-byte aligned lists: negotiate contexts and tree connect contexts ([MS-SMB2] 2.2.3.1, 2.2.9.2)."""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

from gateway.wire.codec import align8, join_aligned, take
from gateway.wire.errors import WireError

__all__ = ["MAX_CONTEXTS", "TypedContext", "pack_contexts", "parse_contexts"]

_HEAD = struct.Struct("<HHI")

MAX_CONTEXTS: Final = 32
"""There are eight types; nobody needs more than this, and it is read before anyone has authenticated."""


class TypedContext(NamedTuple):
    """A context before it is understood."""

    type: int
    data: memoryview | bytes


def parse_contexts(message: memoryview, offset: int, count: int, *, at_least: int) -> tuple[TypedContext, ...]:
    """Walk `count` contexts that begin at `offset`, not before `at_least`; raises `WireError`.

    Each begins at a multiple of eight from the first. Some clients do not align the first: smbprotocol 1.17 with two
    dialects.
    """
    if count > MAX_CONTEXTS:
        raise WireError(f"{count} contexts")
    contexts = []
    for _ in range(count):
        kind, length, _reserved = _HEAD.unpack(take(message, offset, _HEAD.size, at_least=at_least))
        contexts.append(TypedContext(kind, take(message, offset + _HEAD.size, length)))
        offset += align8(_HEAD.size + length)
    return tuple(contexts)


def pack_contexts(contexts: Iterable[tuple[int, memoryview | bytes]]) -> bytes:
    """Build the list; it has to stand at a multiple of eight."""
    return join_aligned(_HEAD.pack(kind, len(data), 0) + data for kind, data in contexts)
