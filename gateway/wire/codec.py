"""How structures are declared: `@wire` classes with one compiled `struct.Struct` each ([MS-SMB2] 2.2).

    @wire
    class EchoRequest(Body):
        structure_size: u16 = 4
        reserved: u16 = 0

Fields annotated with a type of this module are packed, little-endian and without padding, in the order in which they
stand. Other fields are the variable part: they need a default, and a hand-written `parse` and `to_bytes`, which also
fills in the offsets and lengths. If the first field is `structure_size`, its default is what unpacking insists on.

What most requests and responses are is declared by `gateway.wire.layout`, for it has to be compiled.
"""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Self, TypeAlias, TypeVar, dataclass_transform, get_type_hints

from gateway.wire.errors import WireError
from gateway.wire.layout import BODY
from gateway.wire.pieces import align8, join_aligned, pad8, take, utf16, utf16_bytes

__all__ = [
    "BODY",
    "Body",
    "Data",
    "Fixed",
    "align8",
    "b4",
    "b8",
    "b16",
    "join_aligned",
    "pad8",
    "take",
    "u8",
    "u16",
    "u32",
    "u64",
    "utf16",
    "utf16_bytes",
    "wire",
]


class _Code(str):
    """A format character of `struct`, told apart from other people's annotations."""

    __slots__ = ()


u8: TypeAlias = Annotated[int, _Code("B")]
u16: TypeAlias = Annotated[int, _Code("H")]
u32: TypeAlias = Annotated[int, _Code("I")]
u64: TypeAlias = Annotated[int, _Code("Q")]
b4: TypeAlias = Annotated[bytes, _Code("4s")]
b8: TypeAlias = Annotated[bytes, _Code("8s")]
b16: TypeAlias = Annotated[bytes, _Code("16s")]


class Fixed:
    """A structure whose packed fields have a fixed size. Use with `@wire`."""

    __slots__ = ()

    SIZE: ClassVar[int]
    """Bytes of the packed fields."""

    packed: ClassVar[Callable[..., bytes]]
    """The packed fields of a structure that has these values, which need not be made for it."""

    _read: ClassVar[Callable[[memoryview | bytes, int], Any]]
    _values: ClassVar[Callable[..., tuple[Any, ...]]]

    @classmethod
    def unpack_from(cls, message: memoryview | bytes, offset: int = 0) -> Self:
        """Read the packed fields at `offset`; raises `WireError` if they do not fit or the structure size is wrong."""
        read: Self = cls._read(message, offset)
        return read

    def pack(self) -> bytes:
        """Only the packed fields."""
        return type(self).packed(*type(self)._values(self))

    def to_bytes(self) -> bytes:
        """The whole structure."""
        return self.pack()


class Data(Fixed):
    """What stands by itself: the data of a context or of a control."""

    __slots__ = ()

    @classmethod
    def parse(cls, data: memoryview | bytes) -> Self:
        """Read the structure that `data` begins with; raises `WireError`."""
        return cls.unpack_from(data)


class Body(Fixed):
    """The body of a command. What it is parsed from begins with the SMB2 header; `to_bytes` gives the body alone."""

    __slots__ = ()

    END: ClassVar[int]
    """Where the variable part may begin at the earliest, counted from the header."""

    @classmethod
    def parse(cls, message: memoryview) -> Self:
        """Read the body at 64 of one message or compound element, header included; raises `WireError`."""
        read: Self = cls._read(message, BODY)
        return read


_F = TypeVar("_F", bound=Fixed)


@dataclass_transform(eq_default=True)
def wire(cls: type[_F]) -> type[_F]:
    """Make a slots dataclass of `cls`, with the compiled layout of its packed fields."""
    built = dataclass(slots=True)(cls)
    hints = get_type_hints(built, include_extras=True)
    packed: dict[str, Any] = {}
    variable: dict[str, Any] = {}
    codes: list[str] = []
    for field in fields(built):  # type: ignore[arg-type]  # the line above made it a dataclass, which mypy cannot see
        code = next((m for m in getattr(hints[field.name], "__metadata__", ()) if isinstance(m, _Code)), None)
        if code is not None:
            packed[field.name] = field.default
            codes.append(code)
        else:
            variable[field.name] = field.default
    if not codes:
        raise TypeError(f"{cls.__name__} has no packed fields, or is compiled and has lost them")
    layout = struct.Struct("<" + "".join(codes))
    built.SIZE = layout.size
    if issubclass(built, Body):
        built.END = BODY + layout.size
    built._read = _reader(built, layout, packed, variable)
    built.packed = layout.pack
    built._values = _getter(list(packed))
    return built


_READER = """
def read(message, offset):
    self = new(cls)
    try:
        {packed}, = unpack(message, offset)
    except error:
        raise WireError(f"{{cls.__name__}} needs {{cls.SIZE}} bytes at {{offset}} of {{len(message)}}") from None
    {checks}
    return self
"""


def _reader(
    cls: type[Fixed], layout: struct.Struct, packed: Mapping[str, Any], variable: Mapping[str, Any]
) -> Callable[[memoryview | bytes, int], Any]:
    """A function that makes an instance from bytes: written out, as `dataclass` does it, for each request needs one."""
    checks = [f"self.{name} = defaults[{name!r}]" for name in variable]
    if "structure_size" in packed:
        checks.append(f"if self.structure_size != {packed['structure_size']}: raise misfit(self)")
    source = _READER.format(packed=", ".join([f"self.{name}" for name in packed]), checks="\n    ".join(checks))
    names: dict[str, Any] = {
        "cls": cls,
        "defaults": variable,
        "error": struct.error,
        "misfit": _misfit,
        "new": object.__new__,
        "unpack": layout.unpack_from,
        "WireError": WireError,
    }
    exec(source, names)
    read: Callable[[memoryview | bytes, int], Any] = names["read"]
    return read


def _misfit(structure: Any) -> WireError:
    cls, found = type(structure), structure.structure_size
    return WireError(f"{cls.__name__}: structure size {found}, not {cls().structure_size}")


def _getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Like `attrgetter`, but a tuple for a single name too."""
    get: Callable[[Any], Any] = attrgetter(*names)
    if len(names) == 1:
        return lambda instance: (get(instance),)
    return get
