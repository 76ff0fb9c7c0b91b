"""Names of SIDs and SIDs of names; the system's users and groups are made up."""

import grp
import os
import pwd

import pytest

from acl.idmap import IdMap, PosixId, Scheme, machine_sid
from acl.sid import BUILTIN_ADMINISTRATORS, EVERYONE, Sid, nfs_user, unix_group, unix_user
from gateway.auth.accounts import Account, AccountDatabase
from gateway.rpc.names import SidUse
from gateway.server.identities import Identities
from gateway.server.idmap import LiveIdMap
from gateway.server.names import SystemNames

USERS = {"ann": 7001, "staff": 7002, "nobody": 65534}
GROUPS = {"staff": 7200, "devs": 7201, "ann": 7001}
ACCOUNTS = AccountDatabase(Account(name, bytes(16)) for name in ("ann", "Nora"))
MACHINE = machine_sid(bytes(range(12)))
SAMBA = Sid.of(5, 21, 1, 2, 3)


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    def entry_of(table: dict[str, int], make):
        names = {number: name for name, number in table.items()}

        def named(name: str):
            name.encode()  # as the system's functions do: ValueError for what can be no name
            return make(name, table[name])

        return named, lambda number: make(names[number], number)

    users = entry_of(USERS, lambda name, uid: pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/false")))
    groups = entry_of(GROUPS, lambda name, gid: grp.struct_group((name, "x", gid, [])))
    monkeypatch.setattr(pwd, "getpwnam", users[0])
    monkeypatch.setattr(pwd, "getpwuid", users[1])
    monkeypatch.setattr(grp, "getgrnam", groups[0])
    monkeypatch.setattr(grp, "getgrgid", groups[1])
    monkeypatch.setattr(os, "getgrouplist", lambda _name, gid: [gid])
    monkeypatch.setattr(os, "geteuid", lambda: 0)


def names(scheme: Scheme = Scheme.SMBGATE, foreign: dict[Sid, PosixId] | None = None) -> SystemNames:
    ids = LiveIdMap(IdMap(MACHINE, scheme, foreign or {}))
    return SystemNames(Identities(ids, "nobody"), "FILES", "WORKGROUP", ACCOUNTS.lookup)


@pytest.mark.parametrize(
    ("sid", "domain", "name", "use"),
    [
        (MACHINE.child(1000 + 2 * 7001), "FILES", "ann", SidUse.USER),
        (MACHINE.child(1001 + 2 * 7201), "FILES", "devs", SidUse.ALIAS),
        # There is a user of that name, too.
        (MACHINE.child(1001 + 2 * 7200), "Unix Group", "staff", SidUse.ALIAS),
        (unix_user(7001), "Unix User", "ann", SidUse.USER),
        (unix_group(7201), "Unix Group", "devs", SidUse.ALIAS),
        (nfs_user(7001), "FILES", "ann", SidUse.USER),
        (MACHINE, "FILES", "", SidUse.DOMAIN),
        (Sid.of(5, 32), "BUILTIN", "", SidUse.DOMAIN),
        (BUILTIN_ADMINISTRATORS, "BUILTIN", "Administrators", SidUse.ALIAS),
        (EVERYONE, "", "Everyone", SidUse.WELL_KNOWN_GROUP),
        (Sid.of(5, 18), "NT AUTHORITY", "SYSTEM", SidUse.WELL_KNOWN_GROUP),
    ],
)
def test_names_of_sids(sid, domain, name, use) -> None:
    found = names().of_sid(sid)
    assert found is not None
    assert (found.sid, found.domain, found.name, found.use) == (sid, domain, name, use)


@pytest.mark.parametrize("sid", [MACHINE.child(1000 + 2 * 4711), MACHINE.child(500), SAMBA.child(3000), unix_user(1)])
def test_sids_that_have_no_name(sid) -> None:
    assert names().of_sid(sid) is None


@pytest.mark.parametrize(
    ("name", "sid"),
    [
        ("ann", MACHINE.child(1000 + 2 * 7001)),
        ("ANN", MACHINE.child(1000 + 2 * 7001)),
        ("files\\Ann", MACHINE.child(1000 + 2 * 7001)),
        ("WORKGROUP\\ann", MACHINE.child(1000 + 2 * 7001)),
        ("ann@files", MACHINE.child(1000 + 2 * 7001)),
        ("devs", MACHINE.child(1001 + 2 * 7201)),
        ("staff", MACHINE.child(1000 + 2 * 7002)),
        ("Unix Group\\staff", unix_group(7200)),
        ("unix user\\ann", unix_user(7001)),
        # An account that is no user of the system acts as the guest account.
        ("nora", MACHINE.child(1000 + 2 * 65534)),
        ("everyone", EVERYONE),
        ("\\Everyone", EVERYONE),
        ("BUILTIN\\administrators", BUILTIN_ADMINISTRATORS),
        ("Administrators", BUILTIN_ADMINISTRATORS),
        ("nt authority\\system", Sid.of(5, 18)),
        ("FILES", MACHINE),
        ("FILES\\", MACHINE),
    ],
)
def test_sids_of_names(name, sid) -> None:
    found = names().of_name(name)
    assert found is not None
    assert found.sid == sid


@pytest.mark.parametrize(
    "name", ["", "\\", "bob", "OTHER\\ann", "ann@other", "BUILTIN\\ann", "FILES\\Everyone", "\ud800", "Unix User\\devs"]
)
def test_names_that_are_nobodys(name) -> None:
    assert names().of_name(name) is None


@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("foreign", [{}, {SAMBA.child(3000): PosixId(uid=7001), SAMBA.child(513): PosixId(gid=7201)}])
def test_a_name_leads_back_to_whom_it_names(scheme, foreign) -> None:
    """So a descriptor that is read and written again by name means the same."""
    known = names(scheme, foreign)
    ids = known._ids
    sids = [sid for uid in USERS.values() for sid in ids.user_sids(uid)]
    if scheme is not Scheme.KSMBD:  # there a user and a group of one number are the same
        sids += [sid for gid in GROUPS.values() for sid in ids.group_sids(gid)]
    for sid in sids:
        found = known.of_sid(sid)
        assert found is not None
        back = known.of_name(f"{found.domain}\\{found.name}")
        assert back is not None
        posix, again = ids.lookup(sid), ids.lookup(back.sid)
        assert posix is not None
        assert again is not None
        assert again.uid == posix.uid
        assert posix.uid is not None or again.gid == posix.gid


def test_accounts_of_a_server_that_is_not_root_are_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 7002)
    found = names().of_name("ann")
    assert found is not None
    assert (found.sid, found.name) == (MACHINE.child(1000 + 2 * 7002), "staff")
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    found = names().of_name("ann")
    assert found is not None
    assert (found.sid, found.name) == (MACHINE.child(1000 + 2 * 4711), "ann")
