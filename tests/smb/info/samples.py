"""A file, a directory and a storage to tell about."""

from typing import Any

from vfs_backends.api import FileSystemStat, NodeId, Stat

SECOND = 1_000_000_000
BORN, READ, WRITTEN, CHANGED = (1_700_000_000 * SECOND + step * SECOND for step in range(4))
FILETIME_BORN = 133_444_736_000_000_000
"""2023-11-14 22:13:20 UTC."""


def file_stat(**changes: Any) -> Stat:
    values: dict[str, Any] = {
        "node_id": NodeId(7, 0x1122334455667788, 1),
        "mode": 0o100640,
        "nlink": 3,
        "uid": 0,
        "gid": 0,
        "size": 5000,
        "allocated": 8192,
        "atime_ns": READ,
        "mtime_ns": WRITTEN,
        "ctime_ns": CHANGED,
        "birthtime_ns": BORN,
        "dos_attributes": 0x22,
    }
    return Stat(**values | changes)


def directory_stat(**changes: Any) -> Stat:
    return file_stat(mode=0o040755, nlink=9, dos_attributes=None, **changes)


def storage(**changes: Any) -> FileSystemStat:
    values: dict[str, Any] = {
        "block_size": 4096,
        "total": 4096 * 1000,
        "free": 4096 * 500,
        "available": 4096 * 400,
        "files": 10,
        "files_free": 5,
        "volume_id": 0xA1B2C3D4E5F60718,
        "max_name": 255,
        "birthtime_ns": BORN,
        "kind": "memory",
    }
    return FileSystemStat(**values | changes)
