import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import descriptor as d
from acl import mask as m
from acl import sid as s
from acl.access import maximal_access
from acl.ace import CONTAINER_INHERIT as CI
from acl.ace import INHERIT_ONLY as IO
from acl.ace import INHERITED as ID
from acl.ace import NO_PROPAGATE_INHERIT as NP
from acl.ace import OBJECT_INHERIT as OI
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.inherit import create_descriptor, default_dacl
from acl.token import user_token

from .strategies import DOMAIN, acls, tokens

ALICE, BOB, STAFF = DOMAIN.child(1000), DOMAIN.child(1001), DOMAIN.child(2000)
TOKEN = user_token(ALICE, [STAFF])
R = m.FILE_READ_DATA


def parent(*aces: Ace, control: int = 0) -> SecurityDescriptor:
    return SecurityDescriptor(BOB, BOB, Acl.of(*aces), None, control)


# Flags at the parent; at a new file; at a new directory (None: nothing is inherited).
FLAGS = [
    (0, None, None),
    (OI, 0, OI | IO),
    (CI, None, CI),
    (OI | CI, 0, OI | CI),
    (OI | NP, 0, None),
    (CI | NP, None, 0),
    (OI | CI | NP, 0, 0),
    (IO, None, None),
    (IO | OI, 0, OI | IO),
    (IO | CI, None, CI),
    (IO | OI | CI, 0, OI | CI),
    (IO | OI | NP, 0, None),
    (IO | CI | NP, None, 0),
    (IO | OI | CI | NP, 0, 0),
    (NP, None, None),
]


@pytest.mark.parametrize("mark", [0, ID])
@pytest.mark.parametrize(("flags", "of_file", "of_directory"), FLAGS)
def test_flags(flags, of_file, of_directory, mark):
    sd = parent(a.allow(BOB, R, flags), control=d.SE_DACL_AUTO_INHERITED if mark else 0)
    for is_container, expected in ((False, of_file), (True, of_directory)):
        made = create_descriptor(sd, None, TOKEN, is_container)
        assert (made.owner, made.group) == (ALICE, STAFF)
        if expected is None:
            assert not made.has_dacl
            assert create_descriptor(sd, None, TOKEN, is_container, default_dacl(ALICE)).dacl == default_dacl(ALICE)
        else:
            assert made.dacl == Acl.of(a.allow(BOB, R, expected | mark))
            assert bool(made.control & d.SE_DACL_AUTO_INHERITED) == bool(mark)


@pytest.mark.parametrize(("creator", "becomes"), [(s.CREATOR_OWNER, ALICE), (s.CREATOR_GROUP, STAFF)])
@pytest.mark.parametrize(
    ("flags", "of_file", "of_directory"),
    [
        (OI | CI, [0], [0, OI | CI | IO]),
        (OI | CI | IO, [0], [0, OI | CI | IO]),
        (CI, [], [0, CI | IO]),
        (CI | NP, [], [0]),
        (OI, [0], [OI | IO]),
        (OI | NP, [0], []),
    ],
)
def test_creators_become_concrete(creator, becomes, flags, of_file, of_directory):
    sd = parent(a.allow(creator, R, flags))
    for is_container, expected in ((False, of_file), (True, of_directory)):
        made = create_descriptor(sd, None, TOKEN, is_container)
        aces = [a.allow(creator if flags & IO else becomes, R, flags) for flags in expected]
        assert made.dacl == (Acl.of(*aces) if aces else None)


def test_generic_rights_become_concrete_and_stay_below():
    sd = parent(a.allow(BOB, m.GENERIC_READ, OI | CI))
    assert create_descriptor(sd, None, TOKEN, False).dacl == Acl.of(a.allow(BOB, m.FILE_GENERIC_READ))
    assert create_descriptor(sd, None, TOKEN, True).dacl == Acl.of(
        a.allow(BOB, m.FILE_GENERIC_READ), a.allow(BOB, m.GENERIC_READ, OI | CI | IO)
    )


def test_order_is_kept():
    aces = [a.allow(BOB, 1, CI), a.deny(ALICE, 2, CI), a.allow(STAFF, 4, CI), a.deny(s.EVERYONE, 8, CI)]
    assert create_descriptor(parent(*aces), None, TOKEN, True).dacl == Acl.of(*aces)


EXPLICIT = a.allow(ALICE, m.FILE_ALL_ACCESS)
PASSED_ON = a.allow(BOB, R, OI | CI)


def test_a_given_dacl_is_joined_by_what_is_inherited():
    sd, creator = parent(PASSED_ON, control=d.SE_DACL_AUTO_INHERITED), SecurityDescriptor(None, None, Acl.of(EXPLICIT))
    made = create_descriptor(sd, creator, TOKEN, False)
    assert made == SecurityDescriptor(ALICE, STAFF, Acl.of(EXPLICIT, a.allow(BOB, R, ID)), None, 0x0400)
    # Not if the parent does not take part, unless that is overruled.
    assert create_descriptor(parent(PASSED_ON), creator, TOKEN, False).dacl == creator.dacl
    assert create_descriptor(parent(PASSED_ON), creator, TOKEN, False, auto_inherit=True) == made
    assert create_descriptor(sd, creator, TOKEN, False, auto_inherit=False).dacl == creator.dacl


def test_a_protected_dacl_stays_alone():
    sd = parent(PASSED_ON, control=d.SE_DACL_AUTO_INHERITED)
    inherited = a.deny(BOB, R, ID)
    creator = SecurityDescriptor(BOB, BOB, Acl.of(inherited, EXPLICIT), None, d.SE_DACL_PROTECTED)
    made = create_descriptor(sd, creator, TOKEN, False)
    assert made == SecurityDescriptor(BOB, BOB, Acl.of(a.deny(BOB, R), EXPLICIT), None, d.SE_DACL_PROTECTED)
    creator = SecurityDescriptor(BOB, BOB, Acl.of(inherited, EXPLICIT))
    assert create_descriptor(None, creator, TOKEN, False).dacl == Acl.of(EXPLICIT)


def test_null_and_empty_dacls_are_kept():
    sd = parent(PASSED_ON)
    null = SecurityDescriptor(None, None, None, None, d.SE_DACL_PRESENT)
    assert create_descriptor(sd, null, TOKEN, False).is_null_dacl
    assert create_descriptor(sd, SecurityDescriptor(dacl=Acl()), TOKEN, False).dacl == Acl()


def test_explicit_aces_become_concrete():
    given_aces = Acl.of(
        a.allow(s.CREATOR_OWNER, m.GENERIC_ALL),
        a.allow(s.CREATOR_GROUP, R, OI | CI),
        a.allow(s.CREATOR_OWNER, R, OI | IO),
        a.allow(BOB, R, CI | NP),
    )
    creator = SecurityDescriptor(dacl=given_aces)
    assert create_descriptor(None, creator, TOKEN, True).dacl == Acl.of(
        a.allow(ALICE, m.FILE_ALL_ACCESS),
        a.allow(STAFF, R),
        a.allow(s.CREATOR_GROUP, R, OI | CI | IO),
        a.allow(s.CREATOR_OWNER, R, OI | IO),
        a.allow(BOB, R, CI | NP),
    )
    assert create_descriptor(None, creator, TOKEN, False).dacl == Acl.of(
        a.allow(ALICE, m.FILE_ALL_ACCESS),
        a.allow(STAFF, R, OI | CI),
        a.allow(s.CREATOR_OWNER, R, OI | IO),
        a.allow(BOB, R, CI | NP),
    )


def test_sacl():
    audit = Ace(a.SYSTEM_AUDIT, OI | CI | a.FAILED_ACCESS, R, s.EVERYONE)
    sd = SecurityDescriptor(BOB, BOB, None, Acl.of(audit), d.SE_SACL_AUTO_INHERITED)
    made = create_descriptor(sd, None, TOKEN, False)
    marked = Ace(a.SYSTEM_AUDIT, ID | a.FAILED_ACCESS, R, s.EVERYONE)
    assert made == SecurityDescriptor(ALICE, STAFF, None, Acl.of(marked), d.SE_SACL_AUTO_INHERITED)
    own = Ace(a.SYSTEM_AUDIT, a.SUCCESSFUL_ACCESS, R, BOB)
    creator = SecurityDescriptor(sacl=Acl.of(own))
    assert create_descriptor(sd, creator, TOKEN, False).sacl == Acl.of(own, marked)
    creator = SecurityDescriptor(sacl=Acl.of(own), control=d.SE_SACL_PROTECTED)
    assert create_descriptor(sd, creator, TOKEN, False).sacl == Acl.of(own)


def test_classes_of_the_directory_service_do_not_reach_files():
    ace = Ace(a.ACCESS_ALLOWED_OBJECT, OI | CI, R, BOB, b"", 2, b"", bytes(16))
    assert not create_descriptor(parent(ace), None, TOKEN, False).has_dacl
    made = create_descriptor(parent(ace), None, TOKEN, True)
    assert [entry.flags for entry in made.dacl or ()] == [OI | CI | IO]


def test_unknown_aces_are_passed_on():
    ace = Ace(0x80, OI, 0, s.NULL_SID, b"data")
    assert create_descriptor(parent(ace), None, TOKEN, False).dacl == Acl.of(Ace(0x80, 0, 0, s.NULL_SID, b"data"))


@given(acls(st.sampled_from([0, 1])), tokens, st.booleans())
@settings(max_examples=200, deadline=None)
def test_grandchildren_inherit_as_children_do(dacl, token, is_container):
    """What a directory passes on does not change on the way down, as long as nothing stops it."""
    kept = Acl.of(*(ace for ace in dacl if not ace.flags & NP and not ace.flags & ID))
    sd = SecurityDescriptor(BOB, BOB, kept)
    directory = create_descriptor(sd, None, token, True, Acl())
    from_directory = create_descriptor(directory, None, token, is_container, Acl())
    from_parent = create_descriptor(sd, None, token, is_container, Acl())
    assert maximal_access(from_directory, token) == maximal_access(from_parent, token)
