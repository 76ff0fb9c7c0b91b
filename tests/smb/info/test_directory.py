import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from impacket import smb
from smbprotocol import file_info

from gateway.nt.status import (
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    StatusError,
)
from gateway.smb.hiding import hiding
from gateway.smb.info.directory import DIRECTORY_CLASSES, DirectoryPacker
from tests.smb.info.samples import FILETIME_BORN, directory_stat, file_stat

FIXED = {1: 64, 2: 68, 3: 94, 12: 12, 37: 104, 38: 80, 60: 88}
STRUCTURES = {
    1: file_info.FileDirectoryInformation,
    2: file_info.FileFullDirectoryInformation,
    3: file_info.FileBothDirectoryInformation,
    12: file_info.FileNamesInformation,
    37: file_info.FileIdBothDirectoryInformation,
    38: file_info.FileIdFullDirectoryInformation,
}
NAMES = [".", "..", "a", "näme.txt", "\ud800x", "long" * 60]


def entries(data):
    while data:
        following = int.from_bytes(data[:4], "little")
        assert following % 8 == 0
        assert following <= len(data)
        yield data[:following] if following else data
        data = data[following:] if following else b""


def pack(info_class, names, limit=65536):
    packer = DirectoryPacker(info_class, limit)
    for name in names:
        assert packer.add(name, directory_stat() if name.startswith(".") else file_stat(), ea_size=9)
    assert packer.count == len(names)
    return packer.to_bytes()


def test_fixed_sizes():
    assert {number: layout.size for number, layout in DIRECTORY_CLASSES.items()} == FIXED


@pytest.mark.parametrize("info_class", FIXED)
def test_names_and_chain(info_class):
    found = []
    for entry in entries(pack(info_class, NAMES)):
        at = 8 if info_class == 12 else 60
        length = int.from_bytes(entry[at : at + 4], "little")
        fixed = FIXED[info_class]
        found.append(entry[fixed : fixed + length].decode("utf-16-le", "surrogatepass"))
    assert found == NAMES


@pytest.mark.parametrize("info_class", STRUCTURES)
def test_by_smbprotocol(info_class):
    names = [name for name in NAMES if "\ud800" not in name]
    for name, data in zip(names, entries(pack(info_class, names)), strict=True):
        entry = STRUCTURES[info_class]()
        assert not any(entry.unpack(data))
        assert entry["file_name"].get_value().decode("utf-16-le") == name
        if info_class == 12:
            continue
        directory = name.startswith(".")
        assert entry["file_attributes"].get_value() == (0x10 if directory else 0x22)
        assert entry["end_of_file"].get_value() == (0 if directory else 5000)
        assert entry["allocation_size"].get_value() == (0 if directory else 8192)
        assert entry["change_time"].get_value().second == 23
        if info_class != 1:
            assert entry["ea_size"].get_value() == 9
        if info_class in (37, 38):
            assert entry["file_id"].get_value() == 0x1122334455667788
        if info_class in (3, 37):
            assert entry["short_name_length"].get_value() == 0


@pytest.mark.parametrize(
    ("info_class", "structure"),
    [
        (1, smb.SMBFindFileDirectoryInfo),
        (2, smb.SMBFindFileFullDirectoryInfo),
        (3, smb.SMBFindFileBothDirectoryInfo),
        (12, smb.SMBFindFileNamesInfo),
        (37, smb.SMBFindFileIdBothDirectoryInfo),
        (38, smb.SMBFindFileIdFullDirectoryInfo),
    ],
)
def test_by_impacket(info_class, structure):
    entry = structure(smb.SMB.FLAGS2_UNICODE)
    entry.fromString(pack(info_class, ["name"]))
    assert entry["FileName"].decode("utf-16-le") == "name"
    if info_class != 12:
        assert entry["CreationTime"] == FILETIME_BORN
        assert entry["LastWriteTime"] == FILETIME_BORN + 20_000_000
        assert entry["ExtFileAttributes"] == 0x22
    if info_class in (37, 38):
        assert entry["FileID"] == 0x1122334455667788


def test_id_extd():
    data = pack(60, ["n"])
    assert data[64:88] == b"\x09\0\0\0" + bytes(4) + bytes.fromhex("8877665544332211") + bytes(8)


def test_names_need_no_stat():
    packer = DirectoryPacker(12, 100)
    assert not packer.needs_stat
    assert packer.add("a", None)
    assert packer.to_bytes() == b"\0\0\0\0\0\0\0\0\2\0\0\0a\0"
    assert DirectoryPacker(1, 100).needs_stat


def test_dot_files():
    packer = DirectoryPacker(37, 1000, hides=hiding(dot_files=True))
    packer.add(".x", file_stat(dos_attributes=None))
    assert packer.to_bytes()[56] == 0x02


def test_empty():
    assert DirectoryPacker(37, 1000).to_bytes() == b""


@pytest.mark.parametrize("info_class", FIXED)
def test_too_small_for_anything(info_class):
    with pytest.raises(StatusError) as caught:
        DirectoryPacker(info_class, FIXED[info_class] - 1)
    assert caught.value.status == STATUS_INFO_LENGTH_MISMATCH


@pytest.mark.parametrize("info_class", FIXED)
def test_too_small_for_the_first(info_class):
    packer = DirectoryPacker(info_class, FIXED[info_class] + 3)
    with pytest.raises(StatusError) as caught:
        packer.add("ab", file_stat())
    assert caught.value.status == STATUS_INFO_LENGTH_MISMATCH
    assert packer.add("a", file_stat())


@pytest.mark.parametrize("info_class", [0, 4, 63, 78, 100])
def test_not_a_class_of_directories(info_class):
    with pytest.raises(StatusError) as caught:
        DirectoryPacker(info_class, 1000)
    assert caught.value.status == STATUS_INVALID_INFO_CLASS


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FIXED)), st.lists(st.text(min_size=1, max_size=30), max_size=12), st.integers(200, 1500))
def test_fills_up_and_not_over(info_class, names, limit):
    packer = DirectoryPacker(info_class, limit)
    taken = []
    for name in names:
        if not packer.add(name, file_stat()):
            break
        taken.append(name)
    data = packer.to_bytes()
    assert len(data) <= limit
    assert len(list(entries(data))) == packer.count == len(taken)
    if len(taken) < len(names):
        length = len(names[len(taken)].encode("utf-16-le", "surrogatepass"))
        assert (len(data) + 7) // 8 * 8 + FIXED[info_class] + length > limit
