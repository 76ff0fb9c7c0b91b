"""Tree connects: a session's access to one share. [MS-SMB2] 3.3.1.9."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acl.token import Token
    from gateway.share.share import Share
    from gateway.smb.exports import Export, Visitor
    from gateway.smb.opens import SmbOpen
    from gateway.smb.session import Session

__all__ = ["Tree"]


class Tree:
    """One TREE_CONNECT."""

    def __init__(
        self,
        tree_id: int,
        session: "Session",
        export: "Export",
        share: "Share | None",
        maximal_access: int,
        visitor: "Visitor",
    ) -> None:
        self.tree_id = tree_id
        self.session = session
        self.export = export
        self.share = share
        """The files; None for IPC$."""
        self.maximal_access = maximal_access
        """What the share allows at most ([MS-SMB2] 3.3.1.9 TreeConnect.MaximalAccess)."""
        self.opens: set[SmbOpen] = set()
        self._visitor = visitor
        self._of: Token | None = None
        self._token: Token | None = None
        export.connections += 1

    @property
    def token(self) -> "Token | None":
        """As whom its session acts in it. Raises `StatusError` if that is nobody (any more)."""
        token = self.session.token
        if token is not self._of:
            # At the first use, and after the session was authenticated anew.
            identity = self.session.identity or self._visitor.identity
            visitor = replace(self._visitor, identity=identity)
            self._token = self.export.token_of(visitor, token) if token is not None else None
            self._of = token
        return self._token

    async def disconnect(self) -> None:
        """Close everything that is open in it. [MS-SMB2] 3.3.5.8."""
        if self._leave():
            for one in list(self.opens):
                await one.close()

    async def end(self) -> None:
        """End with the session: what is durable waits for its client, the rest is closed. [MS-SMB2] 3.3.7.1."""
        if self._leave():
            for one in list(self.opens):
                await one.disconnect()

    def _leave(self) -> bool:
        """Take it from its session; whether it was there."""
        if self.session.trees.pop(self.tree_id, None) is None:
            return False
        self.export.connections -= 1
        return True
