"""How a class of a module that may be compiled says that others, which are not, inherit from it.

`mypyc_attr` is what mypyc looks for, by that name; to Python it means nothing, and its package is not needed.
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
