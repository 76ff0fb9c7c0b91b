from typing import Any

import pytest
from impacket import smb, smb3structs
from smbprotocol import file_info

from gateway.nt import constants as nt
from gateway.nt.info import StreamInfo
from gateway.nt.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    StatusError,
)
from gateway.smb.info.file import FILE_CLASSES, file_class
from gateway.smb.info.pipe import PipeInfo, pack_pipe_info
from gateway.smb.info.stat import file_info_from_stat
from tests.smb.info.samples import FILETIME_BORN, directory_stat, file_stat

STREAMS = (StreamInfo("one", 3, 4096), StreamInfo("zweiß", 0, 0))
INFO = file_info_from_stat(
    file_stat(),
    name="\\dir\\näme.txt",
    volume_id=0xFEDCBA9876543210,
    ea_size=77,
    access_granted=0x120089,
    mode=0x20,
    position=11,
    streams=STREAMS,
)
# (class, least room that Windows accepts): what smbtorture's smb2.getinfo.qfile_buffercheck insists on, and the rest
MINIMUM = {
    4: 40,
    5: 24,
    6: 8,
    7: 4,
    8: 4,
    14: 8,
    16: 4,
    17: 4,
    18: 104,
    21: 8,
    22: 32,
    28: 16,
    34: 56,
    35: 8,
    48: 8,
    59: 24,
}
READ_ATTRIBUTES, READ_EA = 0x80, 0x08


def pack(info_class, info=INFO, limit=65536):
    return file_class(info_class, 0x0311).pack(info, limit)


def whole(info_class, info=INFO):
    status, data = pack(info_class, info)
    assert status == STATUS_SUCCESS
    return data


def unpack(structure, data):
    rest = structure.unpack(data)
    assert not rest
    return structure


def check_basic(basic: Any) -> None:
    times = ["creation_time", "last_access_time", "last_write_time", "change_time"]
    assert [basic[time].get_value() for time in times] == [FILETIME_BORN + step * 10_000_000 for step in range(4)]
    assert basic["file_attributes"].get_value() == 0x22


def check_standard(standard: Any) -> None:
    assert standard["allocation_size"].get_value() == 8192
    assert standard["end_of_file"].get_value() == 5000
    assert standard["number_of_links"].get_value() == 3
    assert standard["delete_pending"].get_value() is False
    assert standard["directory"].get_value() is False


def test_basic_by_smbprotocol():
    check_basic(unpack(file_info.FileBasicInformation(), whole(4)))


def test_standard_by_smbprotocol():
    check_standard(unpack(file_info.FileStandardInformation(), whole(5)))


@pytest.mark.parametrize(("links", "told"), [(3, 2), (1, 0), (0, 0)])
def test_a_file_to_be_deleted_has_a_link_less(links, told):
    info = file_info_from_stat(file_stat(nlink=links), delete_pending=True)
    standard = unpack(file_info.FileStandardInformation(), whole(5, info))
    assert standard["delete_pending"].get_value() is True
    assert standard["number_of_links"].get_value() == told


@pytest.mark.parametrize(
    ("info_class", "structure", "field", "value"),
    [
        (6, file_info.FileInternalInformation, "index_number", 0x1122334455667788),
        (7, file_info.FileEaInformation, "ea_size", 77),
        (8, file_info.FileAccessInformation, "access_flags", 0x120089),
        (14, file_info.FilePositionInformation, "current_byte_offset", 11),
        (16, file_info.FileModeInformation, "mode", 0x20),
        (17, file_info.FileAlignmentInformation, "alignment_requirement", 0),
        (35, file_info.FileAttributeTagInformation, "file_attributes", 0x22),
    ],
)
def test_single_values_by_smbprotocol(info_class, structure, field, value):
    assert unpack(structure(), whole(info_class))[field].get_value() == value


def test_all_by_smbprotocol():
    data = unpack(file_info.FileAllInformation(), whole(18))
    check_basic(data["basic_information"])
    check_standard(data["standard_information"])
    assert data["internal_information"]["index_number"].get_value() == 0x1122334455667788
    assert data["ea_information"]["ea_size"].get_value() == 77
    assert data["access_information"]["access_flags"].get_value() == 0x120089
    assert data["position_information"]["current_byte_offset"].get_value() == 11
    assert data["mode_information"]["mode"].get_value() == 0x20
    assert data["alignment_information"]["alignment_requirement"].get_value() == 0
    assert data["name_information"]["file_name"].get_value() == "\\dir\\näme.txt"


def test_all_by_impacket():
    data = smb3structs.FILE_ALL_INFORMATION(whole(18))
    assert data["BasicInformation"]["CreationTime"] == FILETIME_BORN
    assert data["StandardInformation"]["EndOfFile"] == 5000
    assert data["InternalInformation"]["IndexNumber"] == 0x1122334455667788
    assert data["AccessInformation"]["AccessFlags"] == 0x120089
    assert data["NameInformation"]["FileName"].decode("utf-16-le") == "\\dir\\näme.txt"


def test_all_is_never_shorter_than_linux_accepts():
    """Its `struct smb2_file_all_info` has 101 bytes."""
    assert len(whole(18, file_info_from_stat(directory_stat()))) > 100


def test_network_open_by_impacket():
    data = smb.SMBFileNetworkOpenInfo(whole(34))
    assert data["CreationTime"] == FILETIME_BORN
    assert data["LastWriteTime"] == FILETIME_BORN + 20_000_000
    assert (data["AllocationSize"], data["EndOfFile"], data["FileAttributes"]) == (8192, 5000, 0x22)
    assert len(whole(34)) == 56


def streams_of(data):
    found = []
    offset = 0
    while data:
        entry = file_info.FileStreamInformation()
        entry.unpack(data[offset:])
        found.append((entry["stream_name"].get_value(), entry["stream_size"].get_value()))
        following = entry["next_entry_offset"].get_value()
        assert following % 8 == 0
        offset += following
        if not following:
            break
    return found


def test_streams_by_smbprotocol():
    assert streams_of(whole(22)) == [("::$DATA", 5000), (":one:$DATA", 3), (":zweiß:$DATA", 0)]
    assert len(whole(22)) == 40 + 48 + 24 + 24


def test_a_directory_has_no_default_stream():
    assert whole(22, file_info_from_stat(directory_stat())) == b""
    info = file_info_from_stat(directory_stat(), streams=STREAMS)
    assert streams_of(whole(22, info)) == [(":one:$DATA", 3), (":zweiß:$DATA", 0)]


def test_only_whole_streams():
    full = whole(22)
    for limit in range(32, len(full)):
        status, data = pack(22, limit=limit)
        assert status == STATUS_BUFFER_OVERFLOW
        assert len(data) <= limit
        assert len(streams_of(data)) == (limit >= 38) + (limit >= 40 + 24 + 20)


def test_names():
    assert whole(48) == b"\x18\0\0\0" + "dir\\näme.txt".encode("utf-16-le")
    assert whole(48, file_info_from_stat(directory_stat())) == bytes(4)
    assert whole(21, file_info_from_stat(file_stat(), name="\\x\\a.txt:s")) == b"\x0a\0\0\0" + "A.TXT".encode(
        "utf-16-le"
    )
    assert whole(21, file_info_from_stat(file_stat(), name="\\x\\a long name")) == bytes(4)


def test_compression_and_id():
    assert whole(28) == (5000).to_bytes(8, "little") + bytes(8)
    assert whole(59) == bytes.fromhex("1032547698badcfe 8877665544332211") + bytes(8)


@pytest.mark.parametrize(("info_class", "minimum"), MINIMUM.items())
def test_buffers(info_class, minimum):
    full = whole(info_class)
    for limit in range(len(full) + 1):
        if limit < minimum:
            with pytest.raises(StatusError) as caught:
                pack(info_class, limit=limit)
            assert caught.value.status == STATUS_INFO_LENGTH_MISMATCH
        elif limit < len(full):
            status, data = pack(info_class, limit=limit)
            assert status == STATUS_BUFFER_OVERFLOW
            assert len(data) <= limit
        else:
            assert pack(info_class, limit=limit) == (STATUS_SUCCESS, full)


def test_access():
    assert {number for number, entry in FILE_CLASSES.items() if entry.access == READ_ATTRIBUTES} == {
        4,
        18,
        23,
        24,
        25,
        34,
        35,
    }
    assert {number for number, entry in FILE_CLASSES.items() if entry.access == READ_EA} == {15}
    assert {entry.access for entry in FILE_CLASSES.values()} == {0, READ_ATTRIBUTES, READ_EA}


@pytest.mark.parametrize(
    ("info_class", "dialect", "status"),
    [
        (0, 0x0311, STATUS_INVALID_INFO_CLASS),
        (1, 0x0311, STATUS_NOT_SUPPORTED),
        (9, 0x0311, STATUS_NOT_SUPPORTED),
        (10, 0x0311, STATUS_NOT_SUPPORTED),
        (20, 0x0311, STATUS_NOT_SUPPORTED),
        (48, 0x0302, STATUS_NOT_SUPPORTED),
        (59, 0x0210, STATUS_NOT_SUPPORTED),
        (68, 0x0311, STATUS_INVALID_INFO_CLASS),
        (71, 0x0311, STATUS_INVALID_INFO_CLASS),
        (255, 0x0311, STATUS_INVALID_INFO_CLASS),
    ],
)
def test_classes_that_are_refused(info_class, dialect, status):
    with pytest.raises(StatusError) as caught:
        file_class(info_class, dialect)
    assert caught.value.status == status


@pytest.mark.parametrize("info_class", [15, 23, 24, 25])
def test_classes_of_others(info_class):
    with pytest.raises(StatusError) as caught:
        pack(info_class)
    assert caught.value.status == STATUS_INVALID_PARAMETER


def test_dialects():
    assert file_class(59, 0x0300).minimum == 24
    assert file_class(48, 0x0311).minimum == 8
    assert file_class(4, 0x0202).minimum == 40


def test_pipes():
    pipe = PipeInfo(read_mode=1, completion_mode=1, quota=4096, available=12)
    assert pack_pipe_info(nt.FILE_PIPE_INFORMATION, pipe, 8) == (STATUS_SUCCESS, b"\1\0\0\0\1\0\0\0")
    _, data = pack_pipe_info(nt.FILE_PIPE_LOCAL_INFORMATION, pipe, 64)
    values = [int.from_bytes(data[at : at + 4], "little") for at in range(0, 40, 4)]
    assert values == [1, 2, 0xFFFFFFFF, 1, 4096, 12, 4096, 4096, 3, 0]
    assert pack_pipe_info(nt.FILE_PIPE_REMOTE_INFORMATION, pipe, 16) == (STATUS_SUCCESS, bytes(16))
    with pytest.raises(StatusError) as caught:
        pack_pipe_info(nt.FILE_PIPE_LOCAL_INFORMATION, pipe, 39)
    assert caught.value.status == STATUS_INFO_LENGTH_MISMATCH
    with pytest.raises(StatusError):
        pack_pipe_info(nt.FILE_BASIC_INFORMATION, pipe, 64)
