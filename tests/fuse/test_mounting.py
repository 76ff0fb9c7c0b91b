"""`smbgate mount` as a process: beginning, ending, and what is left of one that was killed."""

import contextlib
import ctypes
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.requirements import Need, needs

pytestmark = [
    pytest.mark.interop,
    needs(Need.FUSE),
]

_libc = ctypes.CDLL(None, use_errno=True)

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def place(tmp_path) -> Path:
    directory: Path = tmp_path / "mount"
    directory.mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "smbgate.conf").write_text(
        f"[global]\nstate directory = {tmp_path / 'state'}\n[docs]\npath = {tmp_path / 'files'}\nread only = no\n"
    )
    return directory


@pytest.fixture
def start(place) -> Iterator[Start]:
    """Start `smbgate mount`, and wait until it is mounted."""
    processes: list[subprocess.Popen[str]] = []

    def run(*, wait: bool = True) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "gateway", "mount", "-c", place.parent / "smbgate.conf", place]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        processes.append(process)
        if wait:
            assert process.stdout
            assert "mounted on" in process.stdout.readline()
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()
    with contextlib.suppress(subprocess.CalledProcessError):
        while str(place) in Path("/proc/self/mountinfo").read_text():
            subprocess.run(["umount", "-l", place], check=True)


def ended(process: subprocess.Popen[str], code: int) -> str:
    """What it said on standard error."""
    _, said = process.communicate(timeout=20)
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it(place, start, number):
    process = start()
    (place / "docs/file").write_text("contents")
    process.send_signal(number)
    ended(process, 0)
    assert os.listdir(place) == []
    assert (place.parent / "files/file").read_text() == "contents"


def test_unmounting_ends_it(place, start):
    process = start()
    assert os.listdir(place) == ["docs"]
    subprocess.run(["umount", place], check=True)
    ended(process, 0)


def test_it_ends_while_it_is_in_use(place, start):
    process = start()
    with (place / "docs/file").open("w", buffering=1) as file:
        file.write("written\n")
        process.terminate()
        ended(process, 0)
        with pytest.raises(OSError, match=r"."):
            file.write("too late\n")
        with contextlib.suppress(OSError):
            file.close()
    assert (place.parent / "files/file").read_text() == "written\n"


def test_what_was_killed_is_replaced(place, start):
    process = start()
    held = os.open(place / "docs/file", os.O_CREAT | os.O_RDWR)
    os.write(held, b"acknowledged")
    busy = subprocess.Popen(["sh", "-c", "while :; do echo x > docs/busy; done"], cwd=place, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        process.kill()
        ended(process, -signal.SIGKILL)
        with pytest.raises(OSError, match=r".") as raised:
            os.listdir(place)
        assert raised.value.errno == errno.ENOTCONN
        again = start()
        assert (place / "docs/file").read_bytes() == b"acknowledged"
        (place / "docs/file").write_text("new")
    finally:
        busy.kill()
        busy.wait()
    with pytest.raises(OSError, match=r"."):
        os.read(held, 1)
    with contextlib.suppress(OSError):
        os.close(held)
    again.terminate()
    assert "left" in ended(again, 0)
    assert os.listdir(place) == []


WRITER = """
import itertools, os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_APPEND)
for number in itertools.count():
    os.write(file, b"%08d" % number)
    name = f"{sys.argv[1]} {number}"
    os.close(os.open(name + " new", os.O_CREAT | os.O_WRONLY))
    os.rename(name + " new", name)
    print(number, flush=True)
"""


def test_nothing_is_lost_that_was_acknowledged(place: Path, start: Start) -> None:
    process = start()
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(
            [*command, place / f"docs/{name}"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        for name in "ab"
    ]
    try:
        for writer in writers:
            assert writer.stdout
            while writer.stdout.readline() != "50\n":
                pass
        process.kill()
        ended(process, -signal.SIGKILL)
        # They end, since the mount has.
        acknowledged = [50 + sum(1 for _ in writer.stdout or ()) for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    start()
    for name, last in zip("ab", acknowledged, strict=True):
        numbers = range(last + 1)
        assert (place / f"docs/{name}").read_bytes().startswith(b"".join(b"%08d" % number for number in numbers))
        names = set(os.listdir(place / "docs"))
        assert {f"{name} {number}" for number in numbers} <= names


def test_a_mount_that_lives_is_not_replaced(place, start):
    start()
    said = ended(start(wait=False), 1)
    assert "already" in said
    assert os.listdir(place) == ["docs"]


def test_numbers_are_the_same_after_a_restart(place, start):
    process = start()
    (place / "docs/directory").mkdir()
    (place / "docs/directory/file").touch()
    os.link(place / "docs/directory/file", place / "docs/link")
    paths = [place, place / "docs", place / "docs/directory", place / "docs/directory/file", place / "docs/link"]
    before = [path.stat().st_ino for path in paths]
    assert len(set(before)) == 4
    process.terminate()
    ended(process, 0)
    start()
    assert [path.stat().st_ino for path in reversed(paths)][::-1] == before


class FileHandle(ctypes.Structure):
    """See open_by_handle_at(2)."""

    _fields_ = (("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("handle", ctypes.c_ubyte * 128))


def handle_of(path: Path) -> FileHandle:
    handle, mount_id = FileHandle(bytes=128), ctypes.c_int()
    if _libc.name_to_handle_at(-100, bytes(path), ctypes.byref(handle), ctypes.byref(mount_id), 0):
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return handle


def open_handle(top: Path, handle: FileHandle, flags: int) -> int:
    directory = os.open(top, os.O_RDONLY)
    try:
        descriptor: int = _libc.open_by_handle_at(directory, ctypes.byref(handle), flags)
    finally:
        os.close(directory)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    return descriptor


@needs(Need.ROOT)
def test_handles_are_good_after_a_restart(place, start):
    """As NFS servers use them: the kernel then knows nothing of the file, nor of the directories above it."""
    process = start()
    (place / "docs/one/two").mkdir(parents=True)
    (place / "docs/one/two/file").write_text("contents")
    file, directory = handle_of(place / "docs/one/two/file"), handle_of(place / "docs/one/two")
    (place / "docs/gone").touch()
    gone = handle_of(place / "docs/gone")
    process.terminate()
    ended(process, 0)
    (place.parent / "files/gone").unlink()
    start()
    descriptor = open_handle(place, directory, os.O_RDONLY)
    assert os.listdir(descriptor) == ["file"]
    assert os.readlink(f"/proc/self/fd/{descriptor}") == str(place / "docs/one/two")
    os.close(descriptor)
    descriptor = open_handle(place, file, os.O_RDWR)
    assert os.read(descriptor, 100) == b"contents"
    os.close(descriptor)
    with pytest.raises(OSError, match=r".") as raised:
        open_handle(place, gone, os.O_RDONLY)
    assert raised.value.errno == errno.ESTALE


@pytest.mark.parametrize("share", ["mount/below", "."])
def test_a_share_and_the_mount_are_not_within_each_other(place, start, share):
    directory = place.parent / share
    directory.mkdir(exist_ok=True)
    configuration = place.parent / "smbgate.conf"
    configuration.write_text(configuration.read_text() + f"[other]\npath = {directory}\n")
    assert "within each other" in ended(start(wait=False), 1)


def test_there_is_nothing_to_mount_on(place, start):
    place.rmdir()
    assert "cannot mount" in ended(start(wait=False), 1)
    place.mkdir()
