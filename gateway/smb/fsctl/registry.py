"""Which function serves a control code, and whether it means a file. [MS-SMB2] 3.3.5.15."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.smb.context import TreeContext
from gateway.smb.opens import SmbOpen
from gateway.wire.ioctl import IoctlRequest

__all__ = ["CONTROLS", "Control", "Output", "control"]


class Output(NamedTuple):
    """What a control gives back."""

    data: bytes = b""
    status: int = 0
    padding: int = 0
    """Bytes that stand before the data beyond what alignment takes."""


Handler = Callable[[TreeContext, IoctlRequest, SmbOpen | None], Coroutine[Any, Any, Output]]


@dataclass(frozen=True, slots=True)
class Control:
    handler: Handler
    needs_open: bool
    """Whether its file id must name an open; otherwise it is not looked at."""


CONTROLS: dict[int, Control] = {}


def control(code: int, *, needs_open: bool = True) -> Callable[[Handler], Handler]:
    """Register a handler for a control code."""

    def register(handler: Handler) -> Handler:
        if code in CONTROLS:
            raise ValueError(f"two handlers for control {code:#x}")
        CONTROLS[code] = Control(handler, needs_open)
        return handler

    return register
