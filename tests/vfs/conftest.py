"""File systems to run the suite on."""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.requirements import SHM, Need, is_met, skip_unless
from tests.vfs.driven import DrivenFileSystem
from vfs_backends.api import FileSystem, Handle
from vfs_backends.faults import FaultyFileSystem
from vfs_backends.memory import MemoryFileSystem
from vfs_backends.posix import PosixFileSystem, identity
from vfs_backends.posix.kinds import FileSystemKind
from vfs_backends.stack import StackedFileSystem

pytest.register_assert_rewrite("tests.vfs.conformance")

SLOW = FileSystemKind("slow", slow=True, preallocates=True)


def posix(root: Path, **options) -> PosixFileSystem:
    return PosixFileSystem(root, fold=str.casefold, **options)


MAKERS: dict[str, Callable[[Path], FileSystem]] = {
    "memory": lambda root: MemoryFileSystem(fold=str.casefold),
    "posix": posix,
    "tmpfs": posix,
    "posix-slow": lambda root: posix(root, kind=SLOW),
    "posix-links": lambda root: posix(root, follow_symlinks=True),
    "posix-times": lambda root: posix(root, inotify=False),
    "stack-memory": lambda root: StackedFileSystem(MemoryFileSystem(fold=str.casefold)),
    "faults-posix": lambda root: FaultyFileSystem(posix(root)),
}


def open_descriptors() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except OSError:  # the one that the listing used
            continue
    return found


@pytest.fixture
def no_leaks() -> Iterator[None]:
    """No descriptor is left open."""
    before = open_descriptors()
    yield
    deadline = time.monotonic() + 5
    while (leaked := open_descriptors().items() - before.items()) and time.monotonic() < deadline:
        time.sleep(0.01)  # a thread may still be closing it
    assert not leaked


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The users that the process has become, in turn."""
    users: list[int] = []
    real: Callable[[int], int] = identity._setfsuid

    def told(number: int) -> int:
        if number > 0:
            users.append(number)
        return real(number)

    monkeypatch.setattr(identity, "_setfsuid", told)
    return users


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[Path]:
    """An empty directory, on tmpfs if there is one: for what takes many files."""
    if not is_met(Need.SHM):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=SHM) as made:
        yield Path(made)


@pytest.fixture
def directory(request, tmp_path: Path, in_memory: Path) -> Path:
    """An empty directory, on tmpfs for the file system of that name."""
    if request.node.callspec.params["fs"] != "tmpfs":
        return tmp_path
    skip_unless(in_memory != tmp_path, Need.SHM)
    return in_memory


@pytest.fixture(params=["inline", "task"])
def way(request) -> str:
    return str(request.param)


@pytest.fixture(params=list(MAKERS))
async def fs(request, directory: Path, way: str, no_leaks: None) -> AsyncIterator[FileSystem]:
    """Each file system, called both ways."""
    made = DrivenFileSystem(MAKERS[request.param](directory), is_inline=way == "inline")
    await made.start()
    yield made
    await made.close_all()
    await made.aclose()


@pytest.fixture
async def top(fs: FileSystem) -> Handle:
    return await fs.root()


MakePosix = Callable[..., Awaitable[DrivenFileSystem]]


@pytest.fixture
async def make_posix(tmp_path: Path, way: str, no_leaks: None) -> AsyncIterator[MakePosix]:
    """Makes POSIX file systems that are closed at the end, with all their handles."""
    made: list[DrivenFileSystem] = []

    async def make(root: Path | None = None, **options) -> DrivenFileSystem:
        file_system = DrivenFileSystem(posix(root or tmp_path, **options), is_inline=way == "inline")
        await file_system.start()
        made.append(file_system)
        return file_system

    yield make
    for file_system in made:
        await file_system.close_all()
        await file_system.aclose()
