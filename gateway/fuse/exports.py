"""What is mounted: shares under their names, and who may use them."""

from collections.abc import Callable
from dataclasses import dataclass

from acl.token import Token
from gateway.share.share import Share

__all__ = ["Mounted"]


@dataclass(frozen=True, slots=True, eq=False)
class Mounted:
    """A share as a directory of the mount."""

    name: str
    share: Share
    access_of: Callable[[Token], int]
    """The access mask that a caller has at most; 0 if they may not enter at all."""
