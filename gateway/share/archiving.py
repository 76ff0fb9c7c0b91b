"""FILE_ATTRIBUTE_ARCHIVE of a file that is changed, which tells those who save files that it has. [MS-FSA] 2.1.4.17.

It is set already with most files, and an open knows that of its own from its beginning. That stays true until somebody
takes the attribute from any file, which is counted; then each open has to look once before it can be sure again.
"""

import logging
from typing import TYPE_CHECKING

from gateway.nt.constants import FILE_ATTRIBUTE_ARCHIVE
from vfs_backends.api import StatChange
from vfs_backends.errors import VfsError

if TYPE_CHECKING:
    from gateway.share.opens import Open

__all__ = ["Archiving", "archive"]

log = logging.getLogger("gateway.vfs")


class Archiving:
    """How often the attribute has been taken from any file of a table (`cleared`). See `Open.archived_at`."""

    __slots__ = ("cleared",)

    def __init__(self) -> None:
        self.cleared = 0

    def opened(self, one: "Open") -> None:
        """Take note of what the storage told at the end of an open."""
        if one.is_directory or _is_done(one, one.created_stat.dos_attributes):
            one.archived_at = self.cleared

    def attributes_set(self, one: "Open", attributes: int) -> None:
        """Somebody has set the attributes of an open file."""
        if not (attributes & FILE_ATTRIBUTE_ARCHIVE or one.is_directory):
            self.cleared += 1

    async def changed(self, one: "Open") -> None:
        """Set the attribute of a file that has just been changed, unless it is. Never raises: the change is done."""
        if one.is_directory:
            return
        seen = self.cleared
        try:
            attributes = (await one.handle.stat()).dos_attributes
            if not _is_done(one, attributes):
                await one.handle.set_stat(StatChange(dos_attributes=(attributes or 0) | FILE_ATTRIBUTE_ARCHIVE))
        except VfsError as error:
            log.info("%s: not marked as changed since it was last saved: %s", one.path, error)
        one.archived_at = seen


async def archive(one: "Open") -> None:
    """A file has been changed by this open. Never raises, and costs nothing where the attribute is known to be set."""
    archiving = one.share.archiving
    if archiving is not None and one.archived_at != archiving.cleared:
        await archiving.changed(one)


def _is_done(one: "Open", attributes: int | None) -> bool:
    # What no client has given attributes gets none from local programs.
    return one.is_posix if attributes is None else bool(attributes & FILE_ATTRIBUTE_ARCHIVE)
