"""System calls for which libfuse's Python binding has no handler: what the kernel makes of them."""

import ctypes
import errno
import fcntl
import os
from pathlib import Path

import pytest

from tests.fuse.mounts import Mount

KEEP_SIZE, PUNCH_HOLE = 1, 2
MIB = 1 << 20

_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def place(mount: Mount) -> Path:
    return mount.path / "share"


def refusal(call: object, *arguments: object) -> str:
    assert callable(call)
    with pytest.raises(OSError, match=r".") as raised:
        call(*arguments)
    return errno.errorcode[raised.value.errno or 0]


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    if _libc.fallocate(descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(length)):
        raise OSError(ctypes.get_errno(), "fallocate")


def test_allocation(place: Path) -> None:
    descriptor = os.open(place / "allocated", os.O_CREAT | os.O_RDWR)
    os.write(descriptor, b"contents")
    os.posix_fallocate(descriptor, 0, MIB)
    assert os.fstat(descriptor).st_size == MIB
    assert os.pread(descriptor, MIB, 0) == b"contents" + bytes(MIB - 8)
    for mode in (0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE):
        assert refusal(fallocate, descriptor, mode, 0, 4096) == "ENOTSUP"
    os.close(descriptor)


def test_holes(place: Path) -> None:
    descriptor = os.open(place / "sparse", os.O_CREAT | os.O_RDWR)
    os.pwrite(descriptor, b"end", MIB)
    assert os.lseek(descriptor, 0, os.SEEK_DATA) == 0
    assert os.lseek(descriptor, 0, os.SEEK_HOLE) == MIB + 3
    assert refusal(os.lseek, descriptor, MIB + 3, os.SEEK_DATA) == "ENXIO"
    assert os.fstat(descriptor).st_blocks * 512 < MIB
    os.close(descriptor)


def test_copying_by_the_kernel(place: Path, tmp_path: Path) -> None:
    data = os.urandom(MIB + 123)
    (place / "original").write_bytes(data)
    source = os.open(place / "original", os.O_RDONLY)
    target = os.open(place / "copy", os.O_CREAT | os.O_WRONLY)
    copied = 0
    while count := os.copy_file_range(source, target, len(data), copied, copied):
        copied += count
    os.close(target)
    assert (place / "copy").read_bytes() == data
    outside = os.open(tmp_path / "copy", os.O_CREAT | os.O_WRONLY)
    os.lseek(source, 0, os.SEEK_SET)
    assert os.sendfile(outside, source, 0, len(data)) == len(data)
    os.close(outside)
    os.close(source)
    assert (tmp_path / "copy").read_bytes() == data


def test_files_without_a_name(place: Path) -> None:
    assert refusal(os.open, place, os.O_TMPFILE | os.O_RDWR) == "ENOTSUP"


def test_locks_of_whole_files(place: Path) -> None:
    (place / "whole").touch()
    first, second = (os.open(place / "whole", os.O_RDWR) for _ in range(2))
    fcntl.flock(first, fcntl.LOCK_EX)
    assert refusal(fcntl.flock, second, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN"
    fcntl.flock(first, fcntl.LOCK_UN)
    fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(first)
    os.close(second)
