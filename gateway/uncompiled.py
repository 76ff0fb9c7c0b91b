"""What modules that mypyc compiles leave to the interpreter, and why this one is never compiled itself.

In compiled code, a coroutine that is suspended within an `except` or `finally` clause leaves the exception that it
handles to whoever runs next, and what it raises at the end of the clause may be what somebody else is handling. The
same goes for the end of `async with`. So those modules clean up by `raise_after`, and have their nurseries here.
"""

from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

import trio

__all__ = ["in_nursery", "raise_after"]

T = TypeVar("T")


async def raise_after(cleanup: Awaitable[object], error: BaseException) -> NoReturn:
    """Await `cleanup` as if within the `except` clause that caught `error`, and raise that again.

    To be called in the clause, and to be awaited behind it. What `cleanup` raises takes the place of `error`.
    """
    try:
        raise error
    except BaseException:  # whatever it is, as was the caller's
        del error  # which has this frame in its traceback
        await cleanup
        raise


async def in_nursery(work: Callable[[trio.Nursery], Awaitable[T]]) -> T | None:
    """Do `work` with a new nursery; what it returns, when all tasks in the nursery have ended.

    None if the nursery was cancelled before `work` was done.
    """
    result = None
    async with trio.open_nursery() as nursery:
        result = await work(nursery)
    return result
