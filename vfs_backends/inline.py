"""The inline pass: a request is run without ever suspending, or it is found out that it cannot be.

A server runs each request first *inline*: it drives the request's coroutine with a single `send(None)`,
outside of any scheduling. Whatever is about to wait (for a thread, a lock, another client) first calls
`may_wait`, which raises `NotNow` in such a pass; the server then runs the request again, from its beginning,
in a task of its own, where waiting is allowed.

Running again is only harmless as long as nothing has happened. So `point_of_no_return` stands before the first
effect. After it an inline pass goes on to its end without waiting (`committed` tells a backend that it must use
the calling thread, even if the call may block for a moment), and in a task it shields the request from
cancellation, so that no half state is left.

The state is one flag for the whole process: an inline pass never suspends, so no two passes overlap.
It belongs to the thread that runs the event loop; worker threads must not call this module.
"""

import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import trio

T = TypeVar("T")

__all__ = [
    "NotNow",
    "at_end",
    "begin_inline",
    "committed",
    "effect_scope",
    "end_inline",
    "first_effect",
    "may_suspend",
    "may_wait",
    "nothing_happened",
    "point_of_no_return",
    "run_inline",
    "run_to_end",
]

_TASK: Final = 0
_INLINE: Final = 1
_COMMITTED: Final = 2


class _Pass:
    __slots__ = ("ending", "state")

    def __init__(self) -> None:
        self.state = _TASK
        self.ending: list[Callable[[], None]] = []


_pass: Final = _Pass()
_SUSPENDED: Final = "suspended in an inline pass without calling may_wait()"

effect_scope: ContextVar[trio.CancelScope | None] = ContextVar("effect_scope", default=None)
"""In a task: the scope that `point_of_no_return` shields."""


class NotNow(Exception):
    """Raised in an inline pass by what would have to wait; nothing has happened yet."""


def may_wait() -> None:
    """Say that the caller is about to wait.

    Raises `NotNow` in an inline pass, and `RuntimeError` in one that has already had an effect (a defect of the
    caller, who must then do its work in the calling thread).
    """
    if _pass.state == _INLINE:
        raise NotNow
    if _pass.state == _COMMITTED:
        raise RuntimeError("an inline pass was about to wait after its first effect")


def committed() -> bool:
    """Whether this is an inline pass beyond its point of no return, which has to go on without waiting."""
    return _pass.state == _COMMITTED


def may_suspend() -> bool:
    """Whether this is no inline pass: then it can be suspended, and cancelled meanwhile."""
    return _pass.state == _TASK


def point_of_no_return() -> None:
    """Say that what follows has effects: the request is neither run again nor cancelled from here on."""
    if _pass.state == _INLINE:
        _pass.state = _COMMITTED
    elif _pass.state == _TASK:
        scope = effect_scope.get()
        if scope is not None:
            scope.shield = True


def nothing_happened() -> None:
    """Take `point_of_no_return` back: what was to be the first effect did not come about."""
    if _pass.state == _COMMITTED:
        _pass.state = _INLINE
    elif _pass.state == _TASK:
        scope = effect_scope.get()
        if scope is not None:
            scope.shield = False


def at_end(call: Callable[[], None]) -> None:
    """Have a call made when this inline pass, and those that follow it at once, are over. It must not raise."""
    _pass.ending.append(call)


async def first_effect(operation: Awaitable[T]) -> T:
    """Await an operation that is the first effect of a request, and decides by itself whether it must wait.

    If it succeeds, the point of no return is behind; if it fails, in an inline pass, nothing has happened yet. In a
    task it cannot be cancelled.
    """
    if _pass.state == _TASK:
        point_of_no_return()
    result = await operation
    point_of_no_return()
    return result


def run_inline(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive `coroutine` to its end without suspending, and return its result.

    Raises `NotNow` if it would have had to wait, and `RuntimeError` if it did wait without having said so.
    """
    begin_inline()
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        end_inline()
    coroutine.close()
    raise RuntimeError(f"{coroutine!r} {_SUSPENDED}")


def begin_inline() -> None:
    """What follows is an inline pass. For who has many of them in `run_to_end`, and ends the last by `end_inline`."""
    _pass.state = _INLINE


def end_inline() -> None:
    """What follows is no inline pass."""
    _pass.state = _TASK
    while _pass.ending:
        _pass.ending.pop()()


def run_to_end(coroutine: Coroutine[Any, Any, None]) -> None:
    """Drive to its end what never suspends; if it does all the same, it gets a `RuntimeError` there.

    Without a result, which costs an exception.
    """
    for _ in coroutine.__await__():
        with contextlib.suppress(StopIteration):
            while True:
                coroutine.throw(RuntimeError(_SUSPENDED))
        return
