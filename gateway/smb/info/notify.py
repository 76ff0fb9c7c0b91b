"""FILE_NOTIFY_INFORMATION: [MS-FSCC] 2.7.1."""

from collections.abc import Sequence
from struct import Struct

from gateway.share.notify import Change

__all__ = ["pack_changes"]

_HEAD = Struct("<III")
_ALIGNMENT = 4


def pack_changes(changes: Sequence[Change], limit: int) -> bytes | None:
    """The changes in order; None if they do not fit into `limit` bytes, for a client must not get only some."""
    parts: list[bytes] = []
    size = 0
    last = len(changes) - 1
    for number, change in enumerate(changes):
        name = change.name.replace("/", "\\").encode("utf-16-le", "surrogatepass")
        length = _HEAD.size + len(name)
        padding = -length % _ALIGNMENT if number < last else 0
        size += length + padding
        if size > limit:
            return None
        parts += (_HEAD.pack(length + padding if number < last else 0, change.action, len(name)), name, bytes(padding))
    return b"".join(parts)
