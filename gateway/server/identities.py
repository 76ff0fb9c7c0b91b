"""From who logged on to what they may do: users and groups of the system, and their SIDs."""

import grp
import logging
import os
import pwd
from collections.abc import Sequence
from dataclasses import replace

from acl.sid import BUILTIN_ADMINISTRATORS, Sid
from acl.token import (
    ADMINISTRATOR_PRIVILEGES,
    SUPERUSER,
    Token,
    anonymous_token,
    guest_token,
    user_token,
)
from gateway.auth.policy import Identity
from gateway.server.errors import ServerError
from gateway.server.idmap import LiveIdMap

__all__ = ["Identities", "SystemUser", "user_name"]

log = logging.getLogger("gateway.auth")

_NOBODY = 65534


class SystemUser:
    """A user of the system, or what stands for one."""

    __slots__ = ("gid", "groups", "uid")

    def __init__(self, uid: int, gid: int, groups: tuple[int, ...]) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups


class Identities:
    """Makes tokens.

    An account acts as the system's user of the same name. Where there is none, it acts as the guest account if the
    server is root, and as the server itself otherwise, since it could act as nobody else.
    """

    def __init__(self, idmap: LiveIdMap, guest_account: str, administrators: Sequence[str] = ()) -> None:
        self.idmap = idmap
        self._guest_account = guest_account
        self._administrators = administrators

    def token(self, identity: Identity) -> Token:
        """The token of somebody who has logged on."""
        try:
            self.idmap.refresh()
        except ServerError as error:
            log.error("the mapping of SIDs stays as it was: %s", error)
        return self._with_alike(self._token(identity))

    def _token(self, identity: Identity) -> Token:
        name = "" if identity.is_guest or identity.is_anonymous else identity.user
        user = self.system_user(name)
        if identity.is_anonymous:
            return anonymous_token(uid=user.uid, gid=user.gid, gids=user.groups)
        if identity.is_guest:
            sid, groups = self._sids(user)
            return guest_token(sid, groups, uid=user.uid, gid=user.gid, gids=user.groups)
        token = self._user_token(user)
        return self._administrator(token) if self.lists(self._administrators, identity.user) else token

    def token_of_system_user(self, name: str) -> Token | None:
        """The token of a user of the system; None if there is none of that name."""
        user = _user_named(name)
        return None if user is None else self._with_alike(self._user_token(user))

    def process_token(self, uid: int, gid: int, groups: tuple[int, ...]) -> Token:
        """The token of a process of this machine. To root it gives what root may do."""
        return self._with_alike(self._process_token(uid, gid, groups))

    def _process_token(self, uid: int, gid: int, groups: tuple[int, ...]) -> Token:
        token = self._user_token(SystemUser(uid, gid, groups))
        if uid == 0:
            return replace(token, privileges=ADMINISTRATOR_PRIVILEGES | SUPERUSER)
        name = user_name(uid) if self._administrators else None
        return self._administrator(token) if name and self.lists(self._administrators, name) else token

    def _with_alike(self, token: Token) -> Token:
        """A token with the SIDs of other domains that stand for what it is in."""
        more = tuple(sid for group in token.groups for sid in self.idmap.alike(group))
        return replace(token, groups=(*token.groups, *more)) if more else token

    def _administrator(self, token: Token) -> Token:
        """A token with the group of BUILTIN's administrators, and their privileges."""
        return replace(token, groups=(*token.groups, BUILTIN_ADMINISTRATORS), privileges=ADMINISTRATOR_PRIVILEGES)

    def _user_token(self, user: SystemUser) -> Token:
        sid, groups = self._sids(user)
        return user_token(
            sid,
            groups,
            primary_group=self.idmap.group_sid(user.gid),
            uid=user.uid,
            gid=user.gid,
            gids=user.groups,
        )

    def _sids(self, user: SystemUser) -> tuple[Sid, list[Sid]]:
        """A user has several SIDs, all of which descriptors from elsewhere may name; and those of the groups."""
        sid, *also = self.idmap.user_sids(user.uid)
        for gid in dict.fromkeys((user.gid, *user.groups)):
            also += self.idmap.group_sids(gid)
        return sid, also

    def system_user(self, name: str) -> SystemUser:
        """Whom an account acts as; the empty name is a guest's."""
        if os.geteuid() != 0:
            return SystemUser(os.geteuid(), os.getegid(), tuple(os.getgroups()))
        for candidate in (name, self._guest_account):
            user = _user_named(candidate) if candidate else None
            if user is not None:
                return user
        return SystemUser(_NOBODY, _NOBODY, ())

    def lists(self, names: Sequence[str], user: str) -> bool:
        """Whether names of users, and of groups after an `@`, `+` or `&`, name an account."""
        return any(
            self.is_in_group(user, name.lstrip("@+&")) if name[:1] in "@+&" else name.casefold() == user.casefold()
            for name in names
        )

    def gid_of(self, group: str) -> int | None:
        """The number of a group of the system; None if there is none of that name."""
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError:
            return None

    def is_in_group(self, user: str, group: str) -> bool:
        """Whether the system counts an account among a group."""
        try:
            entry = grp.getgrnam(group)
        except KeyError:
            return False
        if user in entry.gr_mem:
            return True
        try:
            return pwd.getpwnam(user).pw_gid == entry.gr_gid
        except KeyError:
            return False


def user_name(uid: int) -> str | None:
    """What the system calls a user; None if it knows none of that number."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _user_named(name: str) -> SystemUser | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return SystemUser(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(entry.pw_name, entry.pw_gid)))
