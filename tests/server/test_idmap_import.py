"""What Samba's tools print of SIDs, and what is made of it; the system's users and groups are made up."""

import grp
import pwd
from pathlib import Path

import pytest

from acl.ace import Acl, allow
from acl.descriptor import SecurityDescriptor
from acl.idmap import IdMap, PosixId, machine_sid
from acl.ntacl_xattr import NtAcl, ntacl_to_bytes
from acl.sid import AUTHENTICATED_USERS, BUILTIN_GUESTS, EVERYONE, Sid, unix_user
from gateway.server.idmap_import import merge, parse
from gateway.server.sid_survey import survey
from tests.requirements import Need, set_xattr

DOMAIN = Sid.of(5, 21, 1, 2, 3)

ACCOUNTS = f"""\
---------------
Unix username:        nobody
NT username:
User SID:             {DOMAIN}-501
Primary Group SID:    {DOMAIN}-514
---------------
Unix username:        ann lee
Account Flags:        [U          ]
User SID:             {DOMAIN}-1000
Primary Group SID:    {DOMAIN}-513
Full Name:            User SID: S-1-5-21-9-9-9-9
---------------
Unix username:        gone
User SID:             {DOMAIN}-1002
Primary Group SID:    {DOMAIN}-513
"""
GROUPS = f"""\
Team (and friends) ({DOMAIN}-1201) -> staff
By number ({DOMAIN}-1202) -> 7201
Lost ({DOMAIN}-1203) -> vanished
Unmapped ({DOMAIN}-1204) -> -1
Administrators (S-1-5-32-544) -> staff
"""
DUMP = f"""\
USER HWM 70002
UID 70001 {DOMAIN}-1500
GID 70002 {DOMAIN}-1501
GID 70003 S-1-5-32-545
UID x {DOMAIN}-1502
"""


@pytest.fixture(autouse=True)
def system(monkeypatch: pytest.MonkeyPatch) -> None:
    users, groups = {"nobody": 65534, "ann lee": 7001}, {"staff": 7200}
    monkeypatch.setattr(pwd, "getpwnam", lambda name: pwd.struct_passwd((name, "x", users[name], 1, "", "/", "/")))
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", groups[name], [])))


def test_accounts() -> None:
    imported = parse(ACCOUNTS)
    assert imported.found == {
        DOMAIN.child(501): PosixId(uid=65534),
        DOMAIN.child(1000): PosixId(uid=7001),
        DOMAIN.child(513): AUTHENTICATED_USERS,
        DOMAIN.child(514): BUILTIN_GUESTS,
    }
    assert imported.skipped == [f"{DOMAIN}-1002: there is no user 'gone' here"]


def test_groups() -> None:
    imported = parse(GROUPS)
    assert imported.found == {DOMAIN.child(1201): PosixId(gid=7200), DOMAIN.child(1202): PosixId(gid=7201)}
    assert len(imported.skipped) == 3
    assert "'Lost'" in imported.skipped[0]


def test_a_group_of_all_accounts_is_theirs_even_if_it_is_mapped() -> None:
    mapped = f"Domain Users ({DOMAIN}-513) -> staff\n"
    assert parse(ACCOUNTS + mapped).found[DOMAIN.child(513)] == AUTHENTICATED_USERS
    assert parse(mapped).found[DOMAIN.child(513)] == PosixId(gid=7200)


def test_a_dump() -> None:
    assert parse(DUMP).found == {DOMAIN.child(1500): PosixId(uid=70001), DOMAIN.child(1501): PosixId(gid=70002)}


@pytest.mark.parametrize("text", ["", "nonsense\n", "User SID: S-1-5\n", f"UID 99999999999 {DOMAIN}-1\n"])
def test_nothing_to_import(text) -> None:
    assert parse(text).found == {}


def test_what_is_known_stays() -> None:
    known = {DOMAIN.child(1): PosixId(uid=1), DOMAIN.child(2): PosixId(uid=2)}
    found = {DOMAIN.child(2): PosixId(uid=3), DOMAIN.child(3): PosixId(uid=3)}
    assert merge(known, found.items(), replace=False) == {**found, **known}
    assert merge(known, found.items(), replace=True) == {**known, **found}


def test_who_is_nobody_is_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name, owner, sid in (
        ("in/first", unix_user(1), DOMAIN.child(1)),
        ("in/second", DOMAIN.child(1), DOMAIN.child(2)),
        ("known", DOMAIN.child(3), EVERYONE),
    ):
        descriptor = SecurityDescriptor(owner, dacl=Acl.of(allow(sid, 1)))
        (tmp_path / name).write_text("")
        set_xattr(tmp_path / name, "user.NTACL", ntacl_to_bytes(NtAcl(1, descriptor)), Need.XATTRS)
    (tmp_path / "link").symlink_to("in")
    set_xattr(tmp_path, "user.NTACL", b"damaged", Need.XATTRS)
    ids = IdMap(machine_sid(bytes(12)), foreign={DOMAIN.child(3): PosixId(uid=1)})
    found = survey(ids, tmp_path)
    assert found.descriptors == 3
    assert {sid: places.count for sid, places in found.unknown.items()} == {DOMAIN.child(1): 2, DOMAIN.child(2): 1}
    assert found.unknown[DOMAIN.child(2)].first == tmp_path / "in/second"
    assert len(found.unreadable) == 1
