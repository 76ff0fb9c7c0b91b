"""Byte-range locks of clients as local programs see them, and the reverse. [MS-FSA] 2.1.5.8, 2.1.5.9.

All locks of a file that clients hold through a share are one holder's to the kernel: who of them may lock what is for
the store to say, and the kernel is only asked about the others.
"""

import logging
from collections.abc import Sequence

from gateway.share.mirroring import segments
from gateway.share.opens import Open
from gateway.share.record import LockEntry
from vfs_backends.api import LockSegment, NodeId
from vfs_backends.errors import Kind, VfsError
from vfs_backends.ofd_locks import LAST_OFFSET

__all__ = ["KernelLocks"]

log = logging.getLogger("gateway.vfs")

_EVERYTHING = (LockEntry(0, 0, LAST_OFFSET, exclusive=False),)


class KernelLocks:
    """Follows the locks of a share's clients."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._mirrored: set[NodeId] = set()
        """Files of which the kernel may know locks."""
        self._has_complained = False

    async def follow(self, one: Open, ranges: Sequence[LockEntry]) -> bool:
        """Let programs see what clients have locked of `ranges` by now; false if one of them is in the way."""
        if one.stream or one.is_directory:
            return True
        held = _held(one)
        if not held and one.node_id not in self._mirrored:
            return True
        self._mirrored.add(one.node_id)
        try:
            is_done = one.handle.set_locks(segments(ranges, held))
        except VfsError as error:
            if error.kind is Kind.BUSY:
                return False
            self._complain(error)
            return True
        if not held:
            self._forget(one)
        return is_done

    async def blocks(self, one: Open, wanted: LockSegment) -> bool:
        """Whether a program has locked what conflicts with reading, or writing, that range."""
        if one.is_directory:
            return False
        try:
            return one.handle.is_locked(wanted)
        except VfsError as error:
            self._complain(error)
            return False

    def closed(self, one: Open) -> None:
        """The open has no locks any more."""
        if one.stream or one.node_id not in self._mirrored:
            return
        held = _held(one)
        if not held:
            self._forget(one)
            return
        try:
            one.handle.set_locks(segments(_EVERYTHING, held))
        except VfsError as error:
            self._complain(error)

    def _forget(self, one: Open) -> None:
        self._mirrored.discard(one.node_id)
        one.handle.drop_locks()

    def _complain(self, error: VfsError) -> None:
        if not self._has_complained:
            self._has_complained = True
            log.warning("%s: local programs do not see some locks: %s", self._name, error)


def _held(one: Open) -> list[LockEntry]:
    record = one.share.record(one)
    return [] if record is None else [lock for lock in record.locks if not lock.stream]
