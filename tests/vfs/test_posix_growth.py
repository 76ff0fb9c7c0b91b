"""What an operation costs does not depend on how many names a directory has, counted in calls instead of time."""

import contextlib
import itertools
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.vfs.conftest import posix
from vfs_backends.api import FileSystem, Handle, IoAccess
from vfs_backends.errors import VfsError

SMALL, LARGE = 100, 5000
_new = itertools.count()


@contextlib.contextmanager
def counted(calls: list[int]) -> Iterator[None]:
    """Count the calls of functions, of Python and of C."""
    calls.append(0)

    def count(frame: object, event: str, arg: object) -> None:
        if event in {"call", "c_call"}:
            calls[-1] += 1

    sys.setprofile(count)
    try:
        yield
    finally:
        sys.setprofile(None)


def fill(directory: Path, size: int) -> None:
    directory.mkdir()
    for number in range(size):
        (directory / f"file{number:04}").touch()


async def create(fs: FileSystem, directory: Handle) -> None:
    made = await fs.create_file(directory, f"new {next(_new)}", 0o644, IoAccess.READ | IoAccess.WRITE)
    await made.aclose()


async def find_in_another_case(fs: FileSystem, directory: Handle) -> None:
    found = await fs.lookup(directory, "FILE0050")
    await found.aclose()


async def find_what_is_not_there(fs: FileSystem, directory: Handle) -> None:
    with pytest.raises(VfsError):
        await fs.lookup(directory, "nothing")


async def list_all(fs: FileSystem, directory: Handle) -> None:
    found = 0
    stream = await directory.open_directory()
    while entries := await stream.read(100):
        found += len(entries)
    await stream.aclose()
    assert directory.path.endswith(f"of {found}")


async def calls_of(operation: Callable[[FileSystem, Handle], Awaitable[None]], top: Path, *, before: int) -> list[int]:
    """How many calls an operation takes in a small directory and in a large one, after it was done `before` times."""
    fs = posix(top)
    await fs.start()
    root = await fs.root()
    calls: list[int] = []
    for size in (SMALL, LARGE):
        fill(top / f"of {size}", size)
        directory = await fs.lookup(root, f"of {size}")
        for _ in range(before):
            await operation(fs, directory)
        with counted(calls):
            await operation(fs, directory)
        await directory.aclose()
    await root.aclose()
    await fs.aclose()
    return calls


@pytest.mark.parametrize("operation", [create, find_in_another_case, find_what_is_not_there])
async def test_the_size_of_a_directory_does_not_matter(
    tmp_path: Path, no_leaks: None, operation: Callable[[FileSystem, Handle], Awaitable[None]]
) -> None:
    small, large = await calls_of(operation, tmp_path, before=3)  # the names are read once, and changes are noticed
    assert 0 < large <= small + 2


async def test_listing_costs_the_same_for_each(tmp_path: Path, no_leaks: None) -> None:
    small, large = await calls_of(list_all, tmp_path, before=0)
    assert large / LARGE <= 1.05 * small / SMALL
