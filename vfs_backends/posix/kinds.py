"""What kind of file system a directory is on, and how it has to be treated."""

import os
from dataclasses import dataclass

__all__ = ["FileSystemKind", "kind_of_device", "kind_of_magic"]


@dataclass(frozen=True, slots=True)
class FileSystemKind:
    """A file system format of Linux."""

    name: str
    slow: bool = False
    """Every call may take long (another process or machine answers), and changes of others raise no inotify event."""
    in_memory: bool = False
    """No call ever waits for a device."""
    preallocates: bool = False
    """Has fallocate(2) with FALLOC_FL_KEEP_SIZE."""
    opens_by_inode: bool = False
    """A file handle without a generation is accepted by open_by_handle_at(2)."""
    lists_xattrs: bool = False
    """listxattr(2) tells of all extended attributes there are: also of those that `security.` and ACLs are kept in."""


_EXT4 = FileSystemKind("ext4", preallocates=True, opens_by_inode=True, lists_xattrs=True)

_BY_MAGIC = {
    0xEF53: _EXT4,
    0x58465342: FileSystemKind("xfs", preallocates=True, lists_xattrs=True),
    0x9123683E: FileSystemKind("btrfs", preallocates=True, lists_xattrs=True),
    0x2FC12FC1: FileSystemKind("zfs"),
    0xCA451A4E: FileSystemKind("bcachefs", preallocates=True),
    0xF2F52010: FileSystemKind("f2fs", preallocates=True),
    0x01021994: FileSystemKind("tmpfs", in_memory=True, preallocates=True, lists_xattrs=True),
    0x858458F6: FileSystemKind("ramfs", in_memory=True),
    0x794C7630: FileSystemKind("overlay"),
    0x4D44: FileSystemKind("vfat"),
    0x2011BAB0: FileSystemKind("exfat"),
    0x7366746E: FileSystemKind("ntfs3", preallocates=True),
    0x9660: FileSystemKind("iso9660"),
    0x15013346: FileSystemKind("udf"),
    0x73717368: FileSystemKind("squashfs"),
    0xE0F5E1E2: FileSystemKind("erofs"),
    0x65735546: FileSystemKind("fuse", slow=True),
    0x6969: FileSystemKind("nfs", slow=True),
    0xFF534D42: FileSystemKind("cifs", slow=True),
    0xFE534D42: FileSystemKind("smb2", slow=True),
    0x01021997: FileSystemKind("9p", slow=True),
    0x00C36400: FileSystemKind("ceph", slow=True),
    0x5346414F: FileSystemKind("afs", slow=True),
    0x0BD00BD0: FileSystemKind("lustre", slow=True),
    0x01161970: FileSystemKind("gfs2", slow=True),
    0x7461636F: FileSystemKind("ocfs2", slow=True),
    0x47504653: FileSystemKind("gpfs", slow=True),
    0x786F4256: FileSystemKind("vboxsf", slow=True),
}


_BY_NAME = {kind.name: kind for kind in _BY_MAGIC.values()} | {"ext2": _EXT4, "ext3": _EXT4, "msdos": _BY_MAGIC[0x4D44]}
_SLOW_NAMES = ("fuse", "nfs", "smb", "virtiofs", "glusterfs", "orangefs", "coda", "beegfs", "autofs")


def kind_of_magic(magic: int) -> FileSystemKind:
    """The kind with this f_type of statfs(2); an unknown one is named by it and treated as a local disk."""
    return _BY_MAGIC.get(magic) or FileSystemKind(f"0x{magic:x}")


def kind_of_device(device: int) -> FileSystemKind | None:
    """The kind of what is mounted with this device number, without asking it; None if there is no such mount."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields = line.split(" ")
            if fields[2] == number:
                name = fields[fields.index("-") + 1]
                return _BY_NAME.get(name) or FileSystemKind(name, slow=name.startswith(_SLOW_NAMES))
    return None
