"""Files that stay open for a client that has lost its connection, while programs use the mount."""

import errno
import fcntl
import os
import time
from pathlib import Path

import pytest

from tests.interop.durable_peer import KINDS, DurableFile, DurablePeer, durable_peer
from tests.interop.servers import Configuration

CONFIGURATION = Configuration(parameters={"fuse sharing timeout": "1"}, shares={"share": {}})


@pytest.fixture
def path(mount, request) -> Path:
    found: Path = mount.path / "share" / f"file{abs(hash(request.node.name))}"
    return found


@pytest.fixture
def peer(server):
    with durable_peer(server) as found:
        yield found


def left(peer: DurablePeer, path: Path, kind: str = KINDS[-1], *, share: int = 7) -> DurableFile:
    """A file that was written by a client who is gone since then."""
    file = peer.open(path.name, kind, share)
    file.write(b"data of a client")
    peer.cut()
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_programs_that_change_nothing(mount, path, peer, kind):
    file = left(peer, path, kind)
    assert path.stat().st_size == 16
    assert path.name in os.listdir(path.parent)
    assert path.read_bytes() == b"data of a client"
    peer.comes_back(file)
    assert file.read() == b"data of a client"
    file.write(b"Data")
    file.open.close()
    assert path.read_bytes() == b"Data of a client"


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_that_writes(mount, path, peer, kind):
    file = left(peer, path, kind)
    path.write_bytes(b"data of a program")
    peer.comes_in_vain(file)
    assert path.read_bytes() == b"data of a program"


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def change_mode(path: Path) -> None:
    time.sleep(0.05)  # the file system's clock is no finer
    path.chmod(0o700)


def truncate(path: Path) -> None:
    os.truncate(path, 3)


@pytest.mark.parametrize("change", [rename, change_mode, truncate, os.unlink])
def test_programs_that_change_something(mount, path, peer, change):
    file = left(peer, path)
    change(path)
    peer.comes_in_vain(file)


def test_a_program_that_has_it_open_when_the_client_is_back(mount, path, peer):
    """What the client caches is broken once more by what the program writes then."""
    file = left(peer, path)
    with path.open("r+b", buffering=0) as program:
        assert program.read(4) == b"data"
        peer.comes_back(file)
        file.write(b"Data")
        assert os.pread(program.fileno(), 4, 0) == b"Data"
        os.pwrite(program.fileno(), b"DATA", 0)
        assert file.read() == b"DATA of a client"
    file.open.close()


def test_a_client_that_denies_everything(mount, path, peer):
    """A program does not wait for a client who is gone."""
    file = left(peer, path, share=0)
    assert path.read_bytes() == b"data of a client"
    peer.comes_in_vain(file)


def test_locks_of_a_client_that_is_gone(mount, path, peer):
    file = peer.open(path.name, KINDS[-1])
    file.lock(on=True)
    peer.cut()
    with path.open("rb") as program:
        with pytest.raises(OSError, match=r".") as raised:
            fcntl.lockf(program, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 0)
        assert raised.value.errno in (errno.EAGAIN, errno.EACCES)
        peer.comes_back(file)
        file.lock(on=False)
        fcntl.lockf(program, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 0)
    file.open.close()
