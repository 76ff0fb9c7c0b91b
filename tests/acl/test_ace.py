import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl import ace as a
from acl import sid as s
from acl.ace import Ace, Acl
from acl.errors import AclError

from .strategies import aces, acls

EVERYONE = "010100000000000100000000"
GUID, OTHER_GUID = bytes(range(16)), bytes(range(16, 32))

VECTORS = {
    "00001400ff011f00" + EVERYONE: a.allow(s.EVERYONE, 0x1F01FF),
    "0113140001000000" + EVERYONE: a.deny(s.EVERYONE, 1, a.INHERITED | a.OBJECT_INHERIT | a.CONTAINER_INHERIT),
    "02c0140001000000" + EVERYONE: Ace(a.SYSTEM_AUDIT, 0xC0, 1, s.EVERYONE),
    "0300140001000000" + EVERYONE: Ace(a.SYSTEM_ALARM, 0, 1, s.EVERYONE),
    "050018000100000000000000" + EVERYONE: Ace(a.ACCESS_ALLOWED_OBJECT, 0, 1, s.EVERYONE),
    "060028000100000001000000" + GUID.hex() + EVERYONE: Ace(6, 0, 1, s.EVERYONE, b"", 1, GUID),
    "060028000100000002000000" + GUID.hex() + EVERYONE: Ace(6, 0, 1, s.EVERYONE, b"", 2, b"", GUID),
    "0b003c000100000003000000" + (GUID + OTHER_GUID).hex() + EVERYONE + "61727478": Ace(
        11, 0, 1, s.EVERYONE, b"artx", 3, GUID, OTHER_GUID
    ),
    "0900180001000000" + EVERYONE + "61727478": Ace(a.ACCESS_ALLOWED_CALLBACK, 0, 1, s.EVERYONE, b"artx"),
    "1100140001000000" + "010100000000001000300000": Ace(a.SYSTEM_MANDATORY_LABEL, 0, 1, s.Sid.of(16, 12288)),
    # Reserved and unknown types, even too short for a SID.
    "04ff0c000102030405060708": Ace(4, 0xFF, 0, s.NULL_SID, bytes(range(1, 9))),
    "80000400": Ace(0x80, 0, 0, s.NULL_SID),
}


@pytest.mark.parametrize(("data", "ace"), VECTORS.items())
def test_vectors(data, ace):
    raw = bytes.fromhex(data)
    assert Ace.parse(raw, 0, len(raw)) == (ace, len(raw))
    assert ace.to_bytes() == raw


@pytest.mark.parametrize("data", VECTORS)
def test_cut_at_every_length(data):
    raw = bytes.fromhex(data)
    for length in range(len(raw)):
        with pytest.raises(AclError):
            Ace.parse(raw[:length], 0, length)
        # The same, with a size that tells the truth.
        shorter = raw[:2] + length.to_bytes(2, "little") + raw[4:length]
        try:
            ace, _ = Ace.parse(shorter, 0, len(shorter))
        except AclError:
            continue
        assert ace.to_bytes() == shorter


def test_a_sid_may_not_leave_its_ace():
    raw = bytearray(bytes.fromhex("00001400ff011f00" + EVERYONE) + bytes(64))
    raw[9] = 2
    with pytest.raises(AclError):
        Ace.parse(raw, 0, len(raw))


@pytest.mark.parametrize("offset", [-1, 20, 17])
def test_offset_out_of_range(offset):
    with pytest.raises(AclError):
        Ace.parse(a.allow(s.EVERYONE, 1).to_bytes(), offset, 20)


def test_padding_to_four():
    ace = Ace(a.ACCESS_ALLOWED_CALLBACK, 0, 1, s.EVERYONE, b"abcde")
    assert ace.to_bytes()[2:4] == (28).to_bytes(2, "little")


@pytest.mark.parametrize(
    "ace",
    [
        Ace(5, 0, 1, s.EVERYONE, b"", 1),
        Ace(5, 0, 1, s.EVERYONE, b"", 0, GUID),
        Ace(5, 0, 1, s.EVERYONE, b"", 2, b"", GUID[:15]),
        Ace(9, 0, 1, s.EVERYONE, bytes(0x10000)),
    ],
)
def test_cannot_be_packed(ace):
    with pytest.raises(AclError):
        ace.to_bytes()


def test_acl():
    acl = Acl.of(a.deny(s.EVERYONE, 1), a.allow(s.EVERYONE, 2))
    raw = acl.to_bytes()
    assert raw[:8].hex() == "0200300002000000"
    assert Acl.parse(raw) == acl
    assert Acl.parse(b"1234" + raw + b"tail", 4) == acl
    assert len(acl) == 2
    assert [ace.mask for ace in acl] == [1, 2]
    assert Acl.of(Ace(5, 0, 1, s.EVERYONE)).revision == 4
    # Room behind the last ACE is allowed and lost.
    assert Acl.parse(raw[:2] + b"\x38\0" + raw[4:] + bytes(8)) == acl


@pytest.mark.parametrize(
    "data",
    [
        "",
        "02000800000000",
        "0100080000000000",  # revision
        "0500080000000000",
        "0200070000000000",  # size
        "0200090000000000",
        "0200080001000000",  # count
        "02000800ffff0000",
        "02000c000100000000000000",  # an ACE of no size
        "02000c000200000080000400",
    ],
)
def test_bad_acl(data):
    with pytest.raises(AclError):
        Acl.parse(bytes.fromhex(data))


def test_negative_offset():
    with pytest.raises(AclError):
        Acl.parse(Acl().to_bytes(), -8)


def test_too_long_to_pack():
    acl = Acl.of(*[a.allow(s.EVERYONE, 1)] * 3277)
    with pytest.raises(AclError):
        acl.to_bytes()
    assert len(Acl.parse(Acl(acl.aces[:3276]).to_bytes())) == 3276


@given(aces())
@settings(max_examples=200, deadline=None)
def test_ace_round_trip(ace):
    raw = ace.to_bytes()
    assert Ace.parse(raw, 0, len(raw)) == (ace, len(raw))


@given(acls(), st.data())
@settings(max_examples=300, deadline=None)
def test_mutated_acl(acl, data):
    raw = bytearray(acl.to_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = Acl.parse(raw)
    except AclError:
        return
    assert Acl.parse(parsed.to_bytes()) == parsed
