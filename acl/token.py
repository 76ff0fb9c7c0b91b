"""The authorization context of a caller: [MS-DTYP] 2.5.2."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from acl.sid import ANONYMOUS, AUTHENTICATED_USERS, BUILTIN_GUESTS, BUILTIN_USERS, EVERYONE, NETWORK, Sid

# Privileges, [MS-LSAD] 3.1.1.2.1, as bits of a set of ours.
SE_TAKE_OWNERSHIP: Final = 0x01
SE_SECURITY: Final = 0x02
SE_BACKUP: Final = 0x04
SE_RESTORE: Final = 0x08
SE_CHANGE_NOTIFY: Final = 0x10

# Not one of Windows: what root is among the processes of this machine. No descriptor stops its holder.
SUPERUSER: Final = 0x100

# What an administrator of the machine holds.
ADMINISTRATOR_PRIVILEGES: Final = SE_TAKE_OWNERSHIP | SE_SECURITY | SE_BACKUP | SE_RESTORE | SE_CHANGE_NOTIFY


@dataclass(frozen=True, slots=True)
class Token:
    """Who somebody is, as SIDs and privileges and as POSIX ids; made at log-on and never changed.

    ``uid``, ``gid`` and ``gids`` (supplementary groups) are what the kernel is to see; -1 where there is none.
    """

    user: Sid
    groups: tuple[Sid, ...] = ()
    privileges: int = SE_CHANGE_NOTIFY
    uid: int = -1
    gid: int = -1
    gids: tuple[int, ...] = ()
    primary_group: Sid | None = None
    # All SIDs in binary form: membership is asked for each ACE of each open.
    sids: frozenset[bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sids = {self.user.data, *(group.data for group in self.groups)}
        if self.primary_group is not None:
            sids.add(self.primary_group.data)
        object.__setattr__(self, "sids", frozenset(sids))

    def __contains__(self, sid: Sid) -> bool:
        return sid.data in self.sids

    def has_privilege(self, privilege: int) -> bool:
        """Whether every bit of ``privilege`` is held."""
        return self.privileges & privilege == privilege

    @property
    def group(self) -> Sid:
        """The SID that new files get as their group: the primary group, else the first one, else the user."""
        if self.primary_group is not None:
            return self.primary_group
        return self.groups[0] if self.groups else self.user


def user_token(
    user: Sid,
    groups: Iterable[Sid] = (),
    *,
    primary_group: Sid | None = None,
    uid: int = -1,
    gid: int = -1,
    gids: Iterable[int] = (),
    privileges: int = SE_CHANGE_NOTIFY,
) -> Token:
    """The token of somebody who logged on over the network.

    Everyone, Network and Authenticated Users are added, and BUILTIN\\Users, of which those are members.
    """
    everybody = (*groups, EVERYONE, NETWORK, AUTHENTICATED_USERS, BUILTIN_USERS)
    return Token(user, everybody, privileges, uid, gid, tuple(gids), primary_group)


def guest_token(
    user: Sid, groups: Iterable[Sid] = (), *, uid: int = -1, gid: int = -1, gids: Iterable[int] = ()
) -> Token:
    """The token of a guest: not an Authenticated User, but one of the Guests."""
    return Token(user, (*groups, BUILTIN_GUESTS, EVERYONE, NETWORK), SE_CHANGE_NOTIFY, uid, gid, tuple(gids))


def anonymous_token(*, uid: int = -1, gid: int = -1, gids: Iterable[int] = ()) -> Token:
    """The token of a caller without a name ([MS-NLMP] anonymous authentication)."""
    return Token(ANONYMOUS, (EVERYONE, NETWORK), SE_CHANGE_NOTIFY, uid, gid, tuple(gids))
