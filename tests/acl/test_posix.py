import itertools

import pytest

from acl import ace as a
from acl import mask as m
from acl import sid as s
from acl.access import maximal_access
from acl.posix import descriptor_from_mode
from acl.token import user_token

from .strategies import DOMAIN

OWNER, MEMBER, STRANGER, STAFF = (DOMAIN.child(rid) for rid in (1000, 1001, 1002, 2000))
CALLERS = (user_token(OWNER, [STAFF]), user_token(OWNER), user_token(MEMBER, [STAFF]), user_token(STRANGER))


def test_usual_file():
    sd = descriptor_from_mode(0o644, OWNER, STAFF, False)
    assert (sd.owner, sd.group) == (OWNER, STAFF)
    assert [(ace.type, ace.flags, str(ace.sid), ace.mask) for ace in sd.dacl or ()] == [
        (0, 0, str(OWNER), 0x001F019F),
        (0, 0, str(STAFF), 0x00120089),
        (0, 0, "S-1-1-0", 0x00120089),
    ]


def test_full_control_for_an_owner_with_everything():
    sd = descriptor_from_mode(0o700, OWNER, STAFF, True)
    assert next((ace.sid, ace.mask) for ace in sd.dacl or ()) == (OWNER, m.FILE_ALL_ACCESS)


DATA_BITS = {
    m.FILE_READ_DATA: 4,
    m.FILE_READ_EA: 4,
    m.FILE_WRITE_DATA: 2,
    m.FILE_APPEND_DATA: 2,
    m.FILE_WRITE_EA: 2,
    m.FILE_EXECUTE: 1,
}


@pytest.mark.parametrize("is_directory", [False, True])
def test_every_mode_says_to_each_class_what_posix_says(is_directory):
    for mode, caller in itertools.product(range(0o1000), range(4)):
        granted = maximal_access(descriptor_from_mode(mode, OWNER, STAFF, is_directory), CALLERS[caller])
        permissions = mode >> (6, 6, 3, 0)[caller] & 7
        for bit, permission in DATA_BITS.items():
            assert bool(granted & bit) == bool(permissions & permission), (oct(mode), caller, hex(bit))
        may_remove = permissions & 3 == 3 if is_directory else permissions == 7 and caller < 2
        assert bool(granted & m.FILE_DELETE_CHILD) == may_remove
        assert bool(granted & m.WRITE_DAC) == (caller < 2)
        assert bool(granted & m.FILE_WRITE_ATTRIBUTES) == (caller < 2 or bool(permissions & 2))


def test_sticky_directory():
    sd = descriptor_from_mode(0o1777, OWNER, STAFF, True)
    removers = [bool(maximal_access(sd, caller) & m.FILE_DELETE_CHILD) for caller in CALLERS]
    assert removers == [True, True, False, False]


def test_denials_only_where_a_later_class_has_more():
    for mode in range(0o1000):
        owner, group, other = mode >> 6, mode >> 3 & 7, mode & 7
        is_falling = not ((group | other) & ~owner or other & ~group)
        if is_falling:
            aces = descriptor_from_mode(mode, OWNER, STAFF, False).dacl or ()
            assert all(ace.type == a.ACCESS_ALLOWED for ace in aces), oct(mode)


def test_nobody_at_all():
    sd = descriptor_from_mode(0, OWNER, STAFF, False)
    aces = [(ace.sid, ace.mask) for ace in sd.dacl or ()]
    assert aces[0][0] == OWNER
    # That a file is there, and how it is protected, stat(2) tells everybody.
    assert aces[1:] == [(s.EVERYONE, m.READ_CONTROL | m.SYNCHRONIZE | m.FILE_READ_ATTRIBUTES)]
