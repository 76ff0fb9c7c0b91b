"""What the kernel's SMB client, its NFS client, and programs on the directory itself see of each other."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from tests.guest.conftest import DIRECTORY, NFSD, eventually

DOORS = ("smb", "nfs", "local")
PAIRS = [(one, other) for one in DOORS for other in DOORS if one != other and "smb" in (one, other)]


@pytest.fixture
def doors(smb: Path, nfs: Path) -> dict[str, Path]:
    return {"smb": smb, "nfs": nfs, "local": DIRECTORY}


@pytest.fixture(params=PAIRS, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def pair(request, doors) -> tuple[Path, Path]:
    """A file of its own, by two ways."""
    name = request.node.name.replace("[", "-").rstrip("]")
    one, other = request.param
    return doors[one] / name, doors[other] / name


def delegations() -> int:
    return sum(path.read_text().count("type: deleg") for path in NFSD.glob("clients/*/states"))


def test_written_and_closed_is_read(pair):
    one, other = pair
    for data in (b"first", b"second, longer", b"3rd"):
        one.write_bytes(data)
        assert other.read_bytes() == data
        assert other.stat().st_size == len(data)


def test_read_again_after_a_change(pair):
    one, other = pair
    one.write_bytes(b"before")
    with other.open("rb", buffering=0) as reader:
        assert reader.read() == b"before"
    one.write_bytes(b"after!")
    with other.open("rb", buffering=0) as reader:
        assert reader.read() == b"after!"


def test_names(pair):
    one, other = pair
    one.mkdir()
    (one / "file").write_bytes(b"x")
    assert os.listdir(other) == ["file"]
    (other / "file").rename(other / "other")
    assert os.listdir(one) == ["other"]
    (one / "other").unlink()
    assert not (other / "other").exists()
    other.rmdir()
    assert not one.exists()


def test_an_open_file_survives_its_name(pair):
    one, other = pair
    one.write_bytes(b"data")
    with one.open("rb", buffering=0) as file:
        other.unlink()
        assert file.read() == b"data"
    # The SMB client keeps closed files open for a second, and asks those.
    eventually(lambda: not one.exists(), "the name is still there")


@pytest.mark.parametrize("other", ["nfs", "local"])
def test_what_a_client_keeps_is_written_before_others_read(doors, other):
    name = f"kept-{other}"
    with (doors["smb"] / name).open("wb", buffering=0) as writer:
        writer.write(b"kept")
        assert (DIRECTORY / name).stat().st_size == 0, "the client has not kept it, so nothing is tested"
        assert (doors[other] / name).read_bytes() == b"kept"
        writer.write(b" and more")
    assert (doors[other] / name).read_bytes() == b"kept and more"


def test_a_file_that_stays_open_is_read_anew(pair):
    one, other = pair
    one.write_bytes(b"before")
    with other.open("rb", buffering=0) as reader:
        assert reader.read() == b"before"
        one.write_bytes(b"after!")
        eventually(lambda: os.pread(reader.fileno(), 10, 0) == b"after!", "the reader is not told")


@pytest.mark.parametrize("kind", [fcntl.LOCK_EX, fcntl.LOCK_SH])
def test_locks_meet(pair, kind):
    one, other = pair
    one.write_bytes(bytes(100))
    with one.open("r+b", buffering=0) as holder, other.open("r+b", buffering=0) as asker:
        fcntl.lockf(holder, kind | fcntl.LOCK_NB, 10, 20)
        with pytest.raises(OSError, match=r".") as refused:
            fcntl.lockf(asker, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 25)
        assert refused.value.errno in {errno.EAGAIN, errno.EACCES}
        fcntl.lockf(asker, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 30)
        fcntl.lockf(holder, fcntl.LOCK_UN)
        fcntl.lockf(asker, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 20)


def test_writing_takes_a_delegation_back(doors):
    """The kernel's NFS server lets its client keep a file until somebody opens it for writing."""
    for number in range(3):
        (DIRECTORY / f"delegated{number}").write_bytes(b"before")
    readers = [(doors["nfs"] / f"delegated{number}").open("rb", buffering=0) for number in range(3)]
    try:
        assert [reader.read() for reader in readers] == [b"before"] * 3
        had = delegations()
        assert had > 0
        for number in range(3):
            (doors["smb"] / f"delegated{number}").write_bytes(b"after!")
        eventually(lambda: delegations() < had, "no delegation was taken back")
        assert [os.pread(reader.fileno(), 10, 0) for reader in readers] == [b"after!"] * 3
    finally:
        for reader in readers:
            reader.close()
