"""Streams of a POSIX directory: their form on disk, and where they go that do not fit there."""

import os
import shutil
from pathlib import Path

import pytest

from tests.requirements import Need, set_xattr, skip_unless
from tests.vfs.conformance import READ, WRITE, contents, fails, make, names
from tests.vfs.conftest import MakePosix
from vfs_backends.api import Capability
from vfs_backends.errors import Kind
from vfs_backends.posix.sidestore import NAME

LARGE = bytes(range(256)) * 400
KEY = "user.DosStream.{}:$DATA"


@pytest.fixture(autouse=True)
def _needs_xattrs(tmp_path: Path) -> None:
    set_xattr(tmp_path, "user.test", b"", Need.XATTRS)


def kept(root: Path) -> list[str]:
    return sorted(os.listdir(root / NAME)) if (root / NAME).exists() else []


async def test_form_of_samba(tmp_path: Path, make_posix: MakePosix) -> None:
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file")
    stream = await file.create_stream("Ä b", READ | WRITE)
    assert os.getxattr(tmp_path / "file", KEY.format("Ä b")) == b"\0"
    await stream.write(0, memoryview(b"data"))
    assert os.getxattr(tmp_path / "file", KEY.format("Ä b")) == b"data\0"
    assert await file.list_xattrs() == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (KEY.format("one"), b"data\0", b"data"),
        (KEY.format("one"), b"\0\0", b"\0"),
        (KEY.format("one"), b"data", b"data"),
        (KEY.format("one"), b"", b""),
        ("user.DosStream.one", b"untyped\0", b"untyped"),
        ("user.DosStream.one:$INDEX_ALLOCATION", b"of a directory", b"of a directory"),
    ],
)
async def test_forms_of_others(tmp_path: Path, make_posix: MakePosix, key: str, value: bytes, expected: bytes) -> None:
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file")
    os.setxattr(tmp_path / "file", key, value)
    assert [(name, size) for name, size, _ in await file.list_streams()] == [("one", len(expected))]
    stream = await file.open_stream("ONE", READ | WRITE)
    assert await contents(stream) == expected
    await stream.write(0, memoryview(b"new"))
    assert os.getxattr(tmp_path / "file", key) == b"new" + expected[3:] + b"\0"
    assert len(os.listxattr(tmp_path / "file")) == 1


async def test_several_attributes(tmp_path: Path, make_posix: MakePosix) -> None:
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file")
    os.setxattr(tmp_path / "file", KEY.format("one"), b"first\1")
    os.setxattr(tmp_path / "file", "user.DosStreamExt.1.one:$DATA", b"second")
    stream = await file.open_stream("one", READ)
    with fails(Kind.NOT_SUPPORTED):
        await contents(stream)


async def test_side_store(tmp_path: Path, make_posix: MakePosix) -> None:
    fs = await make_posix()
    top = await fs.root()
    file = await make(fs, top, "file")
    stream = await file.create_stream("one", READ | WRITE)
    await stream.write(0, memoryview(LARGE))
    assert len(kept(tmp_path)) == 1
    assert (tmp_path / NAME).stat().st_mode & 0o777 == 0o700
    assert await names(top) == ["file"]
    for path in (NAME, NAME.upper(), f"{NAME}/{kept(tmp_path)[0]}", f"nowhere/{NAME}"):
        with fails(Kind.NOT_FOUND):
            await fs.lookup(top, path)
    with fails(Kind.ACCESS_DENIED):
        await fs.create_directory(top, NAME, 0o755)
    with fails(Kind.ACCESS_DENIED):
        await fs.rename(top, "file", top, NAME.upper(), file, replace=False)
    await stream.aclose()

    again = await make_posix()
    file = await again.lookup(await again.root(), "file")
    assert await contents(await file.open_stream("one", READ), 200_000) == LARGE
    await file.remove_stream("one")
    assert kept(tmp_path) == []


@pytest.mark.parametrize("how", ["remove", "rename", "link"])
async def test_goes_with_its_file(tmp_path: Path, make_posix: MakePosix, how: str) -> None:
    fs = await make_posix()
    top = await fs.root()
    file, other = await make(fs, top, "file"), await make(fs, top, "other")
    stream = await file.create_stream("one", READ | WRITE)
    await stream.write(0, memoryview(LARGE))
    if how == "remove":
        await fs.link(file, top, "second", replace=False)
        await fs.remove(top, "second", file)
        assert len(kept(tmp_path)) == 1
        await fs.remove(top, "file", file)
    elif how == "rename":
        await fs.rename(top, "other", top, "file", other, replace=True)
    else:
        await fs.link(other, top, "file", replace=True)
    assert kept(tmp_path) == []
    assert await contents(stream, 200_000) == LARGE


async def test_of_a_copy(tmp_path: Path, make_posix: MakePosix) -> None:
    """What leads to a stream leads there for the file it belongs to and nobody else."""
    fs = await make_posix()
    top = await fs.root()
    file = await make(fs, top, "file")
    await (await file.create_stream("one", READ | WRITE)).write(0, memoryview(LARGE))
    shutil.copy2(tmp_path / "file", tmp_path / "copy")
    copy = await fs.lookup(top, "copy")
    assert [(name, size) for name, size, _ in await copy.list_streams()] == [("one", 0)]
    stream = await copy.open_stream("one", READ | WRITE)
    with fails(Kind.IO):
        await contents(stream)
    assert (await stream.stat()).size == 0
    await stream.write(0, memoryview(b"new"))
    assert await contents(stream) == b"new"
    await fs.remove(top, "copy", copy)
    assert await contents(await file.open_stream("one", READ), 200_000) == LARGE


async def test_swept_at_the_start(tmp_path: Path, make_posix: MakePosix) -> None:
    fs = await make_posix()
    skip_unless(Capability.BY_ID in fs.capabilities, Need.BY_ID)
    top = await fs.root()
    for name in ("gone", "kept"):
        file = await make(fs, top, name)
        await (await file.create_stream("one", READ | WRITE)).write(0, memoryview(LARGE))
    await fs.close_all()
    (tmp_path / "gone").unlink()
    assert len(kept(tmp_path)) == 2
    await make_posix()
    assert len(kept(tmp_path)) == 1


async def test_not_in_somebody_elses_directory(tmp_path: Path, make_posix: MakePosix) -> None:
    (tmp_path / NAME).mkdir()
    (tmp_path / NAME).chmod(0o777)
    fs = await make_posix()
    file = await make(fs, await fs.root(), "file")
    stream = await file.create_stream("one", READ | WRITE)
    await stream.write(0, memoryview(b"small"))
    with fails(Kind.ACCESS_DENIED):
        await stream.write(0, memoryview(LARGE))
    assert await contents(stream) == b"small"
