import pytest

from gateway.nt.time import EPOCH_DIFFERENCE
from gateway.smb.hiding import hiding
from gateway.smb.info.stat import file_attributes, file_info_from_stat
from tests.smb.info.samples import FILETIME_BORN, directory_stat, file_stat

FILE, DIRECTORY = 0o100644, 0o040755


@pytest.mark.parametrize(
    ("mode", "stored", "attributes"),
    [
        (FILE, None, 0x80),
        (FILE, 0, 0x80),
        (FILE, 0x80, 0x80),
        (FILE, 0x20, 0x20),
        (FILE, 0x27, 0x27),
        (FILE, 0xA0, 0x20),
        (FILE, 0x10, 0x80),
        (FILE, 0x3327, 0x3327),
        (FILE, 0xFFFFFFFF, 0x3327),
        (0o100444, None, 0x80),
        (DIRECTORY, None, 0x10),
        (DIRECTORY, 0x12, 0x12),
        (DIRECTORY, 0x80, 0x10),
    ],
)
def test_attributes(mode, stored, attributes):
    assert file_attributes(file_stat(mode=mode, dos_attributes=stored)) == attributes


@pytest.mark.parametrize(
    ("name", "hidden"), [(".profile", True), ("..x", True), (".", False), ("..", False), ("a.b", False), ("", False)]
)
def test_dot_files(name, hidden):
    stat = file_stat(dos_attributes=None)
    assert file_attributes(stat, name, hides=hiding(dot_files=True)) == (0x02 if hidden else 0x80)
    assert file_attributes(stat, name) == 0x80


def test_file():
    info = file_info_from_stat(
        file_stat(), name="\\a\\.b", volume_id=5, hides=hiding(dot_files=True), access_granted=0x80
    )
    assert info.creation_time == FILETIME_BORN
    assert [info.last_access_time, info.last_write_time, info.change_time] == [
        FILETIME_BORN + step * 10_000_000 for step in (1, 2, 3)
    ]
    assert (info.end_of_file, info.allocation_size, info.number_of_links) == (5000, 8192, 3)
    assert info.file_attributes == 0x22
    assert not info.is_directory
    assert info.index_number == 0x1122334455667788
    assert info.volume_id == 5
    assert info.access_granted == 0x80
    assert info.name == "\\a\\.b"


def test_directory_has_no_size():
    info = file_info_from_stat(directory_stat())
    assert info.is_directory
    assert (info.end_of_file, info.allocation_size, info.number_of_links) == (0, 0, 1)


def test_times_before_1970():
    info = file_info_from_stat(file_stat(birthtime_ns=-1, mtime_ns=0))
    assert info.creation_time == EPOCH_DIFFERENCE - 1
    assert info.last_write_time == EPOCH_DIFFERENCE
