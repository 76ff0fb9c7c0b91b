import pytest
from impacket import smb
from smbprotocol import file_info

from gateway.nt.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    StatusError,
)
from gateway.smb.info.filesystem import VolumeInfo, pack_file_system_info, serial_number
from tests.smb.info.samples import FILETIME_BORN, storage

VOLUME = VolumeInfo(label="Bücher", attributes=0x3)
# what smbtorture's smb2.getinfo.qfs_buffercheck insists on, and ObjectId
MINIMUM = {1: 24, 3: 24, 4: 8, 5: 16, 6: 48, 7: 32, 8: 64, 11: 28}


def pack(info_class, limit=65536, stat=None, volume=VOLUME):
    return pack_file_system_info(info_class, stat or storage(), volume, limit)


def whole(info_class, **arguments):
    status, data = pack(info_class, **arguments)
    assert status == STATUS_SUCCESS
    return data


def test_volume_by_smbprotocol():
    data = file_info.FileFsVolumeInformation()
    assert not data.unpack(whole(1))
    assert data["volume_label"].get_value() == "Bücher"
    assert data["volume_serial_number"].get_value() == 0xA1B2C3D4 ^ 0xE5F60718 == serial_number(0xA1B2C3D4E5F60718)
    assert data["supports_objects"].get_value() is False
    assert whole(1)[:8] == FILETIME_BORN.to_bytes(8, "little")


def test_full_size_by_smbprotocol():
    data = file_info.FileFsFullSizeInformation()
    assert not data.unpack(whole(7))
    assert data["total_allocation_units"].get_value() == 1000
    assert data["caller_available_units"].get_value() == 400
    assert data["actual_available_units"].get_value() == 500
    assert data["sectors_per_unit"].get_value() == 8
    assert data["bytes_per_sector"].get_value() == 512


def test_object_id_by_smbprotocol():
    data = file_info.FileFsObjectIdInformation()
    assert not data.unpack(whole(8))
    assert data["object_id"].get_value().bytes == (0xA1B2C3D4E5F60718).to_bytes(8, "little") + bytes(8)


def test_sizes_by_impacket():
    data = smb.FileFsSizeInformation(whole(3))
    assert (data["TotalAllocationUnits"], data["AvailableAllocationUnits"]) == (1000, 400)
    assert (data["SectorsPerAllocationUnit"], data["BytesPerSector"]) == (8, 512)


def test_attributes_by_impacket():
    data = smb.SMBQueryFsAttributeInfo(whole(5))
    assert (data["FileSystemAttributes"], data["MaxFilenNameLengthInBytes"]) == (3, 255)
    assert whole(5)[12:].decode("utf-16-le") == "NTFS"


def test_device_by_impacket():
    data = smb.SMBQueryFsDeviceInfo(whole(4))
    assert (data["DeviceType"], data["DeviceCharacteristics"]) == (7, 0x20)


def test_no_quotas():
    assert whole(6) == bytes(24) + b"\xff" * 16 + bytes(8)


def test_sectors():
    values = [int.from_bytes(whole(11)[at : at + 4], "little") for at in range(0, 28, 4)]
    assert values == [512, 4096, 4096, 4096, 3, 0, 0]


@pytest.mark.parametrize(
    ("block", "sectors", "sector"), [(512, 1, 512), (1000, 1, 1000), (0, 1, 512), (1 << 20, 2048, 512)]
)
def test_odd_blocks(block, sectors, sector):
    data = smb.FileFsSizeInformation(whole(3, stat=storage(block_size=block)))
    assert (data["SectorsPerAllocationUnit"], data["BytesPerSector"]) == (sectors, sector)


@pytest.mark.parametrize(("info_class", "minimum"), MINIMUM.items())
def test_buffers(info_class, minimum):
    full = whole(info_class)
    for limit in range(len(full) + 1):
        if limit < minimum:
            with pytest.raises(StatusError) as caught:
                pack(info_class, limit)
            assert caught.value.status == STATUS_INFO_LENGTH_MISMATCH
        elif limit < len(full):
            status, data = pack(info_class, limit)
            assert status == STATUS_BUFFER_OVERFLOW
            assert len(data) == limit
        else:
            assert pack(info_class, limit) == (STATUS_SUCCESS, full)


def test_lengths_tell_what_is_there():
    assert int.from_bytes(pack(5, 17)[1][8:12], "little") == 4
    assert int.from_bytes(pack(1, 25)[1][12:16], "little") == 6


def test_without_a_label():
    assert len(whole(1, volume=VolumeInfo(label="", attributes=0))) == 18


@pytest.mark.parametrize("info_class", [2, 9, 10])
def test_documented_but_not_queried(info_class):
    with pytest.raises(StatusError) as caught:
        pack(info_class)
    assert caught.value.status == STATUS_NOT_SUPPORTED


@pytest.mark.parametrize("info_class", [0, 12, 100, 255])
def test_unknown(info_class):
    with pytest.raises(StatusError) as caught:
        pack(info_class)
    assert caught.value.status == STATUS_INVALID_INFO_CLASS
