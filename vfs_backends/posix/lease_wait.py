"""Waiting for others to give up their kernel leases on a file, fcntl(2): in time the kernel sees to it that they do."""

from collections.abc import Callable
from typing import Final

import trio

from vfs_backends.inline import committed, may_wait
from vfs_backends.posix.failures import vfs_error

__all__ = ["break_seconds", "once_given_up"]

_RETRY_SECONDS: Final = 0.03
_MARGIN_SECONDS: Final = 1.0


def break_seconds() -> float:
    """For so long the kernel lets others wait for a lease; then it takes it away."""
    with open("/proc/sys/fs/lease-break-time", encoding="ascii") as file:
        return float(file.read())


async def once_given_up(error: BlockingIOError, open_file: Callable[[], int], path: str) -> int:
    """What `open_file` returns, which has failed with `error`, when nobody's lease is in its way any more.

    Raises `VfsError`: BUSY where that takes too long, or nothing may be waited for.
    """
    if committed():
        raise vfs_error(error, path) from error
    may_wait()
    with trio.move_on_after(break_seconds() + _MARGIN_SECONDS):
        while True:
            await trio.sleep(_RETRY_SECONDS)
            try:
                return open_file()
            except BlockingIOError:
                continue
            except OSError as other:
                raise vfs_error(other, path) from other
    raise vfs_error(error, path) from error
