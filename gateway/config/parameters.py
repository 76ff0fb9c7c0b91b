"""What a parameter is, and how the fields of a dataclass make a table of them."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.config.syntax import normalise
from gateway.config.values import Kind

__all__ = ["Parameter", "Table", "parameter"]

T = TypeVar("T")
_METADATA = "parameter"


@dataclass(frozen=True, eq=False)
class Parameter:
    """One parameter as an administrator knows it."""

    name: str
    kind: Kind[Any]
    default: Any
    doc: str
    """What it does, in a sentence or two."""
    synonyms: tuple[str, ...]
    """Other names, the stronger first; the parameter's own is stronger than all."""
    inverted: tuple[str, ...]
    """Names that mean the opposite, the stronger first; weaker than `synonyms`."""
    macros: frozenset[str]
    """Letters that may follow a percent sign in the value."""
    group: str
    """The heading it is documented under."""

    @property
    def field(self) -> str:
        """The attribute that holds its value."""
        return field_name(self.name)

    @property
    def names(self) -> tuple[str, ...]:
        """All its names, the strongest first."""
        return (self.name, *self.synonyms, *self.inverted)


def field_name(name: str) -> str:
    """The attribute for a parameter: `share:fake_fscaps` is `share_fake_fscaps`."""
    return name.replace(" ", "_").replace(":", "_")


def parameter(
    name: str,
    kind: Kind[T],
    default: T,
    doc: str,
    *,
    synonyms: tuple[str, ...] = (),
    inverted: tuple[str, ...] = (),
    macros: frozenset[str] = frozenset(),
) -> T:
    """Declare a dataclass field to be a parameter; the field is named like it, with underscores."""
    declared = Parameter(name, kind, default, doc, synonyms, inverted, macros, "")
    # dataclasses.field() is typed as returning the default's type, which is what the caller annotates.
    result: T = dataclasses.field(default=default, metadata={_METADATA: declared}, kw_only=True)
    return result


def _declared_by(model: type) -> Iterator[Parameter]:
    """The parameters that the class itself declares, not its bases."""
    if not dataclasses.is_dataclass(model):
        return
    inherited = {
        field.name for base in model.__bases__ if dataclasses.is_dataclass(base) for field in dataclasses.fields(base)
    }
    for field in dataclasses.fields(model):
        declared = field.metadata.get(_METADATA)
        if declared is None or field.name in inherited:
            continue
        if field.name != declared.field:
            raise ValueError(f"parameter {declared.name!r} is declared by a field named {field.name!r}")
        yield declared


class Table:
    """The parameters that the fields of a dataclass declare, in their order and by any of their names."""

    def __init__(self, model: type) -> None:
        self._by_name: dict[str, Parameter] = {}
        self._parameters: list[Parameter] = []
        for base in model.__mro__:
            group = (base.__doc__ or "").partition("\n")[0].rstrip(".")
            for declared in _declared_by(base):
                self._add(dataclasses.replace(declared, group=group))

    def _add(self, declared: Parameter) -> None:
        self._parameters.append(declared)
        for name in declared.names:
            if self._by_name.setdefault(normalise(name), declared) is not declared:
                raise ValueError(f"two parameters are named {name!r}")

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self._parameters)

    def find(self, name: str) -> Parameter | None:
        """The parameter with this name, whatever its case and spaces."""
        return self._by_name.get(normalise(name))

    def all_names(self) -> list[str]:
        """Every name there is, synonyms included."""
        return [name for declared in self for name in declared.names]
