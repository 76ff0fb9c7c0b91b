"""How requests are answered: at once if they have to wait for nobody, or else by their task.

Whatever is raised ends here: a FUSE loop does not survive an exception.
"""

import errno
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pyfuse3

from gateway.fuse.errors import errno_of
from gateway.fuse.turns import Passing, Turn
from gateway.fuse.waiting import Requests, is_shared_with_nobody
from gateway.nt.status import StatusError
from vfs_backends.errors import VfsError
from vfs_backends.inline import NotNow, run_inline

__all__ = ["Answering"]

log = logging.getLogger("gateway.fuse")

T = TypeVar("T")


class Answering:
    """Does operations. All raise `FUSEError`."""

    def __init__(self, requests: Requests, turn: Turn) -> None:
        self._requests = requests
        self._turn = turn

    async def answer(self, operation: Coroutine[Any, Any, T]) -> T:
        """The result of an operation that waits for nobody else."""
        await self._turn.take_back()
        try:
            return await Passing(operation, self._turn)
        except Exception as error:  # the mount's barrier for defects, like the one of `smb.dispatch`
            raise _refusal_of(error) from error

    async def ask(self, operation: Callable[..., Coroutine[Any, Any, T]], *args: object) -> T:
        """The same for one that seldom has to wait for the storage, and can be begun anew then."""
        try:
            return run_inline(operation(*args))
        except NotNow:
            pass
        except Exception as error:  # the barrier for defects, as in `answer`
            raise _refusal_of(error) from error
        return await self.answer(operation(*args))

    async def wait(self, pid: int, operation: Callable[..., Coroutine[Any, Any, T]], *args: object) -> T:
        """The same for one that may have to wait for others, and be interrupted."""
        try:
            return run_inline(operation(*args))
        except Exception as error:  # the barrier for defects, as in `answer`
            if not isinstance(error, NotNow) and not is_shared_with_nobody(error):
                raise _refusal_of(error) from error
        return await self.answer(self._requests.run(pid, operation, *args))


def _refusal_of(error: Exception) -> pyfuse3.FUSEError:
    """What the program is told; a defect is logged, and the mount lives."""
    if isinstance(error, pyfuse3.FUSEError):
        return error
    if isinstance(error, StatusError | VfsError):
        return pyfuse3.FUSEError(errno_of(error))
    log.error("a request failed", exc_info=error)
    return pyfuse3.FUSEError(errno.EIO)
