"""Tree connects: a session's access to one share. [MS-SMB2] 3.3.1.9."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.share.share import Share
    from gateway.smb.exports import Export
    from gateway.smb.opens import SmbOpen
    from gateway.smb.session import Session

__all__ = ["Tree"]


class Tree:
    """One TREE_CONNECT."""

    def __init__(
        self, tree_id: int, session: "Session", export: "Export", share: "Share | None", maximal_access: int
    ) -> None:
        self.tree_id = tree_id
        self.session = session
        self.export = export
        self.share = share
        """The files; None for IPC$."""
        self.maximal_access = maximal_access
        """What the share allows at most ([MS-SMB2] 3.3.1.9 TreeConnect.MaximalAccess)."""
        self.opens: set[SmbOpen] = set()
        export.connections += 1

    async def disconnect(self) -> None:
        """Close everything that is open in it."""
        if self.session.trees.pop(self.tree_id, None) is None:
            return
        self.export.connections -= 1
        for one in list(self.opens):
            await one.close()
