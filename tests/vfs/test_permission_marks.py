"""Whoever changes the permissions of a directory, it is noticed at once."""

import os
from pathlib import Path

import pytest
import trio

from tests.requirements import MAX_QUEUED_EVENTS, Need, needs
from vfs_backends.api import Capability, Handle, IoAccess, StatChange
from vfs_backends.posix import PosixFileSystem, permission_marks
from vfs_backends.posix.kinds import FileSystemKind

pytestmark = needs(Need.LINUX)

ACL = bytes.fromhex("0200000001000700ffffffff02000500591b000004000000ffffffff10000500ffffffff20000000ffffffff")


async def start(root: Path, **options: object) -> tuple[PosixFileSystem, Handle]:
    fs = PosixFileSystem(root, fold=str.casefold, **options)  # type: ignore[arg-type]  # which are of several types
    await fs.start()
    return fs, await fs.root()


async def test_what_changes_permissions_changes_the_mark(tmp_path: Path) -> None:
    fs, top = await start(tmp_path)
    directory = await fs.create_directory(top, "directory", 0o755)
    path = tmp_path / "directory"
    marks = [directory.permissions_mark()]
    assert marks[0] is not None

    path.chmod(0o700)
    marks.append(directory.permissions_mark())
    await directory.set_stat(StatChange(mode=0o750))
    marks.append(directory.permissions_mark())
    if Capability.SECURITY in fs.capabilities:
        await directory.set_security(b"blob")
        marks.append(directory.permissions_mark())
        await directory.set_security(None)
        marks.append(directory.permissions_mark())
    if Capability.POSIX_ACLS in fs.capabilities:
        os.setxattr(path, "system.posix_acl_default", ACL)
        marks.append(directory.permissions_mark())
        os.removexattr(path, "system.posix_acl_default")
        marks.append(directory.permissions_mark())
    assert len(set(marks)) == len(marks)
    assert directory.permissions_mark() == marks[-1]
    await fs.aclose()


async def test_what_happens_in_a_directory_leaves_its_mark(tmp_path: Path) -> None:
    fs, top = await start(tmp_path)
    directory = await fs.create_directory(top, "directory", 0o755)
    mark = directory.permissions_mark()
    file = await fs.create_file(directory, "file", 0o600, IoAccess.WRITE)
    assert file.permissions_mark() is None
    await file.set_stat(StatChange(mode=0o640))
    (tmp_path / "directory" / "file").chmod(0o600)
    (tmp_path / "directory" / "file").rename(tmp_path / "directory" / "other")
    (tmp_path / "directory" / "other").unlink()
    assert (await fs.lookup(top, "directory")).permissions_mark() == mark
    await fs.aclose()


async def test_another_directory_of_the_same_name_has_another_mark(tmp_path: Path) -> None:
    fs, top = await start(tmp_path)
    directory = await fs.create_directory(top, "directory", 0o755)
    mark = directory.permissions_mark()
    await fs.remove(top, "directory", directory)
    await directory.aclose()
    again = await fs.create_directory(top, "directory", 0o755)
    assert again.permissions_mark() not in (None, mark)
    await fs.aclose()


@needs(Need.SHORT_QUEUE)
async def test_changes_that_were_lost_count_as_changes(tmp_path: Path) -> None:
    limit = int(await trio.Path(MAX_QUEUED_EVENTS).read_text())
    fs, top = await start(tmp_path)
    one = await fs.create_directory(top, "one", 0o755)
    other = await fs.create_directory(top, "other", 0o755)
    marks = one.permissions_mark(), other.permissions_mark()
    for number in range(limit // 2 + 2):
        # The same thing twice running is told once.
        (tmp_path / "other").chmod(0o700 | number % 8)
        (tmp_path / "one").chmod(0o700)
    for directory, mark in zip((one, other), marks, strict=True):
        assert directory.permissions_mark() not in (None, mark)
    await fs.aclose()


@pytest.mark.replaces
async def test_so_many_are_watched_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permission_marks, "_LIMIT", 2)
    fs, top = await start(tmp_path)
    directories = [await fs.create_directory(top, name, 0o755) for name in "abc"]
    marks = [directory.permissions_mark() for directory in directories]
    assert [directory.permissions_mark() for directory in directories[1:]] == marks[1:]
    assert directories[0].permissions_mark() not in (None, marks[0])
    await fs.aclose()


@pytest.mark.replaces
async def test_where_nobody_tells_there_is_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options in ({"inotify": False}, {"kind": FileSystemKind("far away", slow=True)}):
        fs, top = await start(tmp_path, **options)
        assert top.permissions_mark() is None
        await fs.aclose()
    monkeypatch.setattr(permission_marks, "inotify_init", lambda flags: -24)
    fs, top = await start(tmp_path)
    assert top.permissions_mark() is None
    await fs.aclose()
