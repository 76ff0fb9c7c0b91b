import contextlib
import random
from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impacket import smb, smb3structs
from smbprotocol import file_info

from gateway.nt.info import ExtendedAttribute
from gateway.nt.status import (
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    StatusError,
)
from gateway.smb.info.setfile import (
    LEAVE_TIME,
    RESUME_TIME,
    SET_CLASSES,
    SUSPEND_TIME,
    BasicChange,
    Disposition,
    EaChange,
    LinkTarget,
    ModeChange,
    PipeChange,
    PositionChange,
    RenameTarget,
    ShortNameChange,
    SizeChange,
    check_attributes,
    parse_set_info,
    set_class,
)
from gateway.wire import WireError

NAME = "dir\\néw"
ENCODED = NAME.encode("utf-16-le")


def parse(info_class, data):
    return parse_set_info(set_class(info_class), memoryview(data))


def target(head, name=ENCODED, root=0):
    return head + pack("<QI", root, len(name)) + name


VALID = [
    (4, pack("<qqqqII", 1, LEAVE_TIME, SUSPEND_TIME, RESUME_TIME, 0x21, 0), BasicChange(1, 0, -1, -2, 0x21)),
    (10, target(b"\1" + bytes(7)), RenameTarget(NAME, True)),
    (10, target(bytes(8)) + bytes(6), RenameTarget(NAME, False)),
    (11, target(b"\1" + bytes(7)), LinkTarget(NAME, True)),
    (13, b"\1", Disposition(True)),
    (13, b"\0", Disposition(False)),
    (14, pack("<q", 99), PositionChange(99)),
    (15, b"", EaChange([])),
    (15, b"\0\0\0\0\0\2\1\0EA\0v", EaChange([ExtendedAttribute("EA", b"v")])),
    (16, pack("<I", 0x36), ModeChange(0x36)),
    (19, pack("<q", 4096), SizeChange(4096)),
    (20, pack("<q", 1 << 62), SizeChange(1 << 62)),
    (23, pack("<II", 1, 0), PipeChange(1, 0)),
    (39, pack("<q", 0), SizeChange(0)),
    (40, pack("<I", 6) + b"A\0~\0001\0", ShortNameChange("A~1")),
    (64, pack("<I", 0), Disposition(False)),
    (64, pack("<I", 0x1B), Disposition(True, True, True, True)),
    (65, target(pack("<II", 0x43, 0)), RenameTarget(NAME, True, True)),
    (65, target(pack("<II", 0x02, 0)), RenameTarget(NAME, False, False)),
    (65, target(bytes(8)), RenameTarget(NAME, False)),
    (72, target(pack("<II", 1, 0)), LinkTarget(NAME, True)),
]


@pytest.mark.parametrize(("info_class", "data", "request_"), VALID)
def test_parse(info_class, data, request_):
    assert parse(info_class, data) == request_


@pytest.mark.parametrize(
    ("info_class", "data"),
    [
        (4, pack("<qqqqII", 0, 0, 0, -3, 0, 0)),
        (10, target(bytes(8), b"")),
        (10, target(bytes(8), root=5)),
        (14, pack("<q", -1)),
        (16, pack("<I", 0x1000)),
        (19, pack("<q", -1)),
        (20, pack("<q", -(1 << 63))),
        (39, pack("<q", -1)),
        (72, target(bytes(8), root=1 << 63)),
    ],
)
def test_values_that_cannot_be(info_class, data):
    with pytest.raises(StatusError) as caught:
        parse(info_class, data)
    assert caught.value.status == STATUS_INVALID_PARAMETER


@pytest.mark.parametrize(
    ("info_class", "data"),
    [
        (10, target(bytes(8))[:-1]),
        (11, bytes(16) + b"\xff\xff\xff\xff" + ENCODED),
        (65, target(bytes(8), b"abc")),
        (40, pack("<I", 8) + b"A\0"),
        (23, pack("<II", 2, 0)),
    ],
)
def test_lengths_that_lead_outside(info_class, data):
    with pytest.raises(WireError):
        parse(info_class, data)


@pytest.mark.parametrize("info_class", SET_CLASSES)
def test_too_short(info_class):
    minimum = SET_CLASSES[info_class].minimum
    for length in range(minimum):
        with pytest.raises(StatusError) as caught:
            parse(info_class, bytes(length))
        assert caught.value.status == STATUS_INFO_LENGTH_MISMATCH


def test_access():
    by_access: dict[int, set[int]] = {}
    for number, entry in SET_CLASSES.items():
        by_access.setdefault(entry.access, set()).add(number)
    assert by_access == {
        0: {11, 14, 16, 72},
        0x2: {19, 20, 39},
        0x10: {15},
        0x100: {4, 23},
        0x10000: {10, 13, 40, 64, 65},
    }


def test_classes_that_are_refused():
    for info_class, status in [
        (0, STATUS_INVALID_INFO_CLASS),
        (5, STATUS_INVALID_INFO_CLASS),
        (18, STATUS_INVALID_INFO_CLASS),
        (32, STATUS_NOT_SUPPORTED),
        (71, STATUS_INVALID_INFO_CLASS),
    ]:
        with pytest.raises(StatusError) as caught:
            set_class(info_class)
        assert caught.value.status == status


def test_attributes_of_the_wrong_kind():
    check_attributes(0x37, is_directory=True)
    check_attributes(0x127, is_directory=False)
    for attributes, is_directory in [(0x100, True), (0x10, False)]:
        with pytest.raises(StatusError) as caught:
            check_attributes(attributes, is_directory=is_directory)
        assert caught.value.status == STATUS_INVALID_PARAMETER


def test_from_smbprotocol():
    rename = file_info.FileRenameInformation()
    rename["replace_if_exists"] = True
    rename["file_name"] = NAME
    assert parse(10, rename.pack()) == RenameTarget(NAME, True)
    link = file_info.FileLinkInformation()
    link["file_name"] = NAME
    assert parse(11, link.pack()) == LinkTarget(NAME, False)
    disposition = file_info.FileDispositionInformation()
    disposition["delete_pending"] = True
    assert parse(13, disposition.pack()) == Disposition(True)
    end = file_info.FileEndOfFileInformation()
    end["end_of_file"] = 12345
    assert parse(20, end.pack()) == SizeChange(12345)


def test_from_impacket():
    rename = smb3structs.FILE_RENAME_INFORMATION_TYPE_2()
    rename["ReplaceIfExists"] = 1
    rename["Reserved"] = bytes(7)
    rename["RootDirectory"] = 0
    rename["FileName"] = ENCODED
    rename["FileNameLength"] = len(ENCODED)
    assert parse(10, rename.getData()) == RenameTarget(NAME, True)
    basic = smb.SMBSetFileBasicInfo()
    basic["CreationTime"] = 5
    basic["LastAccessTime"] = basic["LastWriteTime"] = basic["ChangeTime"] = 0
    basic["ExtFileAttributes"] = 0x80
    assert parse(4, basic.getData()) == BasicChange(5, 0, 0, 0, 0x80)


def survive(info_class, data):
    with contextlib.suppress(WireError, StatusError):
        parse(info_class, data)


def test_truncated_and_mutated():
    chance = random.Random(4)
    for info_class, data, _ in VALID:
        for length in range(len(data)):
            survive(info_class, data[:length])
        for at in range(len(data)):
            for value in (0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)):
                survive(info_class, data[:at] + bytes([value]) + data[at + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(sorted(SET_CLASSES)), st.binary(max_size=80))
def test_anything(info_class, data):
    survive(info_class, data)
