"""How the bodies are declared of which most requests consist: dataclasses, each with a `Layout` ([MS-SMB2] 2.2).

    @dataclass
    class EchoRequest:
        structure_size: int = 4
        reserved: int = 0

    _REQUEST: Final = Layout(EchoRequest, "HH")

What `Layout.unpack` gives, `parse` assigns to the fields of an instance that no `__init__` has made. So mypyc makes a
native class of it, which it cannot of what `gateway.wire.codec.wire` decorates: there the layout is in the annotations,
of which nothing is left in a compiled module. Nor is ClassVar, so these classes have none.
"""

import struct
from collections.abc import Callable
from dataclasses import Field, fields
from operator import attrgetter
from typing import Any, ClassVar, Final, Protocol

from gateway.wire.errors import WireError

__all__ = ["BODY", "Layout"]

BODY: Final = 64
"""Where a command's body begins: behind the SMB2 header, from which all offsets count."""


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


class Layout:
    """The packed fields of a body: the first of its dataclass, as many as `codes` (of `struct`) stand for.

    They are little-endian and without padding. The first is the structure size, and its default what it must be.
    """

    __slots__ = ("_name", "_structure_size", "_unpack", "_values", "end", "packed", "packed_into")

    def __init__(self, of: type[_Dataclass], codes: str) -> None:
        layout = struct.Struct("<" + codes)
        names = [field.name for field in fields(of)]
        count = len(layout.unpack(bytes(layout.size)))
        self.end = BODY + layout.size
        """Where the variable part may begin at the earliest, counted from the header."""
        self.packed: Callable[..., bytes] = layout.pack
        """The packed fields of these values."""
        self.packed_into: Callable[..., None] = layout.pack_into
        """Write them into a buffer, at an offset."""
        self._name = of.__name__
        default: Any = fields(of)[0].default
        self._structure_size: int = default
        self._unpack: Callable[[memoryview, int], tuple[Any, ...]] = layout.unpack_from
        self._values: Callable[[Any], tuple[Any, ...]] = attrgetter(*names[:count])

    def unpack(self, message: memoryview) -> tuple[Any, ...]:
        """The packed fields of the body at 64 of a message or compound element, header included; raises `WireError`."""
        try:
            values = self._unpack(message, BODY)
        except struct.error:
            raise WireError(f"{self._name} ends at {self.end}, not within {len(message)} bytes") from None
        size: int = values[0]
        if size != self._structure_size:
            raise WireError(f"{self._name}: structure size {size}, not {self._structure_size}")
        return values

    def pack(self, one: Any) -> bytes:
        """The packed fields of a structure."""
        return self.packed(*self._values(one))
