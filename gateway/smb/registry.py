"""Which handler serves a command, and what must be there before it is called."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, Protocol, Self, TypeVar

from gateway.smb.answer import AtHand, Result
from gateway.smb.context import ConnectionContext

__all__ = ["COMMANDS", "SESSIONLESS", "Begun", "Command", "command"]


class Parsed(Protocol):
    """A request structure of `gateway.wire`."""

    @classmethod
    def parse(cls, message: memoryview) -> Self: ...


C = TypeVar("C", bound=ConnectionContext)
R = TypeVar("R", bound=Parsed)

Begun = AtHand | Coroutine[Any, Any, Result]
"""What the call of a handler gives: the result, if that is at hand, or else what is to be awaited for it."""
Handler = Callable[[C, R], Begun]


class Command:
    """A row of the table: how the request is read, who answers, and the level of the context that this needs."""

    __slots__ = ("handler", "level", "parse")

    def __init__(
        self,
        parse: Callable[[memoryview], Any],
        handler: Callable[[Any, Any], Begun],
        level: int,
    ) -> None:
        self.parse = parse
        self.handler = handler
        self.level = level


COMMANDS: Final[dict[int, Command]] = {}
SESSIONLESS: Final[dict[int, Command]] = {}
"""How commands that need a session are answered to who has none. Empty but in tests of the server."""


def command(opcode: int, request: type[R], context: type[C]) -> Callable[[Handler[C, R]], Handler[C, R]]:
    """Register a handler for `opcode`.

    It is called with a context of type `context`, whose session, tree and open were found and are valid, and the
    parsed `request`. It may be a coroutine function; what can often be answered without waiting is better a plain one,
    which then spares the coroutine.
    """

    def register(handler: Handler[C, R]) -> Handler[C, R]:
        if opcode in COMMANDS:
            raise ValueError(f"two handlers for command {opcode:#x}")
        COMMANDS[opcode] = Command(request.parse, handler, context.LEVEL)
        return handler

    return register
