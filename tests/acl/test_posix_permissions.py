import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import mask as m
from acl import sid as s
from acl.access import maximal_access
from acl.ace import CONTAINER_INHERIT as CI
from acl.ace import INHERIT_ONLY as IO
from acl.ace import NO_PROPAGATE_INHERIT as NP
from acl.ace import OBJECT_INHERIT as OI
from acl.ace import Ace, Acl
from acl.descriptor import SE_DACL_PRESENT, SecurityDescriptor
from acl.idmap import IdMap, Scheme
from acl.inherit import create_descriptor
from acl.posix import descriptor_from_acl, descriptor_from_mode
from acl.posix_acl import GROUP, GROUP_OBJ, MASK, OTHER, USER, USER_OBJ, PosixAcl, PosixEntry, acl_from_mode, sorted_acl
from acl.posix_permissions import PosixPermissions, permissions_from_descriptor
from acl.token import Token, guest_token, user_token

from .strategies import DOMAIN

IDS = IdMap(DOMAIN)
OWNER, GROUP_ID = 1, 10
USERS, GROUPS = (1, 2, 3), (10, 11)
OWNER_SID, GROUP_SID = IDS.user_sid(OWNER), IDS.group_sid(GROUP_ID)
ELSEWHERE = s.Sid.from_string("S-1-5-21-9-9-9-7")

# Everybody with every membership, and what POSIX knows of them.
MEMBERSHIPS = [frozenset(gids) for count in range(3) for gids in itertools.combinations(GROUPS, count)]
CALLERS = list(itertools.product(USERS, MEMBERSHIPS))


def token_of(uid: int, gids: frozenset[int], *more: s.Sid) -> Token:
    groups = [sid for gid in gids for sid in IDS.group_sids(gid)]
    return user_token(IDS.user_sid(uid), [*IDS.user_sids(uid), *groups, *more])


def posix_access(acl: PosixAcl, uid: int, gids: frozenset[int], owner: int = OWNER, group: int = GROUP_ID) -> set[int]:
    """The sets of permissions that one entry gives, POSIX.1e 23.1.5: access is had if one of them covers it."""
    limit = next((entry.permissions for entry in acl if entry.tag == MASK), 7)
    if uid == owner:
        return {entry.permissions for entry in acl if entry.tag == USER_OBJ}
    if named := {entry.permissions & limit for entry in acl if entry.tag == USER and entry.id == uid}:
        return named
    of_groups = {
        entry.permissions & limit
        for entry in acl
        if (entry.tag == GROUP_OBJ and group in gids) or (entry.tag == GROUP and entry.id in gids)
    }
    return of_groups or {entry.permissions for entry in acl if entry.tag == OTHER}


def linux_access(acl: PosixAcl, uid: int, gids: frozenset[int], owner: int = OWNER, group: int = GROUP_ID) -> set[int]:
    """The same as Linux has it: of an ACL whose mask is empty it looks at the mode alone."""
    if uid == owner or PosixEntry(MASK, 0) not in acl:
        return posix_access(acl, uid, gids, owner, group)
    return {0} if group in gids else {entry.permissions for entry in acl if entry.tag == OTHER}


def union(permissions: set[int]) -> int:
    result = 0
    for bits in permissions:
        result |= bits
    return result


RIGHTS = {4: m.FILE_READ_DATA | m.FILE_READ_EA, 2: m.FILE_WRITE_DATA | m.FILE_APPEND_DATA | m.FILE_WRITE_EA}
RIGHTS[1] = m.FILE_EXECUTE

permissions = st.integers(0, 7)


@st.composite
def posix_acls(draw: st.DrawFn) -> PosixAcl:
    entries = [PosixEntry(tag, draw(permissions)) for tag in (USER_OBJ, GROUP_OBJ, OTHER)]
    entries += [PosixEntry(USER, draw(permissions), uid) for uid in draw(st.sets(st.sampled_from([1, 2, 3])))]
    entries += [PosixEntry(GROUP, draw(permissions), gid) for gid in draw(st.sets(st.sampled_from([10, 11])))]
    if len(entries) > 3 or draw(st.booleans()):
        entries.append(PosixEntry(MASK, draw(permissions)))
    return sorted_acl(entries)


@given(posix_acls(), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_descriptor_says_what_the_acl_says(acl, is_directory, is_sticky):
    sd = descriptor_from_acl(0o1000 if is_sticky else 0, OWNER_SID, GROUP_SID, is_directory, acl, sids=IDS)
    for uid, gids in CALLERS:
        granted = maximal_access(sd, token_of(uid, gids))
        expected = union(posix_access(acl, uid, gids))
        for bit, rights in RIGHTS.items():
            assert bool(granted & rights) == bool(expected & bit), (uid, gids, bit)
        assert bool(granted & m.WRITE_DAC) == (uid == OWNER)


def test_without_an_acl_it_is_the_mode():
    for mode, is_directory in itertools.product(range(0o2000), (False, True)):
        sd = descriptor_from_mode(mode, OWNER_SID, GROUP_SID, is_directory)
        acl = acl_from_mode(mode)
        assert descriptor_from_acl(mode, OWNER_SID, GROUP_SID, is_directory, acl, sids=IDS) == sd


@pytest.mark.parametrize("with_acl", [False, True])
def test_modes_come_back(with_acl):
    for mode, is_directory in itertools.product(range(0o1000), (False, True)):
        sd = descriptor_from_mode(mode, OWNER_SID, GROUP_SID, is_directory)
        back = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, is_directory, IDS.lookup, with_acl=with_acl)
        assert back == PosixPermissions(mode), oct(mode)


@pytest.mark.parametrize("mode", [0o1777, 0o1770, 0o1733])
def test_sticky_comes_back_where_it_matters(mode):
    sd = descriptor_from_mode(mode, OWNER_SID, GROUP_SID, True)
    assert permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, True, IDS.lookup).mode == mode


@given(posix_acls(), posix_acls() | st.just(()))
@settings(max_examples=150, deadline=None)
def test_acls_come_back_no_wider(access, default):
    sd = descriptor_from_acl(0, OWNER_SID, GROUP_SID, True, access, default, sids=IDS)
    back = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, True, IDS.lookup)
    acl = back.access or acl_from_mode(back.mode)
    for uid, gids in CALLERS:
        expected = union(posix_access(access, uid, gids))
        assert not union(posix_access(acl, uid, gids)) & ~expected
    assert (back.default is None) == (default == ())


FALLING = (
    PosixEntry(USER_OBJ, 7),
    PosixEntry(USER, 6, 2),
    PosixEntry(GROUP_OBJ, 5),
    PosixEntry(GROUP, 7, 11),
    PosixEntry(MASK, 7),
    PosixEntry(OTHER, 0),
)


def test_usual_acls_come_back_whole():
    sd = descriptor_from_acl(0, OWNER_SID, GROUP_SID, True, FALLING, FALLING, sids=IDS)
    back = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, True, IDS.lookup)
    assert back == PosixPermissions(0o770, FALLING, FALLING)
    narrow = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, True, IDS.lookup, with_acl=False)
    assert narrow.access is None
    assert narrow.default is None


WORLD = [*(IDS.user_sid(uid) for uid in USERS), *(IDS.group_sid(gid) for gid in GROUPS)]
WORLD += [s.EVERYONE, s.AUTHENTICATED_USERS, s.OWNER_RIGHTS, s.CREATOR_OWNER, s.CREATOR_GROUP, ELSEWHERE]
WORLD += [s.unix_user(2), s.nfs_group(11)]
MASKS = [m.FILE_ALL_ACCESS, m.FILE_GENERIC_READ, m.FILE_GENERIC_WRITE, m.FILE_GENERIC_EXECUTE, 0x1301BF, m.GENERIC_ALL]
MASKS += [m.FILE_READ_DATA, m.FILE_WRITE_DATA, m.FILE_WRITE_EA, m.FILE_DELETE_CHILD, m.FILE_EXECUTE]
entries = st.builds(
    Ace,
    st.sampled_from([0, 0, 0, 1, 1, 5, 9, 10]),
    st.sampled_from([0, 0, 0, OI | CI, OI | CI | IO, CI, OI, CI | NP, IO]),
    st.sampled_from(MASKS),
    st.sampled_from(WORLD),
)
dacls = st.lists(entries, max_size=6).map(lambda aces: Acl.of(*aces))


def assert_not_wider(acl: PosixAcl, sd: SecurityDescriptor, owner: int = OWNER, group: int = GROUP_ID) -> None:
    for (uid, gids), is_elsewhere in itertools.product(CALLERS, (False, True)):
        token = token_of(uid, gids, *([ELSEWHERE] if is_elsewhere else []))
        granted = maximal_access(sd, token)
        local = union(linux_access(acl, uid, gids, owner, group))
        for bit, rights in RIGHTS.items():
            if local & bit:
                assert granted & rights == rights, (uid, gids, is_elsewhere, bit)


@given(dacls, st.sampled_from([OWNER_SID, IDS.user_sid(2), ELSEWHERE]), st.booleans(), st.booleans())
@settings(max_examples=250, deadline=None)
def test_never_wider(dacl, owner, is_directory, with_acl):
    sd = SecurityDescriptor(owner, GROUP_SID, dacl)
    back = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, is_directory, IDS.lookup, with_acl=with_acl)
    acl = back.access or acl_from_mode(back.mode)
    assert_not_wider(acl, sd)
    if is_directory:
        for uid, gids in CALLERS:
            removes = union(linux_access(acl, uid, gids)) & 3 == 3
            if removes and (uid == OWNER or not back.mode & 0o1000):
                assert maximal_access(sd, token_of(uid, gids)) & m.FILE_DELETE_CHILD
    # Who is not even an authenticated user is judged by the last class.
    stranger = guest_token(ELSEWHERE)
    for bit, rights in RIGHTS.items():
        if union(linux_access(acl, 99, frozenset())) & bit:
            assert maximal_access(sd, stranger) & rights == rights


@given(dacls, st.sampled_from(USERS), st.booleans())
@settings(max_examples=150, deadline=None)
def test_default_acls_are_never_wider(dacl, creator, is_directory):
    parent = SecurityDescriptor(OWNER_SID, GROUP_SID, dacl)
    default = permissions_from_descriptor(parent, OWNER_SID, GROUP_SID, True, IDS.lookup).default
    if default is not None:
        token = user_token(IDS.user_sid(creator), [GROUP_SID])
        child = create_descriptor(parent, None, token, is_directory, Acl())
        assert_not_wider(default, child, creator, GROUP_ID)


def test_null_dacl():
    sd = SecurityDescriptor(OWNER_SID, GROUP_SID, None, None, SE_DACL_PRESENT)
    assert permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, False, IDS.lookup) == PosixPermissions(0o777)


def test_a_denied_user_does_not_narrow_the_others_if_there_are_acls():
    bob = IDS.user_sid(2)
    full = a.allow(s.EVERYONE, m.FILE_ALL_ACCESS)
    sd = SecurityDescriptor(OWNER_SID, GROUP_SID, Acl.of(a.deny(bob, m.FILE_ALL_ACCESS), full))
    back = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, False, IDS.lookup)
    assert back.mode == 0o777
    assert PosixEntry(USER, 0, 2) in (back.access or ())
    assert permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, False, IDS.lookup, with_acl=False).mode == 0o700
    # Somebody from elsewhere might be anybody.
    sd = SecurityDescriptor(OWNER_SID, GROUP_SID, Acl.of(a.deny(ELSEWHERE, m.FILE_WRITE_DATA), full))
    assert permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, False, IDS.lookup).mode == 0o555


def test_who_is_refused_everything_is_not_one_of_the_others():
    """An ACL that gives nothing to anybody it names still has to be looked at."""
    reads = a.allow(s.EVERYONE, m.FILE_GENERIC_READ)
    sd = SecurityDescriptor(OWNER_SID, GROUP_SID, Acl.of(a.deny(IDS.group_sid(11), m.FILE_ALL_ACCESS), reads))
    back = permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, False, IDS.lookup)
    assert back.access is not None
    assert linux_access(back.access, 3, frozenset({11})) == {0}
    assert linux_access(back.access, 3, frozenset()) == {4}
    assert back.mode == 0o044


def test_owner_without_the_right_to_remove_cannot_add():
    sd = SecurityDescriptor(OWNER_SID, GROUP_SID, Acl.of(a.allow(s.EVERYONE, 0x1301BF)))
    assert permissions_from_descriptor(sd, OWNER_SID, GROUP_SID, True, IDS.lookup).mode == 0o1577


def test_sids_that_are_user_and_group():
    ids = IdMap(DOMAIN, Scheme.KSMBD)
    owner, group, both = ids.user_sid(1), ids.group_sid(10), ids.user_sid(50)
    full = a.allow(s.EVERYONE, m.FILE_ALL_ACCESS)
    sd = SecurityDescriptor(owner, group, Acl.of(a.deny(both, m.FILE_WRITE_DATA), full))
    back = permissions_from_descriptor(sd, owner, group, False, ids.lookup)
    assert back.mode == 0o555
    assert {PosixEntry(USER, 5, 50), PosixEntry(GROUP, 5, 50)} <= set(back.access or ())
