import pytest

from acl import sid as s
from acl.errors import AclError
from acl.sid import Sid

TEXTS = {
    "S-1-1-0": "010100000000000100000000",
    "S-1-5-32-544": "01020000000000052000000020020000",
    "S-1-5-21-1004336348-1177238915-682003330-512": "010500000000000515000000dcf4dc3b833d2b46828ba62800020000",
    "S-1-22-1-1000": "01020000000000160100000" + "0e8030000",
    "S-1-0x0100000000ff-7": "01010100000000ff07000000",
    "S-1-4294967295-1": "01010000ffffffff01000000",
}


@pytest.mark.parametrize(("text", "data"), TEXTS.items())
def test_text_and_bytes(text, data):
    sid = Sid.from_string(text)
    assert sid.to_bytes().hex() == data
    assert str(sid) == text
    assert repr(sid) == f"Sid({text!r})"
    assert Sid.parse(bytes.fromhex(data)) == sid
    assert Sid.parse(memoryview(b"xyz" + bytes.fromhex(data) + b"tail"), 3) == sid
    assert sid.size == len(data) // 2


@pytest.mark.parametrize(
    "text",
    ["", "S-1", "S-1-5", "S-2-5-1", "S-1-5-4294967296", "S-1-281474976710656-1", "S-1-5-1-", "S-1-5--1", " S-1-5-1"],
)
def test_bad_text(text):
    with pytest.raises(AclError):
        Sid.from_string(text)


@pytest.mark.parametrize(
    "text", ["S-1-5" + "-1" * 16, "S-1-5-\N{ARABIC-INDIC DIGIT ONE}", "S-1-0x1000000000000-1", "S-1-5-0x1"]
)
def test_more_bad_text(text):
    with pytest.raises(AclError):
        Sid.from_string(text)


def test_hexadecimal_authority_of_any_size_is_read():
    assert str(Sid.from_string("s-1-0X5-18")) == "S-1-5-18"


@pytest.mark.parametrize("data", ["", "01", "0101000000000001", "0101000000000001000000", "020100000000000100000000"])
def test_bad_bytes(data):
    with pytest.raises(AclError):
        Sid.parse(bytes.fromhex(data))


@pytest.mark.parametrize("count", [0, 16, 255])
def test_count_out_of_range(count):
    with pytest.raises(AclError):
        Sid.parse(bytes([1, count]) + bytes(6 + 4 * 255))


@pytest.mark.parametrize("offset", [-1, 5, 100])
def test_offset_out_of_range(offset):
    with pytest.raises(AclError):
        Sid.parse(s.EVERYONE.to_bytes(), offset)


def test_is_immutable_and_hashable():
    with pytest.raises(AttributeError):
        s.EVERYONE.data = b""  # type: ignore[misc]  # that is the point
    assert {s.EVERYONE: 1}[Sid.from_string("S-1-1-0")] == 1


def test_numbers():
    sid = Sid.from_string("S-1-5-21-1-2-3-1000")
    assert (sid.authority, sid.sub_authorities, sid.rid) == (5, (21, 1, 2, 3, 1000), 1000)
    domain = Sid.from_string("S-1-5-21-1-2-3")
    assert domain.child(1000) == sid
    assert sid.is_below(domain)
    assert not domain.is_below(sid)
    assert not sid.is_below(Sid.from_string("S-1-5-21-1-2-4"))
    assert not Sid.from_string("S-1-6-21-1-2-3-1000").is_below(domain)


@pytest.mark.parametrize("numbers", [(-1, 0), (1 << 48, 0), (5,), (5, *[1] * 16), (5, -1), (5, 1 << 32)])
def test_numbers_out_of_range(numbers):
    with pytest.raises(AclError):
        Sid.of(*numbers)


def test_well_known():
    assert str(s.OWNER_RIGHTS) == "S-1-3-4"
    assert str(s.unix_user(1000)) == "S-1-22-1-1000"
    assert str(s.unix_group(100)) == "S-1-22-2-100"
    assert str(s.nfs_user(7)) == "S-1-5-88-1-7"
    assert str(s.nfs_group(8)) == "S-1-5-88-2-8"
    assert str(s.nfs_mode(0o644)) == "S-1-5-88-3-420"
