"""What is mounted: shares under their names, and who may use them."""

from collections.abc import Callable

from acl.token import Token
from gateway.share.share import Share
from vfs_backends.api import Capability

__all__ = ["Mounted"]


class Mounted:
    """A share as a directory of the mount."""

    def __init__(self, name: str, share: Share, access_of: Callable[[Token], int], is_for_all: bool = False) -> None:
        self.name = name
        self.share = share
        self.access_of = access_of
        """The access mask that a caller has at most; 0 if they may not enter at all."""
        self.is_for_all = is_for_all
        """Everybody may enter."""
        self._acts_as_callers: bool | None = None

    @property
    def acts_as_callers(self) -> bool:
        """Whether the storage sees to it itself who may go where."""
        if self._acts_as_callers is None:
            self._acts_as_callers = Capability.CALLERS in self.share.fs.capabilities
        return self._acts_as_callers
