"""Looking up with credentials that the kernel lends: the same rights as those of who becomes the user."""

import ctypes
import errno
import os
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.requirements import Need, needs
from tests.vfs.conftest import open_descriptors
from vfs_backends.api import Caller, Handle, IoAccess
from vfs_backends.errors import Kind, VfsError
from vfs_backends.posix import PosixFileSystem, identity, ring
from vfs_backends.posix.personalities import UNAVAILABLE, Personalities
from vfs_backends.posix.ring import Ring
from vfs_backends.posix.syscalls import RESOLVE_BENEATH, RESOLVE_CACHED, How

pytestmark = needs(Need.ROOT, Need.IO_URING)

ALICE = Caller(7001, 7101, (7101, 7200))
BOB = Caller(7002, 7102, (7102,))
HOW = How(os.O_PATH | os.O_CLOEXEC, RESOLVE_BENEATH | RESOLVE_CACHED)
SETUP, ENTER, REGISTER = 425, 426, 427
GONE = -errno.ENOSYS

Call = Callable[..., int]


class Kernel:
    """The system calls of io_uring; `instead` is asked in their place, with the real one, where there is one."""

    def __init__(self) -> None:
        self.real: Call = ring._syscall
        self.instead: dict[int, Callable[..., int]] = {}
        self.made: list[tuple[object, ...]] = []

    def __call__(self, number: ctypes.c_long, *args: object) -> int:
        self.made.append((number.value, *args[1:]))
        instead = self.instead.get(number.value)
        if instead is None:
            return self.real(number, *args)
        return instead(lambda: self.real(number, *args), *args)


def refuse(number: int) -> Callable[..., int]:
    def refusing(*_: object) -> int:
        ctypes.set_errno(number)
        return -1

    return refusing


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(ring, "_syscall", made)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "open").mkdir(parents=True)
    for directory in (root, root / "open"):
        directory.chmod(0o755)
    (root / "open" / "file").touch()
    return root


@pytest.fixture(params=["lent", "taken"])
async def fs(request, place: Path, kernel: Kernel, no_leaks: None) -> AsyncIterator[PosixFileSystem]:
    """With a ring, and where there can be none."""
    if request.param == "taken":
        kernel.instead[SETUP] = refuse(errno.ENOSYS)
    made = PosixFileSystem(place, fold=str.casefold)
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
async def top(fs: PosixFileSystem) -> AsyncIterator[Handle]:
    root = await fs.root()
    yield root
    await root.aclose()


async def outcome(fs: PosixFileSystem, top: Handle, path: str, caller: Caller) -> str:
    """What comes of looking for it: twice, because the first time the kernel may have to ask the storage."""
    told = []
    for _ in range(2):
        try:
            found = await fs.find(top, path, caller=caller)
        except VfsError as error:
            told.append(error.kind.name)
        else:
            told.append("none" if found is None else found.path)
            if found is not None:
                await found.aclose()
    assert told[0] == told[1]
    return told[0]


REFUSED = Kind.ACCESS_DENIED.name


async def test_the_way_is_the_callers(fs: PosixFileSystem, top: Handle, place: Path) -> None:
    closed = place / "open" / "closed"
    (closed / "below").mkdir(parents=True)
    (closed / "below" / "file").touch()
    closed.chmod(0o700)
    os.chown(closed, ALICE.uid, ALICE.gid)
    for path in ("open/closed/below", "open/closed/below/file"):
        for _ in range(2):  # what one was told, others are not
            assert await outcome(fs, top, path, ALICE) == path
            assert await outcome(fs, top, path, BOB) == REFUSED
    assert await outcome(fs, top, "open/closed/nothing", ALICE) == "none"
    assert await outcome(fs, top, "open/closed/nothing", BOB) == REFUSED


async def test_groups_count(fs: PosixFileSystem, top: Handle, place: Path) -> None:
    (place / "open").chmod(0o710)
    os.chown(place / "open", 0, 7200)
    of_the_group = Caller(BOB.uid, BOB.gid, (7200,))
    for _ in range(2):
        assert await outcome(fs, top, "open/file", ALICE) == "open/file"
        assert await outcome(fs, top, "open/file", BOB) == REFUSED
        assert await outcome(fs, top, "open/file", of_the_group) == "open/file"
        assert await outcome(fs, top, "open/file", Caller(BOB.uid, 7200)) == "open/file"
        assert await outcome(fs, top, "open/file", Caller(BOB.uid, 7200, (7102,))) == "open/file"


async def test_what_changes_counts_at_once(fs: PosixFileSystem, top: Handle, place: Path) -> None:
    for _ in range(2):
        assert await outcome(fs, top, "open/file", BOB) == "open/file"
        (place / "open").chmod(0o700)
        assert await outcome(fs, top, "open/file", BOB) == REFUSED
        (place / "open").chmod(0o755)
        assert await outcome(fs, top, "open/file", BOB) == "open/file"
        assert await outcome(fs, top, "open/new", BOB) == "none"
        (place / "open" / "new").touch()
        assert await outcome(fs, top, "open/new", BOB) == "open/new"
        (place / "open" / "new").unlink()


async def test_paths_of_any_length(fs: PosixFileSystem, top: Handle, place: Path) -> None:
    names, opened = ["directory" * 20] * 30, [os.open(place, os.O_PATH)]
    for name in names:
        os.mkdir(name, dir_fd=opened[-1])
        opened.append(os.open(name, os.O_PATH, dir_fd=opened[-1]))
    for fd in opened:
        os.close(fd)
    path = "/".join(names)
    assert len(path) > 4096
    assert await outcome(fs, top, path, BOB) == path
    for size in (4095, 4096):
        assert await outcome(fs, top, path[:size], BOB) == "none"


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("lent", [True, False])
async def test_symbolic_links(place: Path, kernel: Kernel, no_leaks: None, follow: bool, lent: bool) -> None:
    if not lent:
        kernel.instead[SETUP] = refuse(errno.EPERM)
    (place / "inside").symlink_to("open/file")
    (place / "outside").symlink_to("/etc/passwd")
    (place / "nowhere").symlink_to("nothing")
    (place / "directory").symlink_to("open")
    fs = PosixFileSystem(place, fold=str.casefold, follow_symlinks=follow)
    await fs.start()
    top = await fs.root()
    target = (place / "open" / "file").stat().st_ino
    for _ in range(2):
        for name in ("inside", "outside", "nowhere"):
            found = await fs.lookup(top, name, caller=BOB)
            expected = target if follow and name == "inside" else (place / name).lstat().st_ino
            assert found.node_id.inode == expected
            await found.aclose()
        for path in ("directory/file", "outside/file"):
            followed = follow and path == "directory/file"
            expected_outcome = path if followed else await outcome(fs, top, path, Caller(0, 0))
            assert await outcome(fs, top, path, BOB) == expected_outcome
    await top.aclose()
    await fs.aclose()


async def test_nobody_is_become(place: Path, no_leaks: None, became: list[int]) -> None:
    fs = PosixFileSystem(place, fold=str.casefold)
    await fs.start()
    top = await fs.root()
    for caller in (ALICE, BOB):
        assert await outcome(fs, top, "open/file", caller) == "open/file"
    became.clear()
    for caller in (ALICE, ALICE, BOB, ALICE, Caller(*BOB)):
        assert await outcome(fs, top, "open/file", caller) == "open/file"
    assert became == []
    found = await fs.find(top, "open/file", caller=ALICE)
    assert found is not None
    await found.open_io(IoAccess.READ, ALICE)
    assert became == [ALICE.uid]
    await found.aclose()
    await top.aclose()
    await fs.aclose()


def rings() -> list[int]:
    return [int(fd) for fd, path in open_descriptors().items() if path == "anon_inode:[io_uring]"]


async def test_there_is_a_ring_only_where_it_is_needed(place: Path, kernel: Kernel, no_leaks: None) -> None:
    fs = PosixFileSystem(place, fold=str.casefold)
    await fs.start()
    top = await fs.root()
    for caller in (None, Caller(0, 0)):
        found = await fs.lookup(top, "open/file", caller=caller)
        await found.aclose()
    assert not kernel.made
    await outcome(fs, top, "open/file", BOB)
    (fd,) = rings()
    assert not os.get_inheritable(fd)
    await top.aclose()
    await fs.aclose()
    assert not rings()


async def test_that_there_can_be_none_is_found_out_once(place: Path, kernel: Kernel, no_leaks: None) -> None:
    kernel.instead[SETUP] = refuse(errno.EPERM)
    fs = PosixFileSystem(place, fold=str.casefold)
    await fs.start()
    top = await fs.root()
    for caller in (ALICE, BOB, ALICE):
        assert await outcome(fs, top, "open/file", caller) == "open/file"
    assert len(kernel.made) == 1
    await top.aclose()
    await fs.aclose()


@pytest.fixture
def directory(place: Path, no_leaks: None) -> Iterator[int]:
    fd = os.open(place, os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def without_features(call: Call, _: int, parameters: object) -> int:
    fd = call()
    struct.pack_into("=I", parameters._obj, 20, 0)  # type: ignore[attr-defined]  # which ctypes.byref has
    return fd


def fails(call: Call, *_: object) -> int:
    return refuse(errno.EACCES)()


@pytest.mark.parametrize(
    ("number", "instead"),
    [
        (SETUP, fails),
        (SETUP, without_features),
        (REGISTER, fails),
        (REGISTER, lambda *_: 0),
        (ENTER, fails),
        (ENTER, lambda *_: 1),
    ],
)
def test_what_does_not_work_is_not_used(
    directory: int, kernel: Kernel, number: int, instead: Callable[..., int]
) -> None:
    kernel.instead[number] = instead
    with pytest.raises(OSError):  # noqa: PT011  # any
        Ring(HOW, directory)


def test_a_kernel_that_does_not_know_the_request(directory: int) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        Ring(How(os.O_PATH | os.O_CLOEXEC, RESOLVE_CACHED | 1 << 40), directory)


def test_it_never_lets_the_kernel_wait(directory: int) -> None:
    with pytest.raises(ValueError, match="wait"):
        Ring(How(os.O_PATH | os.O_CLOEXEC, RESOLVE_BENEATH), directory)


@pytest.fixture
def opened(directory: int, kernel: Kernel) -> Iterator[Ring]:
    made = Ring(HOW, directory)
    yield made
    made.close()


def nothing_done(count: int) -> Callable[..., int]:
    return lambda *_: count


def done_but_said_otherwise(call: Call, *_: object) -> int:
    assert call() == 1
    return 0


class Interrupted(BaseException):
    pass


def done_and_interrupted(call: Call, *_: object) -> int:
    assert call() == 1
    raise Interrupted


@pytest.mark.parametrize(
    "instead", [refuse(errno.EINTR), refuse(errno.EBUSY), *map(nothing_done, (0, 1, 2)), done_but_said_otherwise]
)
def test_an_answer_that_was_not_expected(
    opened: Ring, directory: int, kernel: Kernel, instead: Callable[..., int]
) -> None:
    number = opened.register()
    os.close(opened.openat2(directory, b"open/file", number))
    before = open_descriptors()
    kernel.instead[ENTER] = instead
    assert opened.openat2(directory, b"open", number) == GONE
    del kernel.instead[ENTER]
    assert len(before.items() - open_descriptors().items()) == 1  # the ring's own
    assert not open_descriptors().items() - before.items()
    assert not opened.is_open
    count = len(kernel.made)
    assert opened.openat2(directory, b"open", number) == GONE
    assert len(kernel.made) == count


@pytest.mark.parametrize("instead", [done_and_interrupted, refuse(errno.EINTR)])
def test_what_was_interrupted_answers_nothing_else(
    opened: Ring, directory: int, kernel: Kernel, instead: Callable[..., int]
) -> None:
    number = opened.register()
    before = open_descriptors()

    def interrupted(call: Call, *args: object) -> int:
        instead(call, *args)
        raise Interrupted

    kernel.instead[ENTER] = interrupted
    with pytest.raises(Interrupted):
        opened.openat2(directory, b"open/file", number)
    del kernel.instead[ENTER]
    assert opened.openat2(directory, b"open", number) == GONE
    assert not open_descriptors().items() - before.items()


def test_answers_are_those_of_the_request(opened: Ring, directory: int, place: Path) -> None:
    number = opened.register()
    for path in ("open", "open/file", ".") * 10:
        fd = opened.openat2(directory, path.encode(), number)
        assert os.readlink(f"/proc/self/fd/{fd}") == str(place / path)
        os.close(fd)
    assert opened.openat2(directory, b"/etc", number) == -errno.EXDEV
    assert opened.openat2(-1, b".", number) == -errno.EBADF
    assert opened.openat2(directory, b"open", number + 1) == -errno.EINVAL  # nobody's credentials
    for raw, nobody in ((b"x" * 4096, number), (b"open", 0), (b"open", -1), (b"open", 1 << 16)):
        with pytest.raises(ValueError):  # noqa: PT011  # whatever it says of the number
            opened.openat2(directory, raw, nobody)
    opened.close()
    assert opened.openat2(directory, b"open", number) == GONE


async def test_what_the_ring_fails_at_is_done_without_it(
    place: Path, kernel: Kernel, no_leaks: None, became: list[int]
) -> None:
    fs = PosixFileSystem(place, fold=str.casefold)
    await fs.start()
    top = await fs.root()
    assert await outcome(fs, top, "open/file", BOB) == "open/file"
    kernel.instead[ENTER] = done_but_said_otherwise
    became.clear()
    for caller in (BOB, ALICE):
        assert await outcome(fs, top, "open/file", caller) == "open/file"
    assert became == [BOB.uid] * 2 + [ALICE.uid] * 2
    await top.aclose()
    await fs.aclose()


def test_the_credentials_of_those_who_came_last_are_kept(directory: int, place: Path, kernel: Kernel) -> None:
    callers = [Caller(7000 + n, 7000 + n) for n in range(5)]
    for caller in callers:
        (place / str(caller.uid)).mkdir(mode=0o700)
        (place / str(caller.uid) / "file").touch()
        os.chown(place / str(caller.uid), caller.uid, caller.gid)
    personalities = Personalities(HOW, most=3)

    def registered() -> int:
        """How many there are; those that have been tried out are gone again."""
        made = [call[1] for call in kernel.made if call[0] == REGISTER]
        return made.count(9) - made.count(10)

    def check(caller: Caller) -> None:
        for other in callers:
            fd = personalities.openat2(caller, directory, f"{other.uid}/file".encode())
            assert (fd >= 0) == (other.uid == caller.uid)
            if fd >= 0:
                os.close(fd)
        assert registered() <= 3

    for n in (0, 1, 2):
        check(callers[n])
    assert registered() == 3
    kernel.made.clear()
    for n in (0, 1, 2, 0):
        check(Caller(*callers[n]))
    assert not any(call[0] == REGISTER for call in kernel.made)
    check(callers[3])  # in the place of 1
    kernel.made.clear()
    for n in (2, 0, 3):
        check(callers[n])
    assert not any(call[0] == REGISTER for call in kernel.made)
    check(callers[1])
    assert [call[1] for call in kernel.made if call[0] == REGISTER] == [10, 9]
    for caller in callers * 2:
        check(caller)
    personalities.close()
    assert personalities.openat2(callers[0], directory, b"open") == UNAVAILABLE


def test_who_cannot_be_become_has_no_credentials(
    directory: int, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    personalities = Personalities(HOW)
    first = Caller(7031, 7031)
    fd = personalities.openat2(first, directory, b"open")
    os.close(fd)
    real: Callable[[int], int] = identity._setfsuid
    # Not even somebody whom the process has been before.
    for caller in (Caller(7032, 7032), Caller(first.uid, first.gid, (7033,))):
        monkeypatch.setattr(identity, "_setfsuid", lambda number: 0)
        assert personalities.openat2(caller, directory, b"open") == UNAVAILABLE
        monkeypatch.setattr(identity, "_setfsuid", real)
        fd = personalities.openat2(caller, directory, b"open")
        os.close(fd)
    personalities.close()
