import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acl.errors import AclError
from acl.posix_acl import (
    GROUP,
    GROUP_OBJ,
    MASK,
    OTHER,
    USER,
    USER_OBJ,
    PosixEntry,
    acl_from_mode,
    is_extended,
    parse_posix_acl,
    posix_acl_to_bytes,
    sorted_acl,
)
from tests.requirements import Need, set_xattr

BASE = "02000000" + "01000600ffffffff" + "04000400ffffffff" + "20000000ffffffff"
EXTENDED = (
    "02000000" + "01000700ffffffff" + "02000600e8030000" + "0200040000000000" + "04000500ffffffff"
    "0800070064000000" + "10000700ffffffff" + "20000000ffffffff"
)


def test_base():
    acl = parse_posix_acl(bytes.fromhex(BASE))
    assert acl == acl_from_mode(0o640)
    assert posix_acl_to_bytes(acl).hex() == BASE
    assert not is_extended(acl)


def test_extended():
    acl = parse_posix_acl(memoryview(bytes.fromhex(EXTENDED)))
    assert acl == (
        PosixEntry(USER_OBJ, 7),
        PosixEntry(USER, 4, 0),
        PosixEntry(USER, 6, 1000),
        PosixEntry(GROUP_OBJ, 5),
        PosixEntry(GROUP, 7, 100),
        PosixEntry(MASK, 7),
        PosixEntry(OTHER, 0),
    )
    assert is_extended(acl)
    assert parse_posix_acl(posix_acl_to_bytes(acl)) == acl


def test_empty():
    assert parse_posix_acl(b"\2\0\0\0") == ()
    assert posix_acl_to_bytes(()) == b"\2\0\0\0"


@pytest.mark.parametrize(
    "data",
    [
        "",
        "0200",
        "01000000" + BASE[8:],
        BASE[:-2],
        BASE[:-16],
        BASE + "20000000ffffffff",
        BASE + "0200070064000000",  # named, without a mask
        BASE + "10000700ffffffff" + "40000700ffffffff",
        BASE + "10000800ffffffff",
        BASE + "10000700ffffffff" + "02000700ffffffff",
        BASE + "10000700ffffffff" + "0200070001000000" * 2,
    ],
)
def test_malformed(data):
    with pytest.raises(AclError):
        parse_posix_acl(bytes.fromhex(data))


def test_ids_only_where_they_belong():
    with pytest.raises(AclError):
        sorted_acl([*acl_from_mode(0)[:2], PosixEntry(OTHER, 0, 5)])


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_mutated(data):
    raw = bytearray(bytes.fromhex(EXTENDED))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        acl = parse_posix_acl(raw[: data.draw(st.sampled_from([len(raw), *range(len(raw))]))])
    except AclError:
        return
    assert parse_posix_acl(posix_acl_to_bytes(acl)) == acl


def test_the_kernel_takes_it(tmp_path):
    path = tmp_path / "file"
    path.touch()
    raw = posix_acl_to_bytes(parse_posix_acl(bytes.fromhex(EXTENDED)))
    set_xattr(path, "system.posix_acl_access", raw, Need.ACLS)
    assert path.stat().st_mode & 0o777 == 0o770
    assert parse_posix_acl(os.getxattr(path, "system.posix_acl_access")) == parse_posix_acl(raw)
