"""Whose credentials a ring has: those who came last, each as `identity.act_as` makes the thread for them."""

import errno
import logging
from typing import Final

from vfs_backends.api import Caller
from vfs_backends.posix.identity import act_as
from vfs_backends.posix.ring import Ring
from vfs_backends.posix.syscalls import How

__all__ = ["UNAVAILABLE", "Personalities"]

log = logging.getLogger(__name__)

UNAVAILABLE: Final = -errno.ENOSYS
_NONE: Final = 0


class Personalities:
    """Opens in one way, with the rights of callers; for the thread of the event loop.

    The ring is made when it is first needed; if there can be none, which is decided once, or none for somebody, every
    answer is UNAVAILABLE.
    """

    def __init__(self, how: How, most: int = 256) -> None:
        """`how` never waits. `most`: callers whose credentials are kept."""
        self._how = how
        self._most = most
        self._ring: Ring | None = None
        self._is_decided = False
        self._known: dict[tuple[int, int, tuple[int, ...]], int] = {}
        """By user, group and groups; who was turned to last comes last."""
        self._caller: Caller | None = None
        self._number = _NONE
        """Of this caller."""

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()
        self._ring, self._is_decided, self._caller = None, True, None

    def openat2(self, caller: Caller, directory: int, path: bytes) -> int:
        """The new descriptor, or the negative error number; EAGAIN if it would take waiting.

        Raises ValueError for a path of PATH_MAX bytes or more.
        """
        if caller is not self._caller and not self._turn_to(caller, directory):
            return UNAVAILABLE
        ring = self._ring
        return UNAVAILABLE if ring is None else ring.openat2(directory, path, self._number)

    def _turn_to(self, caller: Caller, directory: int) -> bool:
        ring = self._ring if self._is_decided else self._decide(directory)
        if ring is None or not ring.is_open:
            return False
        ids = caller.uid, caller.gid, caller.groups
        number = self._known.pop(ids, _NONE) or self._register(ring, caller)
        if number == _NONE:
            return False
        self._known[ids] = number
        self._caller, self._number = caller, number
        return True

    def _decide(self, directory: int) -> Ring | None:
        self._is_decided = True
        try:
            self._ring = Ring(self._how, directory)
        except OSError as error:
            log.debug("paths are looked up without io_uring: %s", error)
        return self._ring

    def _register(self, ring: Ring, caller: Caller) -> int:
        if len(self._known) >= self._most:
            ring.unregister(self._known.pop(next(iter(self._known))))
            self._caller = None
        try:
            return act_as(caller, ring.register)
        except OSError as error:
            log.debug("no credentials are kept of user %d: %s", caller.uid, error)
            return _NONE
