import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import descriptor as d
from acl import sid as s
from acl.ace import Ace, Acl
from acl.descriptor import SecurityDescriptor
from acl.errors import AclError

from .strategies import DOMAIN, descriptors

ALICE, STAFF = DOMAIN.child(1000), DOMAIN.child(2000)
DACL = Acl.of(a.allow(s.EVERYONE, 0x1F01FF))
OTHER_DACL = Acl.of(a.deny(s.EVERYONE, 1))
AUDIT = Ace(a.SYSTEM_AUDIT, a.FAILED_ACCESS, 1, s.EVERYONE)
LABEL = Ace(a.SYSTEM_MANDATORY_LABEL, 0, 1, s.Sid.of(16, 12288))
CLAIM = Ace(a.SYSTEM_RESOURCE_ATTRIBUTE, 0, 0, s.EVERYONE, b"claim...")
FULL = SecurityDescriptor(ALICE, STAFF, DACL, Acl.of(AUDIT, LABEL, CLAIM), 0x0400)

# Owner S-1-5-32-544, group S-1-5-18, an empty SACL, Everyone full control.
VECTOR = bytes.fromhex(
    "01001480" + "14000000" + "24000000" + "30000000" + "38000000"
    "01020000000000052000000020020000" + "010100000000000512000000"
    "0200080000000000" + "02001c0001000000" + "00001400ff011f00010100000000000100000000"
)


def test_vector():
    sd = SecurityDescriptor.parse(VECTOR)
    assert sd == SecurityDescriptor(s.BUILTIN_ADMINISTRATORS, s.SYSTEM, DACL, Acl(), 0x8014)
    assert sd.to_bytes() == VECTOR
    assert SecurityDescriptor.parse(memoryview(VECTOR)) == sd


def test_parts_in_any_order_with_gaps():
    head = VECTOR[:4] + b"".join(n.to_bytes(4, "little") for n in (0x40, 0x34, 0, 0x14))
    raw = head.replace(b"\x14\x80", b"\x04\x80") + DACL.to_bytes() + b"\xff" * 4
    raw = raw + s.SYSTEM.data + s.BUILTIN_ADMINISTRATORS.data
    sd = SecurityDescriptor.parse(raw)
    assert sd == SecurityDescriptor(s.BUILTIN_ADMINISTRATORS, s.SYSTEM, DACL, None, 0x8004)
    # The same SID may serve twice.
    shared = raw[:8] + raw[4:8] + raw[12:]
    assert SecurityDescriptor.parse(shared).group == s.BUILTIN_ADMINISTRATORS


def test_absent_null_and_empty():
    absent, null, empty = (
        SecurityDescriptor(ALICE, STAFF),
        SecurityDescriptor(ALICE, STAFF, None, None, d.SE_DACL_PRESENT),
        SecurityDescriptor(ALICE, STAFF, Acl()),
    )
    assert [sd.has_dacl for sd in (absent, null, empty)] == [False, True, True]
    assert [sd.is_null_dacl for sd in (absent, null, empty)] == [False, True, False]
    for sd in (absent, null, empty):
        assert SecurityDescriptor.parse(sd.to_bytes()) == sd
    # A list that is there while control says that it is not does not count.
    raw = bytearray(empty.to_bytes())
    raw[2] &= ~d.SE_DACL_PRESENT
    assert SecurityDescriptor.parse(raw) == absent


@pytest.mark.parametrize(
    ("position", "value"),
    [(0, b"\x02"), (2, b"\x14\x00")]
    + [
        (field, offset.to_bytes(4, "little"))
        for field in (4, 8, 12, 16)
        for offset in (1, 19, 21, 0x53, 0x54, 0x55, 0x7FFFFFFF, 0xFFFFFFFF)
    ],
)
def test_bad_header(position, value):
    raw = bytearray(VECTOR)
    raw[position : position + len(value)] = value
    with pytest.raises(AclError):
        SecurityDescriptor.parse(raw)


def test_cut_at_every_length():
    for length in range(len(VECTOR)):
        with pytest.raises(AclError):
            SecurityDescriptor.parse(VECTOR[:length])


@given(descriptors)
@settings(max_examples=200, deadline=None)
def test_round_trip(sd):
    assert SecurityDescriptor.parse(sd.to_bytes()) == sd


@given(descriptors, st.data())
@settings(max_examples=300, deadline=None)
def test_mutated(sd, data):
    raw = bytearray(sd.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = SecurityDescriptor.parse(raw[: data.draw(st.integers(0, len(raw)))])
    except AclError:
        return
    assert SecurityDescriptor.parse(parsed.to_bytes()) == parsed


def test_resource_manager_control_is_kept():
    raw = b"\x01\x07\x00\xc0" + VECTOR[4:8] + bytes(12) + s.SYSTEM.data
    assert SecurityDescriptor.parse(raw).to_bytes() == raw


def test_replace():
    sd = FULL.replace(owner=STAFF)
    assert (sd.owner, sd.group, sd.dacl, sd.sacl, sd.control) == (STAFF, STAFF, DACL, FULL.sacl, FULL.control)
    assert FULL.replace(group=ALICE, dacl=Acl(), sacl=Acl(), control=0).control == 0x8014


@pytest.mark.parametrize(
    ("information", "expected"),
    [
        (0, SecurityDescriptor()),
        (1, SecurityDescriptor(ALICE)),
        (2, SecurityDescriptor(None, STAFF)),
        (3, SecurityDescriptor(ALICE, STAFF)),
        (4, SecurityDescriptor(None, None, DACL, None, 0x0400)),
        (8, SecurityDescriptor(None, None, None, Acl.of(AUDIT))),
        (0x10, SecurityDescriptor(None, None, None, Acl.of(LABEL))),
        (0x20, SecurityDescriptor(None, None, None, Acl.of(CLAIM))),
        (0x38, SecurityDescriptor(None, None, None, FULL.sacl)),
        (0x40, SecurityDescriptor()),
        (0x10000, FULL),
    ],
)
def test_extract(information, expected):
    assert FULL.extract(information) == expected


def test_extract_keeps_null_and_defaulted():
    sd = SecurityDescriptor(ALICE, STAFF, None, None, d.SE_DACL_PRESENT | d.SE_OWNER_DEFAULTED | d.SE_GROUP_DEFAULTED)
    assert sd.extract(4).is_null_dacl
    assert not sd.extract(3).has_dacl
    assert sd.extract(1).control == 0x8001
    assert sd.extract(2).control == 0x8002
    assert SecurityDescriptor(ALICE).extract(0x1F).sacl is None


NEW = SecurityDescriptor(STAFF, ALICE, OTHER_DACL, Acl.of(LABEL))


@pytest.mark.parametrize(
    ("information", "expected"),
    [
        (0, FULL),
        (1, FULL.replace(owner=STAFF)),
        (2, FULL.replace(group=ALICE)),
        (4, FULL.replace(dacl=OTHER_DACL, control=0x8014)),
        (8, FULL.replace(sacl=Acl.of(LABEL, CLAIM))),
        (0x10, FULL.replace(sacl=Acl.of(LABEL, AUDIT, CLAIM))),
        (0x20, FULL.replace(sacl=Acl.of(AUDIT, LABEL))),
        (0x38, FULL.replace(sacl=Acl.of(LABEL))),
        (0x10000, SecurityDescriptor(STAFF, ALICE, OTHER_DACL, Acl.of(LABEL))),
        (0x80000000, FULL.replace(control=0x9414)),
        (0x40000000, FULL.replace(control=0xA414)),
        (0x80000004, FULL.replace(dacl=OTHER_DACL, control=0x9014)),
    ],
)
def test_merge(information, expected):
    assert FULL.merge(NEW, information) == expected


def test_merge_clears_protection():
    sd = FULL.replace(control=FULL.control | d.SE_DACL_PROTECTED | d.SE_SACL_PROTECTED)
    assert sd.merge(NEW, d.UNPROTECTED_DACL_SECURITY_INFORMATION) == FULL.replace(control=0xA414)
    assert sd.merge(NEW, d.UNPROTECTED_SACL_SECURITY_INFORMATION) == FULL.replace(control=0x9414)
    assert sd.merge(NEW, d.DACL_SECURITY_INFORMATION).is_dacl_protected is False
    assert sd.is_dacl_protected


@pytest.mark.parametrize(
    ("control", "stored"),
    [(0, 0), (0x0100, 0), (0x0400, 0), (0x0500, 0x0400), (0x1000, 0x1000), (0x0008, 0x0008)],
)
def test_merge_keeps_auto_inherited_only_if_it_is_requested(control, stored):
    new = SecurityDescriptor(None, None, DACL, Acl(), control | control << 1)
    merged = SecurityDescriptor(ALICE, STAFF).merge(new, 0xC)
    assert merged.control == 0x8014 | stored | (stored << 1 if stored != 8 else 0)


def test_merge_of_null_and_absent_lists():
    null = SecurityDescriptor(None, None, None, None, d.SE_DACL_PRESENT | d.SE_SACL_PRESENT)
    merged = FULL.merge(null, 4)
    assert merged.is_null_dacl
    assert FULL.merge(SecurityDescriptor(), 4).has_dacl is False
    assert FULL.merge(SecurityDescriptor(), 0x38).sacl is None
    assert not FULL.merge(SecurityDescriptor(), 0x38).control & d.SE_SACL_PRESENT
    assert FULL.merge(null, 0x38).control & d.SE_SACL_PRESENT
    assert SecurityDescriptor(ALICE).merge(NEW.replace(sacl=Acl()), 8).sacl == Acl()


@pytest.mark.parametrize("information", [1, 2, 3, 0x10000])
def test_merge_needs_the_owner_it_sets(information):
    with pytest.raises(AclError):
        FULL.merge(SecurityDescriptor(), information)
