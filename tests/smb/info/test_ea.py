import contextlib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smbprotocol import file_info

from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_EA_LIST_INCONSISTENT,
    STATUS_EA_TOO_LARGE,
    STATUS_INVALID_EA_NAME,
    STATUS_NO_EAS_ON_FILE,
    STATUS_SUCCESS,
    StatusError,
)
from gateway.share.extended import ea_length
from gateway.smb.info.ea import ea_size, pack_full_ea, parse_full_ea, parse_get_ea

ATTRIBUTES = [
    ExtendedAttribute("EAONE", b"VALUE1"),
    ExtendedAttribute("SECONDEA", b"ValueTwo", 0x80),
    ExtendedAttribute("empty", b""),
    ExtendedAttribute("näme\udcff", bytes(range(256))),
]


def packed(attributes=ATTRIBUTES):
    status, data, count = pack_full_ea(attributes, 65536)
    assert (status, count) == (STATUS_SUCCESS, len(attributes))
    return data


def names_list(*names):
    entries = [len(name).to_bytes(1, "little") + name + b"\0" for name in names]
    data = b""
    for number, entry in enumerate(entries):
        size = (4 + len(entry) + 3) // 4 * 4
        last = number == len(entries) - 1
        data += (0 if last else size).to_bytes(4, "little") + (entry if last else entry.ljust(size - 4, b"\0"))
    return data


def fails(data, parse=parse_full_ea):
    with pytest.raises(StatusError) as caught:
        parse(memoryview(data))
    return caught.value.status


def test_round_trip():
    assert parse_full_ea(memoryview(packed())) == ATTRIBUTES
    assert parse_full_ea(memoryview(b"")) == []


def test_by_smbprotocol():
    data = packed(ATTRIBUTES[:3])
    for attribute in ATTRIBUTES[:3]:
        entry = file_info.FileFullEaInformation()
        entry.unpack(data)
        assert entry["ea_name"].get_value() == attribute.name.encode()
        assert entry["ea_value"].get_value() == attribute.value
        assert entry["flags"].get_value() == attribute.flags
        data = data[entry["next_entry_offset"].get_value() :]


def test_from_smbprotocol():
    entry = file_info.FileFullEaInformation()
    entry["ea_name"] = b"NAME"
    entry["ea_value"] = b"value"
    assert parse_full_ea(memoryview(entry.pack())) == [ExtendedAttribute("NAME", b"value")]
    asked = file_info.FileGetEaInformation()
    asked["ea_name"] = b"NAME"
    assert parse_get_ea(memoryview(asked.pack())) == ["NAME"]


def test_names():
    assert parse_get_ea(memoryview(names_list(b"A", b"BCDEF", b"G.H"))) == ["A", "BCDEF", "G.H"]
    assert parse_get_ea(memoryview(b"")) == []


def test_padding_after_the_last_is_ignored():
    assert len(parse_full_ea(memoryview(packed() + bytes(3)))) == len(ATTRIBUTES)


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        bytes(7),
        b"\x0c\0\0\0\0\1\0\0A\0\0\0",  # leads to the end
        b"\x0d\0\0\0\0\1\0\0A\0\0\0" + bytes(20),  # not aligned
        b"\4\0\0\0\0\1\0\0A\0" + bytes(20),  # into itself
        b"\0\0\0\0\0\5\0\0A\0",  # the name is cut
        b"\0\0\0\0\0\1\x05\0A\0abc",  # the value is cut
        b"\0\0\0\0\0\1\0\0AB",  # not terminated
        b"\x0c\0\0\0\0\1\x09\0A\0\0\0" + b"\0\0\0\0\0\1\0\0B\0",  # the value runs into the next one
    ],
)
def test_inconsistent(data):
    assert fails(data) == STATUS_EA_LIST_INCONSISTENT


@pytest.mark.parametrize("name", [b"", b"a:b", b"a\\b", b"a/b", b"a*", b"a\0b", b"a\x1f", b'"', b"a=b", b"[a]"])
def test_invalid_names(name):
    data = b"\0\0\0\0\0" + bytes([len(name)]) + b"\0\0" + name + b"\0"
    assert fails(data) == STATUS_INVALID_EA_NAME
    assert fails(names_list(name), parse_get_ea) == STATUS_INVALID_EA_NAME


def test_get_list_inconsistent():
    assert fails(b"\0\0\0\0\5AB\0", parse_get_ea) == STATUS_EA_LIST_INCONSISTENT
    assert fails(b"\0\0\0\0", parse_get_ea) == STATUS_EA_LIST_INCONSISTENT


def test_too_long_a_list():
    assert fails(bytes(65537)) == STATUS_EA_TOO_LARGE


def test_as_many_as_fit():
    full = packed()
    for limit in range(len(full) + 1):
        if limit < 8 + 6 + 6:
            with pytest.raises(StatusError) as caught:
                pack_full_ea(ATTRIBUTES, limit)
            assert caught.value.status == STATUS_BUFFER_TOO_SMALL
            continue
        status, data, count = pack_full_ea(ATTRIBUTES, limit)
        assert len(data) <= limit
        assert parse_full_ea(memoryview(data)) == ATTRIBUTES[:count]
        assert status == (STATUS_SUCCESS if count == len(ATTRIBUTES) else STATUS_BUFFER_OVERFLOW)


def test_none_at_all():
    with pytest.raises(StatusError) as caught:
        pack_full_ea([], 100)
    assert caught.value.status == STATUS_NO_EAS_ON_FILE


@pytest.mark.parametrize("attribute", [ExtendedAttribute("x" * 256, b""), ExtendedAttribute("x", bytes(65536))])
def test_what_the_format_cannot_hold(attribute):
    with pytest.raises(StatusError) as caught:
        pack_full_ea([attribute], 1 << 20)
    assert caught.value.status == STATUS_EA_TOO_LARGE


def test_ea_size():
    assert ea_size(0) == 0
    assert ea_size(ea_length(ATTRIBUTES[:2])) == 4 + (4 + 6 + 6) + (4 + 9 + 8)


def survive(parse, data):
    with contextlib.suppress(StatusError):
        parse(memoryview(data))


@pytest.mark.parametrize(("parse", "data"), [(parse_full_ea, packed()), (parse_get_ea, names_list(b"A", b"BC", b"D"))])
def test_truncated_and_mutated(parse, data):
    chance = random.Random(7)
    for length in range(len(data)):
        survive(parse, data[:length])
        for value in (0, 1, 4, 0x7F, 0xFF, chance.randrange(256)):
            survive(parse, data[:length] + bytes([value]) + data[length + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
def test_anything(data):
    survive(parse_full_ea, data)
    survive(parse_get_ea, data)


def test_longest_list_in_bounded_time():
    entry = b"\x0c\0\0\0\0\1\0\0A\0\0\0"
    began = time.process_time()
    assert fails(entry * (65536 // 12)) == STATUS_EA_LIST_INCONSISTENT
    assert time.process_time() - began < 0.5
