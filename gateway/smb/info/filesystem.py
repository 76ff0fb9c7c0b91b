"""Information classes of file systems ([MS-FSCC] 2.5, [MS-SMB2] 3.3.5.20.2)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from gateway.nt import constants as nt
from gateway.nt.status import STATUS_INVALID_INFO_CLASS, STATUS_NOT_SUPPORTED, StatusError
from gateway.nt.time import filetime_from_ns
from gateway.smb.info.buffers import check_minimum, cut
from gateway.wire.pieces import utf16_bytes
from vfs_backends.api import FileSystemStat

__all__ = ["FILE_SYSTEM_CLASSES", "VolumeInfo", "pack_file_system_info", "serial_number"]

_VOLUME: Final = Struct("<QIIBx")
_SIZE: Final = Struct("<QQII")
_DEVICE: Final = Struct("<II")
_ATTRIBUTE: Final = Struct("<IiI")
_CONTROL: Final = Struct("<QQQQQI4x")
_FULL_SIZE: Final = Struct("<QQQII")
_OBJECT_ID: Final = Struct("<Q8x48x")
_SECTOR_SIZE: Final = Struct("<IIIIIII")

_SECTOR: Final = 512
_NO_LIMIT: Final = 0xFFFF_FFFF_FFFF_FFFF
_ALIGNED_DEVICE: Final = 0x1
_PARTITION_ALIGNED_ON_DEVICE: Final = 0x2


@dataclass(frozen=True, slots=True)
class VolumeInfo:
    """What a client is told of a share's volume beyond what its storage tells."""

    label: str
    attributes: int
    """FILE_CASE_PRESERVED_NAMES and so on: what is really there ([MS-FSCC] 2.5.1)."""
    name: str = "NTFS"
    """The name of the file system, by which programs decide what to try."""
    max_component: int = 255
    """The longest name, in characters."""
    characteristics: int = nt.FILE_DEVICE_IS_MOUNTED
    """Of the device ([MS-FSCC] 2.5.10)."""


class _Class(NamedTuple):
    pack: Callable[[FileSystemStat, VolumeInfo, int], bytes]
    minimum: int


def pack_file_system_info(info_class: int, stat: FileSystemStat, volume: VolumeInfo, limit: int) -> tuple[int, bytes]:
    """The answer in at most `limit` bytes, and its status: SUCCESS, or BUFFER_OVERFLOW where a name was cut off.

    Raises StatusError: NOT_SUPPORTED for what [MS-FSCC] knows and QUERY_INFO does not, INVALID_INFO_CLASS for other
    numbers, INFO_LENGTH_MISMATCH for too little room.
    """
    entry = FILE_SYSTEM_CLASSES.get(info_class)
    if entry is None:
        raise StatusError(STATUS_NOT_SUPPORTED if info_class in _NOT_QUERIED else STATUS_INVALID_INFO_CLASS)
    check_minimum(limit, entry.minimum)
    return cut(entry.pack(stat, volume, limit), limit)


def serial_number(volume_id: int) -> int:
    """32 bits that name a volume to programs of DOS descent."""
    return (volume_id ^ volume_id >> 32) & 0xFFFF_FFFF


def _units(stat: FileSystemStat) -> tuple[int, int, int]:
    """Bytes of an allocation unit, sectors in it, bytes of a sector."""
    unit = stat.block_size or _SECTOR
    if unit % _SECTOR:
        return unit, 1, unit
    return unit, unit // _SECTOR, _SECTOR


def _volume(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    label = utf16_bytes(volume.label)
    room = max(limit - _VOLUME.size, 0) & ~1
    return (
        _VOLUME.pack(filetime_from_ns(stat.birthtime_ns), serial_number(stat.volume_id), min(len(label), room), False)
        + label
    )


def _size(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    unit, sectors, sector = _units(stat)
    return _SIZE.pack(stat.total // unit, stat.available // unit, sectors, sector)


def _device(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    return _DEVICE.pack(nt.FILE_DEVICE_DISK, volume.characteristics)


def _attribute(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    name = utf16_bytes(volume.name)
    room = max(limit - _ATTRIBUTE.size, 0) & ~1
    return _ATTRIBUTE.pack(volume.attributes, volume.max_component, min(len(name), room)) + name


def _control(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    """No quotas: nothing is limited."""
    return _CONTROL.pack(0, 0, 0, _NO_LIMIT, _NO_LIMIT, 0)


def _full_size(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    unit, sectors, sector = _units(stat)
    return _FULL_SIZE.pack(stat.total // unit, stat.available // unit, stat.free // unit, sectors, sector)


def _object_id(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    return _OBJECT_ID.pack(stat.volume_id)


def _sector_size(stat: FileSystemStat, volume: VolumeInfo, limit: int) -> bytes:
    unit, _, sector = _units(stat)
    return _SECTOR_SIZE.pack(sector, unit, unit, unit, _ALIGNED_DEVICE | _PARTITION_ALIGNED_ON_DEVICE, 0, 0)


FILE_SYSTEM_CLASSES: Final[Mapping[int, _Class]] = {
    nt.FILE_FS_VOLUME_INFORMATION: _Class(_volume, 24),
    nt.FILE_FS_SIZE_INFORMATION: _Class(_size, _SIZE.size),
    nt.FILE_FS_DEVICE_INFORMATION: _Class(_device, _DEVICE.size),
    nt.FILE_FS_ATTRIBUTE_INFORMATION: _Class(_attribute, 16),
    nt.FILE_FS_CONTROL_INFORMATION: _Class(_control, _CONTROL.size),
    nt.FILE_FS_FULL_SIZE_INFORMATION: _Class(_full_size, _FULL_SIZE.size),
    nt.FILE_FS_OBJECT_ID_INFORMATION: _Class(_object_id, _OBJECT_ID.size),
    nt.FILE_FS_SECTOR_SIZE_INFORMATION: _Class(_sector_size, _SECTOR_SIZE.size),
}

_NOT_QUERIED: Final = frozenset(
    {nt.FILE_FS_LABEL_INFORMATION, nt.FILE_FS_DRIVER_PATH_INFORMATION, nt.FILE_FS_VOLUME_FLAGS_INFORMATION}
)
"""Documented, but not among those that [MS-SMB2] 2.2.37 lists."""
