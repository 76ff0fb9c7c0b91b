"""Files that stay open for a client that has lost its connection, while local programs use the share's directory."""

import fcntl
import os
from pathlib import Path

import pytest

from tests.interop.durable_peer import KINDS, RWH, DurableFile, DurablePeer, durable_peer
from tests.interop.servers import Configuration

_KERNEL = {"kernel leases": "yes", "kernel locks": "yes", "kernel notify": "yes"}
CONFIGURATION = Configuration(
    shares={"plain": {}, "kernel": _KERNEL, "enforced": {**_KERNEL, "kernel share modes": "enforce"}}
)


@pytest.fixture(params=list(CONFIGURATION.shares))
def share(request) -> str:
    return str(request.param)


@pytest.fixture
def path(server, share, request) -> Path:
    found: Path = server.shares[share] / f"file{abs(hash(request.node.name))}"
    return found


def left(peer: DurablePeer, path: Path, kind: str, *, share: int = 7) -> DurableFile:
    """A file that was written and locked by a client who is gone since then."""
    file = peer.open(path.name, kind, share)
    file.write(b"data of a client")
    file.lock(on=True)
    peer.cut()
    return file


def is_as_it_was(file: DurableFile) -> None:
    assert file.read() == b"data of a client"
    file.lock(on=False)
    file.write(b"more of it")
    file.open.close()


def write(path: Path) -> None:
    path.write_bytes(b"data of others!!")


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def replace(path: Path) -> None:
    other = path.with_suffix(".new")
    other.write_bytes(b"data of a client")
    other.rename(path)


def rename(path: Path) -> None:
    path.rename(path.with_suffix(".old"))


def change_mode(path: Path) -> None:
    path.chmod(0o600)


def set_xattr(path: Path) -> None:
    os.setxattr(path, "user.others", b"value")


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_has_changed_it(server, share, path, kind):
    with durable_peer(server, share) as peer:
        file = left(peer, path, kind)
        path.stat()
        os.listdir(path.parent)
        peer.comes_back(file)
        assert file.state == (RWH if file.has_lease else 9)
        is_as_it_was(file)


@pytest.mark.parametrize("kind", KINDS)
def test_a_program_has_only_read_it(server, share, path, kind):
    """What is cached may be less, but the file is the client's."""
    with durable_peer(server, share) as peer:
        file = left(peer, path, kind)
        assert path.read_bytes() == b"data of a client"
        peer.comes_back(file)
        is_as_it_was(file)


@pytest.mark.parametrize("change", [write, append, replace, rename, change_mode, set_xattr, os.unlink, os.utime])
def test_a_program_has_changed_it(server, share, path, change, sleep_a_tick):
    with durable_peer(server, share) as peer:
        file = left(peer, path, KINDS[-1])
        sleep_a_tick()
        change(path)
        peer.comes_in_vain(file)


@pytest.mark.parametrize("kind", KINDS[:2])
def test_a_program_has_changed_a_file_with_an_oplock(server, share, path, kind, sleep_a_tick):
    with durable_peer(server, share) as peer:
        file = left(peer, path, kind)
        sleep_a_tick()
        write(path)
        peer.comes_in_vain(file)


def test_a_client_that_denies_everything(server, share, path):
    """A program is not stopped by a client who is gone; with `kernel share modes`, the client loses the file for it."""
    with durable_peer(server, share) as peer:
        file = left(peer, path, KINDS[-1], share=0)
        assert path.read_bytes() == b"data of a client"
        if share == "enforced":
            peer.comes_in_vain(file)
        else:
            peer.comes_back(file)
            is_as_it_was(file)


def test_locks_of_a_client_that_is_gone(server, share, path):
    with durable_peer(server, share) as peer:
        file = left(peer, path, KINDS[-1])
        with path.open("rb") as program:
            if share == "plain":
                fcntl.lockf(program, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 0)
            else:
                with pytest.raises(BlockingIOError):
                    fcntl.lockf(program, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 0)
            peer.comes_back(file)
            file.lock(on=False)
            fcntl.lockf(program, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, 0)
        file.open.close()


def test_another_client_gets_what_it_needs(server, share, path):
    with durable_peer(server, share) as peer, durable_peer(server, share) as other:
        file = left(peer, path, KINDS[-1], share=0)
        second = other.open(path.name, KINDS[-1])
        assert second.read() == b"data of a client"
        peer.comes_in_vain(file)
        second.open.close()
