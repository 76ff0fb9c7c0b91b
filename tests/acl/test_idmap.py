import pytest
from hypothesis import given
from hypothesis import strategies as st

from acl import sid as s
from acl.errors import AclError
from acl.idmap import (
    IdMap,
    Meaning,
    PosixId,
    Scheme,
    dump_foreign,
    dump_machine_sid,
    load_foreign,
    load_machine_sid,
    machine_sid,
)
from acl.sid import Sid

MACHINE = Sid.from_string("S-1-5-21-1-2-3")
ELSEWHERE = Sid.from_string("S-1-5-21-9-9-9-1104")


def test_machine_sid():
    sid = machine_sid(bytes.fromhex("010000000200000003000000"))
    assert sid == MACHINE
    assert load_machine_sid(dump_machine_sid(sid)) == sid
    assert load_machine_sid("1:2:3\n") == sid


@pytest.mark.parametrize(
    "text", ["", "S-1-5-21-1-2", "S-1-5-21-1-2-3-4", "S-1-5-32-544", "1:2", "1:2:x", "S-1-6-21-1-2-3"]
)
def test_bad_machine_sid(text):
    with pytest.raises(AclError):
        load_machine_sid(text)


@pytest.mark.parametrize("length", [0, 11, 13])
def test_machine_sid_needs_twelve_bytes(length):
    with pytest.raises(AclError):
        machine_sid(bytes(length))


@pytest.mark.parametrize(
    ("scheme", "user", "group"),
    [
        (Scheme.SMBGATE, "S-1-5-21-1-2-3-3000", "S-1-5-21-1-2-3-3001"),
        (Scheme.KSMBD, "S-1-5-21-1-2-3-1000", "S-1-5-21-1-2-3-1000"),
        (Scheme.UNIX, "S-1-22-1-1000", "S-1-22-2-1000"),
    ],
)
def test_schemes(scheme, user, group):
    idmap = IdMap(MACHINE, Scheme(str(scheme)))
    assert (str(idmap.user_sid(1000)), str(idmap.group_sid(1000))) == (user, group)
    if scheme is Scheme.KSMBD:
        assert idmap.lookup(idmap.user_sid(1000)) == PosixId(1000, 1000)
    else:
        assert idmap.lookup(idmap.user_sid(1000)) == PosixId(uid=1000)
        assert idmap.lookup(idmap.group_sid(1000)) == PosixId(gid=1000)
    for sid in idmap.user_sids(1000):
        assert (idmap.lookup(sid) or PosixId()).uid == 1000
    for sid in idmap.group_sids(1000):
        assert (idmap.lookup(sid) or PosixId()).gid == 1000
    assert (str(idmap.user_sids(1000)[0]), str(idmap.group_sids(1000)[0])) == (user, group)
    assert {s.unix_user(1000), s.nfs_user(1000)} <= set(idmap.user_sids(1000))
    # Those of others are understood.
    for sid in (s.unix_user(5), s.nfs_user(5)):
        assert idmap.lookup(sid) == PosixId(uid=5)
    for sid in (s.unix_group(5), s.nfs_group(5)):
        assert idmap.lookup(sid) == PosixId(gid=5)
    for sid in (s.EVERYONE, s.SYSTEM, s.BUILTIN_USERS, ELSEWHERE, s.nfs_mode(0o644), MACHINE, s.unix_user(0xFFFFFFFF)):
        assert idmap.lookup(sid) is None


@given(st.sampled_from(Scheme), st.integers(0, 0xFFFFFFFE))
def test_round_trip(scheme, number):
    idmap = IdMap(MACHINE, scheme)
    user, group = idmap.lookup(idmap.user_sid(number)), idmap.lookup(idmap.group_sid(number))
    assert user is not None
    assert user.uid == number
    assert group is not None
    assert group.gid == number
    if scheme is not Scheme.KSMBD:
        assert idmap.user_sid(number) != idmap.group_sid(number)


def test_edges_of_the_domain():
    idmap = IdMap(MACHINE)
    last = (0xFFFFFFFF - 1000) // 2
    assert idmap.user_sid(last).is_below(MACHINE)
    assert idmap.user_sid(last + 1) == s.unix_user(last + 1)
    assert idmap.group_sid(last) in (MACHINE.child(last * 2 + 1001), s.unix_group(last))
    # The well-known accounts of a domain are nobody here.
    for rid in (500, 501, 512, 513, 999):
        assert idmap.lookup(MACHINE.child(rid)) is None
    assert IdMap(MACHINE, Scheme.UNIX).lookup(MACHINE.child(3000)) is None


@pytest.mark.parametrize("number", [-1, 0xFFFFFFFF])
def test_no_id(number):
    with pytest.raises(AclError):
        IdMap(MACHINE).user_sid(number)
    with pytest.raises(AclError):
        IdMap(MACHINE).group_sid(number)


def test_foreign():
    idmap = IdMap(MACHINE).with_foreign(ELSEWHERE, PosixId(uid=100_000))
    assert idmap.lookup(ELSEWHERE) == PosixId(uid=100_000)
    assert idmap.user_sid(100_000) == ELSEWHERE
    assert idmap.group_sid(100_000) != ELSEWHERE
    assert idmap.user_sids(100_000) == (
        ELSEWHERE,
        MACHINE.child(201_000),
        s.unix_user(100_000),
        s.nfs_user(100_000),
    )
    assert idmap.free_id(100_000, 100_001) == 100_001
    group = ELSEWHERE.child(1)
    idmap = idmap.with_foreign(group, PosixId(gid=100_001))
    assert idmap.group_sid(100_001) == group
    for sid, posix in (
        (ELSEWHERE, PosixId(uid=1)),
        (idmap.user_sid(7), PosixId(uid=8)),
    ):
        with pytest.raises(AclError):
            idmap.with_foreign(sid, posix)
    with pytest.raises(AclError):
        idmap.free_id(100_000, 100_001)


def test_several_sids_for_one():
    former = ELSEWHERE.child(1)
    idmap = IdMap(MACHINE, foreign={ELSEWHERE: PosixId(uid=7), former: PosixId(uid=7)})
    assert idmap.user_sid(7) == ELSEWHERE
    assert idmap.user_sids(7)[:2] == (ELSEWHERE, former)
    assert idmap.lookup(former) == idmap.lookup(ELSEWHERE) == PosixId(uid=7)


def test_a_sid_that_means_another():
    idmap = IdMap(MACHINE, foreign={ELSEWHERE: s.AUTHENTICATED_USERS})
    assert idmap.alike(s.AUTHENTICATED_USERS) == (ELSEWHERE,)
    assert idmap.alike(s.EVERYONE) == ()
    assert idmap.lookup(ELSEWHERE) is None
    with pytest.raises(AclError):
        idmap.with_foreign(ELSEWHERE, PosixId(uid=1))


def test_table_as_text():
    table: dict[Sid, Meaning] = {
        ELSEWHERE.child(3): s.AUTHENTICATED_USERS,
        ELSEWHERE: PosixId(uid=100_000),
        ELSEWHERE.child(1): PosixId(gid=100_000),
        ELSEWHERE.child(2): PosixId(7, 7),
    }
    text = dump_foreign(table)
    assert "S-1-5-21-9-9-9-1104 user 100000\n" in text
    assert load_foreign("# comment\n\n" + text) == table
    assert list(load_foreign(text)) == list(table)
    assert dump_foreign({ELSEWHERE: PosixId()}) == ""
    with pytest.raises(AclError):
        dump_foreign({ELSEWHERE: PosixId(1, 2)})


@pytest.mark.parametrize(
    "line",
    [
        "x",
        "S-1-5 user 1",
        "S-1-5-1 user",
        "S-1-5-1 user x",
        "S-1-5-1 user -1",
        "S-1-5-1 user 4294967295",
        "S-1-5-1 user 99999999999",
        "S-1-5-1 user \N{ARABIC-INDIC DIGIT ONE}",
        "S-1-5-1 thing 1",
        "S-1-5-1 user 1 2",
        "S-1-5-9 user 2",
        "S-1-5-1 as 1",
        "S-1-5-1 as S-1",
    ],
)
def test_bad_table(line):
    with pytest.raises(AclError, match="line 3"):
        load_foreign("S-1-5-9 user 1\nS-1-5-8 group 3\n" + line)
