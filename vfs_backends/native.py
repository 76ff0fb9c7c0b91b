"""What a class of a module that may be compiled says of itself to mypyc.

`mypyc_attr` is what mypyc looks for, by that name; to Python it means nothing, and its package is not needed.

- `allow_interpreted_subclasses`: others, which are not compiled, inherit from it.
- `free_list_len=1`: the next instance takes the place of the last one that has gone. For what each request needs anew.
- `acyclic`: no instance is ever part of a cycle of references, so the garbage collector need not know of any.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from mypy_extensions import mypyc_attr
else:
    T = TypeVar("T")

    def mypyc_attr(**_attributes: object) -> Callable[[T], T]:
        return lambda declared: declared


__all__ = ["mypyc_attr"]
