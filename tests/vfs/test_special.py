"""Symbolic links, FIFOs, sockets and devices (`Capability.SPECIAL_FILES`), on every file system."""

import stat as stat_module

import pytest

from tests.vfs.conformance import READ, fails, make, names, needs
from vfs_backends.api import Capability, FileSystem, Handle, Stat, StatChange
from vfs_backends.errors import Kind


@pytest.fixture(autouse=True)
async def capable(fs: FileSystem) -> None:
    await needs(fs, Capability.SPECIAL_FILES)


@pytest.mark.parametrize("target", ["elsewhere", "/absolute/path", "../..", "x/" * 150 + "y", "ünï"])
async def test_a_symbolic_link(fs: FileSystem, top: Handle, target: str) -> None:
    link = await fs.create_symlink(top, "link", target)
    assert stat_module.S_ISLNK(link.mode)
    assert await link.read_link() == target
    found = await fs.lookup(top, "link")
    assert found.node_id == link.node_id
    assert await found.read_link() == target
    stat = await found.stat()
    assert (stat.size, stat.nlink) == (len(target.encode()), 1)
    with fails(Kind.NOT_SUPPORTED):
        await found.open_io(READ)
    await found.set_stat(StatChange(mtime_ns=1_000_000_007))
    assert (await link.stat()).mtime_ns == 1_000_000_007
    await fs.rename(top, "link", top, "moved", link, replace=False)
    await fs.remove(top, "moved", link)
    assert await names(top) == []


@pytest.mark.parametrize("kind", [stat_module.S_IFIFO, stat_module.S_IFSOCK])
async def test_a_special_file(fs: FileSystem, top: Handle, kind: int) -> None:
    node = await fs.create_node(top, "node", kind | 0o642)
    stat = await (await fs.lookup(top, "node")).stat()
    assert stat.node_id == node.node_id
    assert stat.mode == kind | 0o642
    with fails(Kind.NOT_SUPPORTED):
        await node.open_io(READ)
    with fails(Kind.INVALID):
        await node.read_link()


async def test_what_is_there_already_stays(fs: FileSystem, top: Handle) -> None:
    handle = await make(fs, top, "name")
    with fails(Kind.EXISTS):
        await fs.create_symlink(top, "name", "target")
    with fails(Kind.EXISTS):
        await fs.create_node(top, "name", stat_module.S_IFIFO | 0o600)
    with fails(Kind.PATH_NOT_FOUND):
        await fs.create_symlink(handle, "below", "target")
    with fails(Kind.INVALID):
        await handle.read_link()


async def stat_entry(fs: FileSystem, directory: Handle, name: str) -> Stat:
    stat = await fs.stat_entry(directory, name)
    assert stat is not None
    return stat


async def test_a_name_can_be_asked_about(fs: FileSystem, top: Handle) -> None:
    await make(fs, top, "File", b"12345")
    directory = await fs.create_directory(top, "directory", 0o755)
    await fs.create_symlink(directory, "link", "nowhere at all")
    stat = await stat_entry(fs, top, "File")
    assert (stat.size, stat.node_id) == (5, (await fs.lookup(top, "File")).node_id)
    assert (await stat_entry(fs, top, "directory")).node_id == directory.node_id
    assert stat_module.S_ISLNK((await stat_entry(fs, directory, "link")).mode)
    for name in ("file", "nothing"):
        assert await fs.stat_entry(top, name) is None
    await fs.remove(directory, "link", await fs.lookup(directory, "link"))
    await fs.remove(top, "directory", directory)
    assert await fs.stat_entry(directory, "link") is None
