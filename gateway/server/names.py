"""What SIDs are called here: accounts, users and groups of the system, and what is well known."""

import grp
import pwd
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeVar

from acl.sid import UNIX_GROUPS, UNIX_USERS, Sid
from acl.well_known import BUILTIN, BUILTIN_DOMAIN, WELL_KNOWN
from gateway.auth.accounts import Account
from gateway.rpc.names import Named, SidUse
from gateway.server.identities import Identities, user_name

__all__ = ["SystemNames", "gid_named", "group_name", "uid_named"]

# The domains of Samba's SIDs, called as Samba calls them.
_UNIX_USER: Final = "Unix User"
_UNIX_GROUP: Final = "Unix Group"

Entry = TypeVar("Entry")
FindAccount = Callable[[str, str], Account | None]
"""By name and domain."""


def _no_accounts(_name: str, _domain: str) -> Account | None:
    return None


class SystemNames:
    """Names of SIDs and SIDs of names. Users and groups of the system are in a domain that is called as the machine.

    What a name leads to has that name, or another SID of the same user or group does: a group that is called like a
    user is therefore named as one of `Unix Group`.
    """

    def __init__(
        self, identities: Identities, machine_name: str, workgroup: str, accounts: FindAccount = _no_accounts
    ) -> None:
        self._identities = identities
        self._ids = identities.idmap
        self._machine_name = machine_name
        self._accounts = accounts
        domains = {
            machine_name: self._ids.machine,
            BUILTIN: BUILTIN_DOMAIN,
            _UNIX_USER: UNIX_USERS,
            _UNIX_GROUP: UNIX_GROUPS,
        }
        self._domains = {sid: Named(sid, name, "", SidUse.DOMAIN) for name, sid in domains.items()}
        self._domain_names = {name.casefold(): sid for name, sid in domains.items()}
        self._own_names = frozenset({machine_name.casefold(), workgroup.casefold()})

    @property
    def machine(self) -> Sid:
        return self._ids.machine

    # --- names of SIDs

    def of_sid(self, sid: Sid) -> Named | None:
        """What a SID is called; None if it has no name here."""
        known = WELL_KNOWN.get(sid)
        if known is not None:
            return _well_known(sid)
        if sid in self._domains:
            return self._domains[sid]
        posix = self._ids.lookup(sid)
        if posix is None:
            return None
        name = user_name(posix.uid) if posix.uid is not None else None
        if name is not None:
            domain = _UNIX_USER if sid.is_below(UNIX_USERS) else self._machine_name
            return Named(sid, domain, name, SidUse.USER)
        name = group_name(posix.gid) if posix.gid is not None else None
        if name is None:
            return None
        is_apart = sid.is_below(UNIX_GROUPS) or self._uid(name) is not None
        return Named(sid, _UNIX_GROUP if is_apart else self._machine_name, name, SidUse.ALIAS)

    # --- SIDs of names

    def of_name(self, name: str) -> Named | None:
        """Whom a name means: `DOMAIN\\name`, `name@domain`, a name alone, or a domain. None if nobody."""
        domain, backslash, plain = name.rpartition("\\")
        if not backslash:
            found = self._alone(plain)
            if found is None and "@" in plain:
                plain, _, domain = plain.rpartition("@")
                found = self._within(domain.casefold(), plain)
            return found
        return self._within(domain.casefold(), plain)

    def _alone(self, name: str) -> Named | None:
        """A name without a domain, looked for in the order of [MS-LSAT] 3.1.4.5."""
        key = name.casefold()
        sid = _SIDS_ALONE.get(key)
        if sid is not None:
            return _well_known(sid)
        if key in self._domain_names:
            return self._domains[self._domain_names[key]]
        return self._user(name) or self._group(name)

    def _within(self, domain: str, name: str) -> Named | None:
        if not name and domain in self._domain_names:
            return self._domains[self._domain_names[domain]]
        if not domain:
            return self._alone(name)
        if domain in self._own_names:
            return self._user(name) or self._group(name)
        if domain == _UNIX_USER.casefold():
            uid = self._uid(name)
            return None if uid is None else self.of_sid(UNIX_USERS.child(uid))
        if domain == _UNIX_GROUP.casefold():
            gid = gid_named(name)
            return None if gid is None else self.of_sid(UNIX_GROUPS.child(gid))
        sid = _SIDS_WITHIN.get((domain, name.casefold()))
        return None if sid is None else _well_known(sid)

    def _user(self, name: str) -> Named | None:
        uid = self._uid(name)
        if uid is None:
            return None
        sid = self._ids.user_sid(uid)
        # The name that was asked for, if the system has none: the account is there.
        return self.of_sid(sid) or Named(sid, self._machine_name, name, SidUse.USER)

    def _group(self, name: str) -> Named | None:
        gid = gid_named(name)
        return None if gid is None else self.of_sid(self._ids.group_sid(gid))

    def _uid(self, name: str) -> int | None:
        """As whom an account acts, or the system's user of a name."""
        account = self._accounts(name, self._machine_name)
        if account is not None:
            return self._identities.system_user(account.name).uid
        return uid_named(name)


def group_name(gid: int) -> str | None:
    """What the system calls a group; None if it knows none of that number."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return None


def uid_named(name: str) -> int | None:
    """The number of the system's user of a name; None if there is none."""
    entry = _find(pwd.getpwnam, name)
    return None if entry is None else entry.pw_uid


def gid_named(name: str) -> int | None:
    """The number of the system's group of a name; None if there is none."""
    entry = _find(grp.getgrnam, name)
    return None if entry is None else entry.gr_gid


def _find(get: Callable[[str], Entry], name: str) -> Entry | None:
    """An entry of the system's tables. These tell upper from lower case, and clients do not."""
    for spelling in dict.fromkeys((name, name.lower())):
        try:
            return get(spelling)
        except KeyError:
            continue
        except ValueError:  # a character that no name can have
            return None
    return None


def _well_known(sid: Sid) -> Named:
    known = WELL_KNOWN[sid]
    use = SidUse.ALIAS if known.domain == BUILTIN else SidUse.WELL_KNOWN_GROUP
    return Named(sid, known.domain, known.name, use)


_SIDS_ALONE: Final[Mapping[str, Sid]] = MappingProxyType(
    {known.name.casefold(): sid for sid, known in WELL_KNOWN.items()}
)
_SIDS_WITHIN: Final[Mapping[tuple[str, str], Sid]] = MappingProxyType(
    {(known.domain.casefold(), known.name.casefold()): sid for sid, known in WELL_KNOWN.items()}
)
