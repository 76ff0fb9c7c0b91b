import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import mask as m
from acl import sid as s
from acl.access import AccessDenied, access_check, matching_audits, maximal_access
from acl.ace import Ace, Acl
from acl.descriptor import SE_DACL_PRESENT, SecurityDescriptor
from acl.token import (
    ADMINISTRATOR_PRIVILEGES,
    SE_BACKUP,
    SE_RESTORE,
    SE_SECURITY,
    SE_TAKE_OWNERSHIP,
    SUPERUSER,
    Token,
    anonymous_token,
    guest_token,
    user_token,
)

from .strategies import DOMAIN, acls, masks, sids, tokens

ALICE, BOB, STAFF = DOMAIN.child(1000), DOMAIN.child(1001), DOMAIN.child(2000)
TOKEN = user_token(ALICE, [STAFF])


def descriptor(*aces: Ace, owner: s.Sid = BOB) -> SecurityDescriptor:
    return SecurityDescriptor(owner, STAFF, Acl.of(*aces))


R, W, X = m.FILE_READ_DATA, m.FILE_WRITE_DATA, m.FILE_EXECUTE
IMPLIED = m.READ_CONTROL | m.WRITE_DAC


@pytest.mark.parametrize(
    ("aces", "desired", "granted"),
    [
        ([], 0, 0),
        ([], R, None),
        ([a.allow(ALICE, R)], R, R),
        ([a.allow(BOB, R)], R, None),
        ([a.allow(STAFF, R), a.allow(s.EVERYONE, W)], R | W, R | W),
        ([a.allow(STAFF, R)], R | W, None),
        ([a.deny(STAFF, R), a.allow(ALICE, R)], R, None),
        # The order counts, canonical or not.
        ([a.allow(ALICE, R), a.deny(STAFF, R)], R, R),
        ([a.deny(STAFF, W), a.allow(ALICE, R | W)], R, R),
        ([a.allow(ALICE, R, a.INHERIT_ONLY)], R, None),
        ([a.deny(ALICE, R, a.INHERIT_ONLY), a.allow(ALICE, R)], R, R),
        ([a.allow(ALICE, m.GENERIC_READ)], R, R),
        ([a.allow(ALICE, m.FILE_GENERIC_READ)], m.GENERIC_READ, m.FILE_GENERIC_READ),
        ([a.deny(ALICE, m.GENERIC_WRITE), a.allow(ALICE, m.GENERIC_ALL)], W, None),
        ([Ace(a.SYSTEM_AUDIT, 0, R, ALICE)], R, None),
        # A condition is not evaluated: it grants nothing and denies.
        ([Ace(a.ACCESS_ALLOWED_CALLBACK, 0, R, ALICE, b"artx")], R, None),
        ([Ace(a.ACCESS_DENIED_CALLBACK, 0, R, ALICE, b"artx"), a.allow(ALICE, R)], R, None),
        ([Ace(a.ACCESS_ALLOWED_OBJECT, 0, R, ALICE)], R, R),
        ([Ace(a.ACCESS_ALLOWED_OBJECT, 0, R, ALICE, b"", 1, bytes(16))], R, None),
        ([Ace(a.ACCESS_DENIED_OBJECT, 0, R, ALICE, b"", 1, bytes(16)), a.allow(ALICE, R)], R, None),
        ([Ace(0x80, 0, 0, s.NULL_SID, b"\xff" * 16)], R, None),
        # No ACE gives the right to the SACL.
        ([a.allow(ALICE, 0xFFFFFFFF)], m.ACCESS_SYSTEM_SECURITY, None),
        ([a.allow(ALICE, R | W), a.deny(ALICE, W | X)], m.MAXIMUM_ALLOWED, R | W),
        ([a.deny(ALICE, W), a.allow(ALICE, R | W)], m.MAXIMUM_ALLOWED, R),
        ([a.allow(ALICE, R)], m.MAXIMUM_ALLOWED | R, R),
        ([a.allow(ALICE, R)], m.MAXIMUM_ALLOWED | W, None),
        ([a.deny(ALICE, R)], m.MAXIMUM_ALLOWED, None),
    ],
)
def test_dacl(aces, desired, granted):
    if granted is None:
        with pytest.raises(AccessDenied):
            access_check(descriptor(*aces), TOKEN, desired)
    else:
        assert access_check(descriptor(*aces), TOKEN, desired) == granted


def test_what_is_missing_is_told():
    with pytest.raises(AccessDenied) as caught:
        access_check(descriptor(a.allow(ALICE, R)), TOKEN, R | W | X)
    assert caught.value.missing == W | X
    assert not caught.value.is_privilege_missing


@pytest.mark.parametrize("control", [0, SE_DACL_PRESENT])
def test_no_dacl_grants_everything(control):
    sd = SecurityDescriptor(BOB, STAFF, None, None, control)
    assert access_check(sd, anonymous_token(), m.GENERIC_ALL) == m.FILE_ALL_ACCESS
    assert maximal_access(sd, TOKEN) == m.FILE_ALL_ACCESS
    with pytest.raises(AccessDenied):
        access_check(sd, TOKEN, m.ACCESS_SYSTEM_SECURITY)


def test_empty_dacl_leaves_the_owner_what_owners_have():
    sd = descriptor(owner=ALICE)
    assert maximal_access(sd, TOKEN) == IMPLIED
    assert maximal_access(descriptor(), TOKEN) == 0
    assert access_check(sd, TOKEN, m.WRITE_DAC) == m.WRITE_DAC
    assert maximal_access(SecurityDescriptor(None, None, Acl()), TOKEN) == 0


def test_owner_may_change_the_dacl_even_if_denied():
    assert access_check(descriptor(a.deny(ALICE, m.WRITE_DAC), owner=ALICE), TOKEN, IMPLIED) == IMPLIED


def test_owner_rights_replace_what_owners_have():
    sd = descriptor(a.allow(s.OWNER_RIGHTS, R), owner=ALICE)
    assert maximal_access(sd, TOKEN) == R
    assert maximal_access(sd, user_token(BOB)) == 0
    sd = descriptor(a.deny(s.OWNER_RIGHTS, W), a.allow(ALICE, R | W), owner=ALICE)
    assert maximal_access(sd, TOKEN) == R
    sd = descriptor(a.allow(s.OWNER_RIGHTS, R, a.INHERIT_ONLY), owner=ALICE)
    assert maximal_access(sd, TOKEN) == IMPLIED


def test_a_group_can_be_owner():
    assert maximal_access(descriptor(owner=STAFF), TOKEN) == IMPLIED


def privileged(privileges: int) -> Token:
    return user_token(ALICE, privileges=privileges)


def test_security_privilege():
    sd = descriptor(a.allow(ALICE, R))
    wanted = R | m.ACCESS_SYSTEM_SECURITY
    assert access_check(sd, privileged(SE_SECURITY), wanted) == wanted
    with pytest.raises(AccessDenied) as caught:
        access_check(sd, privileged(SE_BACKUP), wanted, backup_intent=True)
    assert caught.value.is_privilege_missing
    assert maximal_access(sd, privileged(SE_SECURITY)) == R


def test_take_ownership():
    sd = descriptor(a.deny(s.EVERYONE, m.FILE_ALL_ACCESS))
    assert access_check(sd, privileged(SE_TAKE_OWNERSHIP), m.WRITE_OWNER) == m.WRITE_OWNER
    with pytest.raises(AccessDenied):
        access_check(sd, privileged(SE_TAKE_OWNERSHIP), m.WRITE_OWNER | m.WRITE_DAC)
    # Privileges are used when they are asked for, not by MAXIMUM_ALLOWED.
    assert maximal_access(sd, privileged(ADMINISTRATOR_PRIVILEGES)) == 0


@pytest.mark.parametrize(
    ("privilege", "wanted", "unwanted"),
    [(SE_BACKUP, m.GENERIC_READ | m.GENERIC_EXECUTE, W), (SE_RESTORE, m.GENERIC_WRITE | m.WRITE_OWNER | m.DELETE, R)],
)
def test_backup_and_restore_need_the_intent(privilege, wanted, unwanted):
    sd, token = descriptor(), privileged(privilege)
    assert access_check(sd, token, wanted, backup_intent=True) == m.map_generic(wanted)
    for desired, intent in ((wanted, False), (wanted | unwanted, True)):
        with pytest.raises(AccessDenied):
            access_check(sd, token, desired, backup_intent=intent)


def test_audits():
    failed = Ace(a.SYSTEM_AUDIT, a.FAILED_ACCESS, m.GENERIC_WRITE, s.EVERYONE)
    both = Ace(a.SYSTEM_AUDIT_CALLBACK, a.FAILED_ACCESS | a.SUCCESSFUL_ACCESS, R, STAFF)
    others = (
        Ace(a.SYSTEM_AUDIT, a.SUCCESSFUL_ACCESS, R, BOB),
        Ace(a.SYSTEM_AUDIT, a.SUCCESSFUL_ACCESS | a.INHERIT_ONLY, R, ALICE),
        Ace(a.SYSTEM_ALARM, a.SUCCESSFUL_ACCESS, R, ALICE),
    )
    sd = SecurityDescriptor(BOB, STAFF, None, Acl.of(failed, both, *others))
    assert matching_audits(sd, TOKEN, W | R, False) == (failed, both)
    assert matching_audits(sd, TOKEN, m.GENERIC_READ, True) == (both,)
    assert matching_audits(sd, TOKEN, X, True) == ()
    assert matching_audits(descriptor(), TOKEN, R, True) == ()


def test_tokens():
    assert {s.EVERYONE, s.NETWORK, s.AUTHENTICATED_USERS, STAFF, ALICE} <= set(TOKEN.groups) | {TOKEN.user}
    assert all(sid in TOKEN for sid in (s.BUILTIN_USERS, s.EVERYONE, s.NETWORK, s.AUTHENTICATED_USERS, STAFF, ALICE))
    for token in (guest_token(ALICE), anonymous_token()):
        assert s.AUTHENTICATED_USERS not in token
        assert s.BUILTIN_USERS not in token
        assert s.EVERYONE in token
    assert s.BUILTIN_GUESTS in guest_token(ALICE)
    assert s.ANONYMOUS in anonymous_token()
    assert privileged(SE_BACKUP | SE_RESTORE).has_privilege(SE_RESTORE)
    assert not privileged(SE_BACKUP).has_privilege(SE_BACKUP | SE_RESTORE)
    assert user_token(ALICE, primary_group=BOB).group == BOB
    assert BOB in user_token(ALICE, primary_group=BOB)
    assert TOKEN.group == STAFF
    assert Token(ALICE).group == ALICE
    assert hash(TOKEN) == hash(user_token(ALICE, [STAFF]))


def naive_check(sd: SecurityDescriptor, token: Token, desired: int, backup: bool) -> int | None:
    """[MS-DTYP] 2.5.3.2, bit by bit: each wanted right is searched for on its own."""
    held = {token.user, *token.groups}
    wanted = m.map_generic(desired) & ~m.MAXIMUM_ALLOWED
    granted = set()
    entries = None if sd.dacl is None else [ace for ace in sd.dacl.aces if not ace.flags & a.INHERIT_ONLY]
    is_owner = sd.owner in held
    has_rights = any(ace.sid == s.OWNER_RIGHTS for ace in entries or [])
    if is_owner and has_rights:
        held.add(s.OWNER_RIGHTS)
    for bit in (1 << number for number in range(32)):
        is_wanted = bool(wanted & bit)
        by_privilege = is_wanted and (
            (bit == m.WRITE_OWNER and token.privileges & SE_TAKE_OWNERSHIP)
            or (backup and token.privileges & SE_BACKUP and bit & 0x001200A9)
            or (backup and token.privileges & SE_RESTORE and bit & 0x001F0116)
        )
        by_ownership = is_owner and not has_rights and bit in (m.READ_CONTROL, m.WRITE_DAC)
        if bit == m.ACCESS_SYSTEM_SECURITY:
            good = is_wanted and bool(token.privileges & SE_SECURITY)
        elif by_privilege or by_ownership:
            good = True
        elif entries is None:
            good = bool(bit & m.FILE_ALL_ACCESS) or is_wanted
        else:
            good = False
            for ace in entries:
                if ace.sid in held and m.map_generic(ace.mask) & bit:
                    if ace.type in (1, 6, 10, 12):
                        break
                    if ace.type == 0 or (ace.type == 5 and not ace.object_flags & 1):
                        good = bit != m.MAXIMUM_ALLOWED
                        break
        if good:
            granted.add(bit)
    if wanted & ~sum(granted):
        return None
    if desired & m.MAXIMUM_ALLOWED:
        return sum(granted) or None
    return wanted


def test_no_descriptor_stops_the_superuser():
    root = user_token(ALICE, privileges=SUPERUSER)
    sd = descriptor(a.deny(ALICE, m.FILE_ALL_ACCESS))
    assert access_check(sd, root, m.FILE_WRITE_DATA | m.DELETE) == m.FILE_WRITE_DATA | m.DELETE
    assert maximal_access(sd, root) == m.FILE_ALL_ACCESS
    assert access_check(sd, root, m.ACCESS_SYSTEM_SECURITY) == m.ACCESS_SYSTEM_SECURITY


@given(
    st.builds(SecurityDescriptor, st.none() | sids, sids, st.none() | acls()),
    tokens,
    masks | st.just(m.MAXIMUM_ALLOWED) | st.sampled_from([1 << bit for bit in range(25)]),
    st.booleans(),
)
@settings(max_examples=400, deadline=None)
def test_agrees_with_the_naive_check(sd, token, desired, backup):
    try:
        granted = access_check(sd, token, desired, backup_intent=backup)
    except AccessDenied:
        granted = None
    assert granted == naive_check(sd, token, desired, backup)
