"""Whether an enumeration tells of extended attributes, on every file system of the suite."""

import os
from pathlib import Path

import pytest

from tests.requirements import Need, set_xattr
from tests.vfs.conformance import make, needs
from tests.vfs.conftest import MakePosix
from vfs_backends.api import Capability, FileSystem, Handle, StatChange


async def listed(handle: Handle) -> dict[str, bool | None]:
    stream = await handle.open_directory()
    found = {entry.name: entry.stat.has_xattrs for entry in await stream.read(100) if entry.stat is not None}
    await stream.aclose()
    return found


async def test_what_users_have_set(fs: FileSystem, top: Handle) -> None:
    await needs(fs, Capability.XATTRS)
    file, other = await make(fs, top, "file"), await make(fs, top, "other")
    directory = await fs.create_directory(top, "directory", 0o755)
    await other.set_stat(StatChange(dos_attributes=0x22))
    await other.set_security(b"blob")
    for _ in range(2):  # the second time from memory
        assert await listed(top) == {"file": False, "other": False, "directory": False}
    for handle in (file, other, directory):
        await handle.set_xattr("One", b"1")
    for _ in range(2):
        assert await listed(top) == {"file": True, "other": True, "directory": True}
    await other.remove_xattr("ONE")
    assert await listed(top) == {"file": True, "other": False, "directory": True}


@pytest.mark.parametrize("getxattrat", [True, pytest.param(False, marks=pytest.mark.replaces)])
async def test_attributes_of_local_programs(
    make_posix: MakePosix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, getxattrat: bool
) -> None:
    if not getxattrat:
        monkeypatch.setattr("vfs_backends.posix.volume.has_getxattrat", lambda fd: False)
    for name in ("plain", "own", "users", "stored"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("users")
    set_xattr(tmp_path / "users", "user.one", b"1", Need.XATTRS)
    os.setxattr(tmp_path / "own", "user.DosStream.one:$DATA", b"1\0")
    fs = await make_posix(tmp_path)
    top = await fs.root()
    await (await fs.lookup(top, "stored")).set_stat(StatChange(dos_attributes=0x20))
    os.setxattr(tmp_path / "stored", "user.one", b"1")
    assert await listed(top) == {
        "plain": False, "own": False, "users": True, "stored": True, "link": None,
    }  # fmt: skip


async def test_more_names_than_are_read(make_posix: MakePosix, in_memory: Path) -> None:
    (in_memory / "file").touch()
    for number in range(40):
        set_xattr(in_memory / "file", f"user.{number}{'x' * 200}", b"", Need.XATTRS)
    fs = await make_posix(in_memory)
    assert await listed(await fs.root()) == {"file": True}
