"""Names, paths, and what look-ups find."""

import pytest

from tests.vfs.conformance import contents, fails, lacks, make, names
from vfs_backends.api import Capability, FileSystem, Handle, NodeId
from vfs_backends.errors import Kind


async def test_root(fs: FileSystem, top: Handle) -> None:
    assert top.path == ""
    assert top.is_directory
    assert (await top.stat()).node_id == top.node_id
    again = await fs.lookup(top, "")
    assert again.node_id == top.node_id
    assert await names(top) == []


async def test_create_existing(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "name", b"kept")
    with fails(Kind.EXISTS):
        await make(fs, top, "name")
    with fails(Kind.EXISTS):
        await fs.create_directory(top, "name", 0o755)
    assert await contents(handle) == b"kept"
    await make(fs, top, "NAME")
    assert await names(top) == ["NAME", "name"]


async def test_create_where_nothing_can_be(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "file")
    with fails(Kind.PATH_NOT_FOUND):
        await make(fs, handle, "below")
    directory = await fs.create_directory(top, "directory", 0o755)
    await fs.remove(top, "directory", directory)
    with fails(Kind.PATH_NOT_FOUND):
        await make(fs, directory, "below")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.create_directory(directory, "below", 0o755)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(directory, "below")


async def test_that_there_is_nothing_is_no_error_to_who_may_expect_it(fs: FileSystem, top: Handle) -> None:
    await make(fs, top, "File")
    directory = await fs.create_directory(top, "directory", 0o755)
    found = [await fs.find(top, name) for name in ("File", "fILE", "directory/nothing", "nothing")]
    assert [handle and handle.path for handle in found] == ["File", "File", None, None]
    assert await fs.find(top, "fILE", case_sensitive=True) is None
    assert await fs.find(directory, "nothing") is None
    for path in ("none/file", "File/file"):
        with fails(Kind.PATH_NOT_FOUND):
            await fs.find(top, path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\0b"])
async def test_impossible_names(fs: FileSystem, top: Handle, name: str) -> None:
    handle = await make(fs, top, "file")
    with fails(Kind.NAME_INVALID):
        await make(fs, top, name)
    with fails(Kind.NAME_INVALID):
        await fs.create_directory(top, name, 0o755)
    with fails(Kind.NAME_INVALID):
        await fs.rename(top, "file", top, name, handle, replace=False)
    with fails(Kind.NAME_INVALID):
        await fs.remove(top, name, handle)
    assert await names(top) == ["file"]


@pytest.mark.parametrize("path", [".", "..", "/a", "a/", "a//b", "a/../b", "../a", "a/..", "a/./b", "a\0"])
async def test_impossible_paths(fs: FileSystem, top: Handle, path: str) -> None:
    await fs.create_directory(top, "a", 0o755)
    await make(fs, top, "b")
    with fails(Kind.NAME_INVALID):
        await fs.lookup(top, path)


@pytest.mark.parametrize(
    "name", ["...", "a ", " a", ".a", "a.", "a:b", "é", "\U0001f600", "a\nb", "x\ud800", "\udfffx"]
)
async def test_possible_names(fs: FileSystem, top: Handle, name: str) -> None:
    await make(fs, top, name)
    handle = await fs.lookup(top, name)
    assert handle.path == name
    assert await names(top) == [name]
    await fs.remove(top, name, handle)
    assert await names(top) == []


async def test_long_names(fs: FileSystem, top: Handle) -> None:
    await make(fs, top, "x" * 255)
    await make(fs, top, "é" * 127)
    for name in ("x" * 256, "é" * 128):
        with fails(Kind.NAME_TOO_LONG):
            await make(fs, top, name)
        with fails(Kind.NAME_TOO_LONG):
            await fs.lookup(top, name)


async def test_lookup(fs: FileSystem, top: Handle) -> None:
    outer = await fs.create_directory(top, "outer", 0o755)
    inner = await fs.create_directory(outer, "inner", 0o755)
    file = await make(fs, inner, "file")
    assert (inner.path, file.path) == ("outer/inner", "outer/inner/file")
    for parent, path in ((top, "outer/inner/file"), (outer, "inner/file"), (inner, "file")):
        found = await fs.lookup(parent, path)
        assert found.node_id == file.node_id
        assert found.path == "outer/inner/file"
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "missing")
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "outer/inner/missing")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "outer/missing/file")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "outer/inner/file/below")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(file, "below")


async def test_lookup_by_folded_name(fs: FileSystem, top: Handle) -> None:
    outer = await fs.create_directory(top, "Outer", 0o755)
    inner = await fs.create_directory(outer, "Straße", 0o755)
    file = await make(fs, inner, "File")
    for path in ("OUTER/STRASSE/FILE", "outer/Straße/file", "Outer/strasse/File"):
        found = await fs.lookup(top, path)
        assert found.node_id == file.node_id
        assert found.path == "Outer/Straße/File"
        with fails(Kind.PATH_NOT_FOUND):
            await fs.lookup(top, path, case_sensitive=True)
    assert (await fs.lookup(outer, "STRASSE/FILE")).path == "Outer/Straße/File"
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "Outer/Straße/FILE", case_sensitive=True)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "OUTER/STRASSE/missing")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "OUTER/missing/file")
    with fails(Kind.PATH_NOT_FOUND):
        await fs.lookup(top, "OUTER/STRASSE/FILE/below")


async def test_names_that_fold_alike(fs: FileSystem, top: Handle) -> None:
    made = {name: await make(fs, top, name) for name in ("name", "NAME", "Name")}
    for name, handle in made.items():
        assert (await fs.lookup(top, name)).node_id == handle.node_id
    for _ in range(3):
        assert (await fs.lookup(top, "nAmE")).path == "NAME"
    await fs.remove(top, "NAME", made["NAME"])
    assert (await fs.lookup(top, "nAmE")).path == "Name"
    assert (await fs.lookup(top, "NAME")).path == "Name"
    await fs.rename(top, "Name", top, "other", made["Name"], replace=False)
    assert (await fs.lookup(top, "nAmE")).path == "name"
    await make(fs, top, "NAME")
    assert (await fs.lookup(top, "nAmE")).path == "NAME"


async def test_folded_lookup_after_own_changes(fs: FileSystem, top: Handle) -> None:
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "FIRST")
    first = await make(fs, top, "first")
    assert (await fs.lookup(top, "FIRST")).path == "first"
    await fs.create_directory(top, "below", 0o755)
    below = await fs.lookup(top, "BELOW")
    await fs.rename(top, "first", below, "second", first, replace=False)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "FIRST")
    assert (await fs.lookup(top, "Below/SECOND")).path == "below/second"
    await fs.remove(below, "second", first)
    with fails(Kind.NOT_FOUND):
        await fs.lookup(top, "Below/SECOND")
    if Capability.LINKS in fs.capabilities:
        third = await make(fs, below, "third")
        await fs.link(third, below, "fourth", replace=False)
        assert (await fs.lookup(below, "FOURTH")).node_id == third.node_id


async def test_open_by_id(fs: FileSystem, top: Handle) -> None:
    if await lacks(fs, Capability.BY_ID, lambda: fs.open_by_id(top.node_id.inode)):
        return
    directory = await fs.create_directory(top, "directory", 0o755)
    file = await make(fs, directory, "file")
    for handle in (file, directory, top):
        found = await fs.open_by_id(handle.node_id.inode)
        assert (found.node_id, found.path) == (handle.node_id, handle.path)
    await fs.remove(directory, "file", file)
    for inode in (file.node_id.inode, 0, 1 << 40):
        with fails(Kind.NOT_FOUND):
            await fs.open_by_id(inode)


async def test_node_ids_differ(fs: FileSystem, top: Handle) -> None:
    seen: set[NodeId] = {top.node_id}
    for n in range(5):
        handle = await make(fs, top, "name")
        assert handle.node_id not in seen
        assert handle.node_id.device == top.node_id.device
        seen.add(handle.node_id)
        await fs.remove(top, "name", handle)
        assert n >= 0
