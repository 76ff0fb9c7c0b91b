"""Who may do what with a share as a whole, and as whom they act there."""

import os
from collections.abc import Sequence
from dataclasses import replace

from acl.sid import BUILTIN_ADMINISTRATORS
from acl.token import ADMINISTRATOR_PRIVILEGES, SUPERUSER, Token
from gateway.config.macros import expand_for
from gateway.config.share_parameters import ShareConfig
from gateway.nt.status import STATUS_ACCESS_DENIED, StatusError
from gateway.server.hosts import Hosts
from gateway.server.identities import Identities
from gateway.server.stores import client_of
from gateway.smb.exports import Visitor

__all__ = ["ShareUsers"]


class ShareUsers:
    """Who may connect to a share, who may write there, and as whom.

    `invalid users` stands above `valid users`, and `read list` above `write list`.
    """

    def __init__(self, share: ShareConfig, identities: Identities) -> None:
        self._share = share
        self._identities = identities
        self._hosts = Hosts(share.hosts_allow, share.hosts_deny)

    def may_connect(self, visitor: Visitor) -> bool:
        """By `hosts allow`, `hosts deny`, `invalid users` and `valid users`."""
        share = self._share
        if not self._hosts.may_connect(visitor.address) or self._lists(share.invalid_users, visitor):
            return False
        return not share.valid_users or self._lists(share.valid_users, visitor)

    def may_write(self, visitor: Visitor) -> bool:
        """By `read list`, `write list` and `read only`."""
        share = self._share
        if self._lists(share.read_list, visitor):
            return False
        return not share.read_only or self._lists(share.write_list, visitor)

    def token(self, visitor: Visitor, token: Token) -> Token:
        """As whom somebody acts in the share. Raises `StatusError` (ACCESS_DENIED) if there is no such user."""
        share = self._share
        if self._lists(share.admin_users, visitor):
            return self._administrator(token)
        if os.geteuid() != 0:
            # All act as the server itself, and cannot be made to act as anybody else.
            return token
        if share.force_user:
            token = self._forced_user(expand_for(share.force_user, client_of(visitor)))
        if share.force_group:
            token = self._forced_group(expand_for(share.force_group, client_of(visitor)), token)
        return token

    def _administrator(self, token: Token) -> Token:
        groups = (*token.groups, BUILTIN_ADMINISTRATORS)
        privileges = ADMINISTRATOR_PRIVILEGES | SUPERUSER
        if os.geteuid() != 0:
            return replace(token, groups=groups, privileges=privileges)
        root = self._identities.process_token(0, 0, (0,))
        return replace(root, groups=(*root.groups, token.user, *groups), privileges=privileges)

    def _forced_user(self, name: str) -> Token:
        token = self._identities.token_of_system_user(name)
        if token is None:
            raise StatusError(STATUS_ACCESS_DENIED)
        return token

    def _forced_group(self, name: str, token: Token) -> Token:
        """With a `+` before the name, only for its members."""
        gid = self._identities.gid_of(name.lstrip("+@&"))
        if gid is None:
            raise StatusError(STATUS_ACCESS_DENIED)
        if name.startswith("+") and gid not in (token.gid, *token.gids):
            return token
        sids = self._identities.idmap.group_sids(gid)
        groups = tuple(dict.fromkeys((*token.groups, *sids)))
        return replace(
            token, gid=gid, gids=tuple(dict.fromkeys((gid, *token.gids))), groups=groups, primary_group=sids[0]
        )

    def _lists(self, names: Sequence[str], visitor: Visitor) -> bool:
        """Whether a list names somebody, or a group of theirs."""
        if not names:
            return False
        expanded = [expand_for(name, client_of(visitor)) if "%" in name else name for name in names]
        return self._identities.lists(expanded, visitor.identity.user)
