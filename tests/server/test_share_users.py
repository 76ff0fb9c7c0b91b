"""As whom somebody acts in a share; the system's users are made up."""

import grp
import os
import pwd
from collections.abc import Callable

import pytest

from acl.idmap import IdMap, machine_sid
from acl.sid import BUILTIN_ADMINISTRATORS
from acl.token import ADMINISTRATOR_PRIVILEGES, SE_TAKE_OWNERSHIP, SUPERUSER, Token
from gateway.auth.policy import Identity
from gateway.config.share_parameters import ShareConfig
from gateway.nt.status import StatusError
from gateway.server.identities import Identities
from gateway.server.idmap import LiveIdMap
from gateway.server.share_users import ShareUsers
from gateway.smb.exports import Visitor

UIDS = {"alice": 7001, "bob": 7002, "nobody": 65534}
GIDS = {"staff": 7200, "devs": 7201}


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    def getpwnam(name: str) -> pwd.struct_passwd:
        return pwd.struct_passwd((name, "x", UIDS[name], 7200, "", "/", "/bin/false"))

    def getgrnam(name: str) -> grp.struct_group:
        return grp.struct_group((name, "x", GIDS[name], ["alice"] if name == "devs" else []))

    def getgrouplist(name: str, gid: int) -> list[int]:
        return [gid, 7201] if name == "alice" else [gid]

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "getgrouplist", getgrouplist)
    monkeypatch.setattr(pwd, "getpwnam", getpwnam)
    monkeypatch.setattr(grp, "getgrnam", getgrnam)


def identities(*administrators: str) -> Identities:
    ids = LiveIdMap(IdMap(machine_sid(bytes(12))))
    return Identities(ids, "nobody", administrators)


def visitor(user: str, address: str = "192.0.2.1") -> Visitor:
    return Visitor(Identity(user, "", "", bytes(16)), address, "", "SMB3_11")


Made = Callable[..., tuple[ShareUsers, Token]]


@pytest.fixture
def made() -> Made:
    def make(user: str, **parameters: object) -> tuple[ShareUsers, Token]:
        who = identities()
        users = ShareUsers(ShareConfig(name="share", **parameters), who)  # type: ignore[arg-type]  # of any type
        return users, who.token(visitor(user).identity)

    return make


def test_nothing_is_forced(made: Made) -> None:
    users, token = made("alice")
    assert users.token(visitor("alice"), token) is token
    assert (token.uid, token.gid, token.gids) == (7001, 7200, (7200, 7201))


def test_force_user_and_group(made: Made) -> None:
    users, token = made("alice", force_user="bob", force_group="devs")
    forced = users.token(visitor("alice"), token)
    assert (forced.uid, forced.gid, set(forced.gids)) == (7002, 7201, {7200, 7201})
    assert forced.primary_group is not None
    assert forced.primary_group in forced


def test_a_group_for_its_members_only(made: Made) -> None:
    users, token = made("bob", force_group="+devs")
    assert users.token(visitor("bob"), token).gid == 7200
    users, token = made("alice", force_group="+devs")
    assert users.token(visitor("alice"), token).gid == 7201


@pytest.mark.parametrize("parameters", [{"force_user": "nobody-at-all"}, {"force_group": "none"}])
def test_who_does_not_exist(made: Made, parameters: dict[str, str]) -> None:
    users, token = made("alice", **parameters)
    with pytest.raises(StatusError):
        users.token(visitor("alice"), token)


def test_admin_users(made: Made) -> None:
    users, token = made("alice", admin_users=("@devs",))
    root = users.token(visitor("alice"), token)
    assert root.uid == 0
    assert BUILTIN_ADMINISTRATORS in root
    assert token.user in root
    assert root.has_privilege(ADMINISTRATOR_PRIVILEGES | SUPERUSER)
    users, token = made("bob", admin_users=("@devs",))
    assert users.token(visitor("bob"), token) is token


def test_administrators_of_the_server() -> None:
    assert BUILTIN_ADMINISTRATORS in identities("alice").token(visitor("alice").identity)
    assert identities("@devs").token(visitor("alice").identity).has_privilege(ADMINISTRATOR_PRIVILEGES)
    bob = identities("alice").token(visitor("bob").identity)
    assert BUILTIN_ADMINISTRATORS not in bob
    assert not bob.has_privilege(ADMINISTRATOR_PRIVILEGES)


def test_who_may(made: Made) -> None:
    users, _ = made("alice", hosts_allow=("192.0.2.",), invalid_users=("bob",), write_list=("@devs",))
    assert users.may_connect(visitor("alice"))
    assert not users.may_connect(visitor("alice", "198.51.100.1"))
    assert not users.may_connect(visitor("bob"))
    assert users.may_write(visitor("alice"))
    assert not users.may_write(visitor("bob"))


def test_an_administrator_is_one_for_local_programs_too(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {uid: name for name, uid in UIDS.items()}
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.getpwnam(names[uid]))
    who = identities("alice")
    alice, bob = who.process_token(7001, 7200, ()), who.process_token(7002, 7200, ())
    assert BUILTIN_ADMINISTRATORS in alice
    assert alice.privileges == ADMINISTRATOR_PRIVILEGES
    assert BUILTIN_ADMINISTRATORS not in bob
    assert not bob.has_privilege(SE_TAKE_OWNERSHIP)
    assert BUILTIN_ADMINISTRATORS not in who.process_token(4711, 4711, ())
