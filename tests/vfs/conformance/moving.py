"""Names that go, come and change."""

import pytest

from tests.vfs.conformance import contents, fails, make, names, needs
from vfs_backends.api import Capability, FileSystem, Handle, Link
from vfs_backends.errors import Kind


async def test_remove(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file", b"data")
    directory = await fs.create_directory(top, "directory", 0o755)
    below = await make(fs, directory, "below")
    with fails(Kind.NOT_EMPTY):
        await fs.remove(top, "directory", directory)
    await fs.remove(directory, "below", below)
    await fs.remove(top, "directory", directory)
    await fs.remove(top, "file", file)
    assert await names(top) == []
    # What is open can still be used.
    assert await contents(file) == b"data"
    assert (await file.stat()).nlink == 0
    with fails(Kind.NOT_FOUND):
        await fs.remove(top, "file", file)


async def test_remove_of_another_file(fs: FileSystem, top: Handle) -> None:
    old = await make(fs, top, "file")
    await fs.remove(top, "file", old)
    new = await make(fs, top, "file")
    with fails(Kind.STALE):
        await fs.remove(top, "file", old)
    with fails(Kind.STALE):
        await fs.rename(top, "file", top, "other", old, replace=False)
    assert old.node_id != new.node_id
    assert await names(top) == ["file"]


async def test_rename(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file", b"data")
    directory = await fs.create_directory(top, "directory", 0o755)
    await fs.rename(top, "file", directory, "moved", file, replace=False)
    assert await names(top) == ["directory"]
    found = await fs.lookup(top, "directory/moved")
    assert found.node_id == file.node_id
    assert file.path == "file"
    file.path = "directory/moved"
    assert file.path == "directory/moved"
    with fails(Kind.NOT_FOUND):
        await fs.rename(top, "file", top, "x", file, replace=False)
    with fails(Kind.INVALID):
        await fs.rename(top, "directory", directory, "itself", directory, replace=False)


async def test_rename_over_existing(fs: FileSystem, top: Handle) -> None:
    one, two = await make(fs, top, "one", b"1"), await make(fs, top, "two", b"2")
    full, empty = [await fs.create_directory(top, name, 0o755) for name in ("full", "empty")]
    await make(fs, full, "file")
    with fails(Kind.EXISTS):
        await fs.rename(top, "one", top, "two", one, replace=False)
    with fails(Kind.IS_A_DIRECTORY):
        await fs.rename(top, "one", top, "empty", one, replace=True)
    with fails(Kind.NOT_A_DIRECTORY):
        await fs.rename(top, "empty", top, "one", empty, replace=True)
    with fails(Kind.NOT_EMPTY):
        await fs.rename(top, "empty", top, "full", empty, replace=True)
    await fs.rename(top, "full", top, "empty", full, replace=True)
    await fs.rename(top, "one", top, "two", one, replace=True)
    assert await names(top) == ["empty", "two"]
    assert (await two.stat()).nlink == 0
    assert await contents(two) == b"2"
    found = await fs.lookup(top, "two")
    assert found.node_id == one.node_id


async def test_exchange(fs: FileSystem, top: Handle) -> None:
    one, two = await make(fs, top, "one", b"1"), await make(fs, top, "two", b"2")
    directory, below = await fs.create_directory(top, "directory", 0o755), await fs.create_directory(top, "b", 0o755)
    await make(fs, directory, "inside", b"3")
    assert (await fs.lookup(top, "DIRECTORY/INSIDE")).path == "directory/inside"  # what there is has been looked at
    await fs.exchange(Link(top, "one", one), Link(top, "two", two))
    assert (await fs.lookup(top, "ONE")).node_id == two.node_id
    assert (await fs.lookup(top, "TWO")).node_id == one.node_id
    inside = await fs.lookup(directory, "inside")
    await fs.exchange(Link(directory, "inside", inside), Link(top, "b", below))
    assert (await fs.lookup(top, "DIRECTORY/INSIDE")).node_id == below.node_id
    assert (await fs.lookup(top, "B")).node_id == inside.node_id
    assert await names(top) == ["b", "directory", "one", "two"]
    with fails(Kind.STALE):
        await fs.exchange(Link(top, "one", one), Link(top, "two", two))
    with fails(Kind.NOT_FOUND):
        await fs.exchange(Link(top, "one", two), Link(top, "none", one))
    with fails(Kind.INVALID):
        await fs.exchange(Link(top, "directory", directory), Link(directory, "inside", below))
    await fs.exchange(Link(top, "one", two), Link(top, "one", two))
    assert await contents(one) == b"1"
    assert await names(top) == ["b", "directory", "one", "two"]


@pytest.mark.parametrize("replace", [False, True])
async def test_rename_by_case_only(fs: FileSystem, top: Handle, replace: bool) -> None:
    file = await make(fs, top, "name")
    await fs.rename(top, "name", top, "NAME", file, replace=replace)
    assert await names(top) == ["NAME"]
    assert (await fs.lookup(top, "name")).path == "NAME"
    await fs.rename(top, "NAME", top, "NAME", file, replace=replace)
    assert await names(top) == ["NAME"]


async def test_links(fs: FileSystem, top: Handle) -> None:
    await needs(fs, Capability.LINKS)
    one, two = await make(fs, top, "one", b"1"), await make(fs, top, "two", b"2")
    directory = await fs.create_directory(top, "directory", 0o755)
    path_handle = await fs.lookup(top, "one")
    await fs.link(path_handle, directory, "link", replace=False)
    assert (await one.stat()).nlink == 2
    assert (await fs.lookup(top, "directory/link")).node_id == one.node_id
    with fails(Kind.EXISTS):
        await fs.link(one, top, "two", replace=False)
    with fails(Kind.IS_A_DIRECTORY):
        await fs.link(directory, top, "three", replace=False)
    await fs.link(one, top, "two", replace=True)
    assert ((await one.stat()).nlink, (await two.stat()).nlink) == (3, 0)
    await fs.link(one, top, "two", replace=True)
    # Of two names of one file, a rename has to leave one.
    await fs.rename(top, "one", top, "two", one, replace=True)
    assert await names(top) == ["directory", "two"]
    assert (await one.stat()).nlink == 2


async def test_handles_outlive_renames(fs: FileSystem, top: Handle) -> None:
    outer = await fs.create_directory(top, "outer", 0o755)
    file = await make(fs, outer, "file", b"data")
    await fs.rename(top, "outer", top, "moved", outer, replace=False)
    assert await contents(file) == b"data"
    assert (await fs.lookup(outer, "file")).node_id == file.node_id
    await make(fs, outer, "another")
    assert await names(outer) == ["another", "file"]
