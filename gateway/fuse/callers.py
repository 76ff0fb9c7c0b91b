"""Who asks: the token of the process behind a request."""

import time
from collections.abc import Callable
from typing import Final

import pyfuse3

from acl.token import Token

__all__ = ["Callers", "MakeToken"]

MakeToken = Callable[[int, int, tuple[int, ...]], Token]
"""From uid, gid and supplementary groups."""

_SECONDS: Final = 1.0
"""For so long a process is taken to be in the groups that it was in."""
_LIMIT: Final = 4096


class Callers:
    """Makes tokens, and keeps them for a moment.

    The kernel tells a process' ids, but not its supplementary groups, which have to be read from /proc.
    """

    def __init__(self, make: MakeToken) -> None:
        self._make = make
        self._by_process: dict[tuple[int, int, int], tuple[float, Token]] = {}
        self._by_ids: dict[tuple[int, int, tuple[int, ...]], Token] = {}

    def token(self, ctx: pyfuse3.RequestContext) -> Token:
        key = (ctx.pid, ctx.uid, ctx.gid)
        now = time.monotonic()
        known = self._by_process.get(key)
        if known is not None and now < known[0]:
            return known[1]
        ids = (ctx.uid, ctx.gid, _groups(ctx.pid, ctx.gid))
        token = self._by_ids.get(ids)
        if token is None:
            if len(self._by_ids) >= _LIMIT:
                self._by_ids.clear()
            token = self._by_ids[ids] = self._make(*ids)
        if len(self._by_process) >= _LIMIT:
            self._by_process.clear()
        self._by_process[key] = (now + _SECONDS, token)
        return token


def _groups(pid: int, gid: int) -> tuple[int, ...]:
    """The supplementary groups of a process; just its own group if it cannot be seen (any more)."""
    if pid:
        try:
            return tuple(sorted(pyfuse3.get_sup_groups(pid)))
        except (OSError, RuntimeError):
            pass
    return (gid,)
