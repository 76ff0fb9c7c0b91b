"""What is mounted: shares under their names, and who may use them."""

import functools
from collections.abc import Callable
from dataclasses import dataclass

from acl.token import Token
from gateway.share.share import Share
from vfs_backends.api import Capability

__all__ = ["Mounted"]


@dataclass(frozen=True, eq=False)
class Mounted:
    """A share as a directory of the mount."""

    name: str
    share: Share
    access_of: Callable[[Token], int]
    """The access mask that a caller has at most; 0 if they may not enter at all."""
    is_for_all: bool = False
    """Everybody may enter."""

    @functools.cached_property
    def acts_as_callers(self) -> bool:
        """Whether the storage sees to it itself who may go where."""
        return Capability.CALLERS in self.share.fs.capabilities
