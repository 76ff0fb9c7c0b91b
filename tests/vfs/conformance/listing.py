"""Enumerations."""

from tests.vfs.conformance import make, names
from vfs_backends.api import FileSystem, Handle


async def test_enumeration(fs: FileSystem, top: Handle) -> None:
    made = {f"file{n}" for n in range(10)}
    for name in made:
        await make(fs, top, name, name.encode())
    below = await fs.create_directory(top, "below", 0o755)
    assert await names(top) == sorted([*made, "below"])
    assert await names(top, with_stat=False) == sorted([*made, "below"])
    assert await names(top, accept=lambda name: name.endswith("7")) == ["file7"]
    assert await names(top, accept=lambda name: False) == []
    stream = await top.open_directory()
    for entry in await stream.read(100):
        assert entry.stat is not None
        handle = await fs.lookup(top, entry.name)
        stat = await handle.stat()
        assert (entry.stat.node_id, entry.stat.mode, entry.stat.size) == (stat.node_id, stat.mode, stat.size)
    assert (await below.stat()).node_id == below.node_id
    await stream.rewind()
    assert {entry.stat for entry in await stream.read(100, with_stat=False)} == {None}
    assert await stream.read(0) == []


async def test_enumerations_are_independent(fs: FileSystem, top: Handle) -> None:
    for n in range(6):
        await make(fs, top, f"file{n}")
    one, two = await top.open_directory(), await top.open_directory()
    assert len(await one.read(4)) == 4
    found = [entry.name for entry in await two.read(100)]
    while more := await two.read(100):
        found += [entry.name for entry in more]
    assert len(found) == 6
    await two.rewind()
    assert len(await two.read(100)) == 6
    assert len(await one.read(100)) == 2


async def test_enumeration_sees_changes_after_rewind(fs: FileSystem, top: Handle) -> None:
    file = await make(fs, top, "file")
    stream = await top.open_directory()
    assert [entry.name for entry in await stream.read(10)] == ["file"]
    await fs.remove(top, "file", file)
    await make(fs, top, "new")
    await stream.rewind()
    assert [entry.name for entry in await stream.read(10)] == ["new"]
    assert await stream.read(10) == []


async def test_large_enumeration(fs: FileSystem, top: Handle) -> None:
    made = {f"{n}" for n in range(700)}
    for name in made:
        await (await make(fs, top, name)).aclose()
    stream = await top.open_directory()
    found: list[str] = []
    while entries := await stream.read(10_000):
        found += [entry.name for entry in entries]
    assert len(found) == 700
    assert set(found) == made
    await stream.rewind()
    assert [entry.name for entry in await stream.read(1, lambda name: name == "345")] == ["345"]
