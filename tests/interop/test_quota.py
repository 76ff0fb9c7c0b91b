"""Quotas of the file system bind users over SMB: who has used up theirs is told that the disk is full."""

import ctypes
import os
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from smbprotocol.exceptions import SMBOSError, SMBResponseException
from smbprotocol.header import NtStatus

from tests.interop.servers import SERVERS, Configuration, Server
from tests.interop.smbprotocol_peer import Peer, smbprotocol_peer
from tests.interop.test_same_as_local import ALICE, BOB, USERS
from tests.requirements import Need, needs, skip_unless

pytestmark = needs(Need.ROOT, Need.NAMESPACES)

KIB, MIB = 1 << 10, 1 << 20
IMAGE_SIZE = 128 * MIB
LIMIT = 2 * MIB
LIMIT_OF_FILES = 6

Q_SETQUOTA, USRQUOTA = 0x800008, 0
QIF_BLIMITS, QIF_ILIMITS = 1, 4


@contextmanager
def mounted(directory: Path, *make: str, options: str = "") -> Iterator[Path]:
    """A new file system, in a file."""
    image, place = directory / "image", directory / "mounted"
    image.write_bytes(b"")
    os.truncate(image, IMAGE_SIZE)
    place.mkdir()
    try:
        subprocess.run([*make, str(image)], check=True, capture_output=True)
    except FileNotFoundError:
        skip_unless(False, Need.TREE_QUOTAS)
    done = subprocess.run(["mount", "-o", f"loop{options}", str(image), str(place)], check=False, capture_output=True)
    skip_unless(done.returncode == 0, Need.USER_QUOTAS if options else Need.LOOP)
    try:
        place.chmod(0o777)
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def set_quota(place: Path, uid: int, size: int, files: int) -> None:
    """Limit a user, see quotactl(2): bytes, in blocks of 1 KiB, and files."""
    lines = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    (device,) = [fields[0] for fields in lines if fields[1] == str(place)]
    limits = struct.pack("=8QI4x", size // KIB, size // KIB, 0, files, files, 0, 0, 0, QIF_BLIMITS | QIF_ILIMITS)
    command = ctypes.c_int(ctypes.c_int32(Q_SETQUOTA << 8 | USRQUOTA).value)
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.quotactl(command, device.encode(), uid, ctypes.create_string_buffer(limits, len(limits)))
    assert done == 0, os.strerror(ctypes.get_errno())


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that all users can get to: pytest keeps its own to itself."""
    with tempfile.TemporaryDirectory(prefix="smbgate-") as name:
        Path(name).chmod(0o755)
        Path(name, "server").mkdir()
        yield Path(name)


@contextmanager
def serving(against: str, directory: Path, place: Path) -> Iterator[Server]:
    configuration = Configuration({"server signing": "auto"}, {"share": {"path": str(place)}}, users=USERS)
    with SERVERS[against](directory / "server", configuration) as server:
        yield server


@contextmanager
def logged_on(server: Server, name: str) -> Iterator[Peer]:
    with smbprotocol_peer(replace(server, user=name)) as peer:
        yield peer


def fill(peer: Peer, name: str, size: int) -> int:
    """Write `size` bytes into a new file; the status that ends it."""
    try:
        with peer.call("open_file", peer.path(name), mode="xb", buffering=0) as file:
            for _ in range(0, size, 64 * KIB):
                assert file.write(os.urandom(64 * KIB)) == 64 * KIB
            file.flush()
    except SMBResponseException as error:
        status: int = error.status
        return status
    except SMBOSError as error:
        status = error.ntstatus
        return status
    return 0


def test_quotas_of_users(against: str, directory: Path) -> None:
    made = ("mkfs.ext4", "-q", "-O", "quota", "-E", "quotatype=usrquota")
    with mounted(directory, *made, options=",usrquota") as place, serving(against, directory, place) as server:
        set_quota(place, ALICE.uid, LIMIT, LIMIT_OF_FILES)
        with logged_on(server, ALICE.name) as alice, logged_on(server, BOB.name) as bob:
            assert fill(alice, "first", LIMIT // 2) == 0
            assert fill(alice, "second", 2 * LIMIT) == NtStatus.STATUS_DISK_FULL
            assert fill(bob, "of bob", 2 * LIMIT) == 0
            owners = {path.name: path.stat().st_uid for path in place.iterdir() if path.is_file()}
            assert owners == {"first": ALICE.uid, "second": ALICE.uid, "of bob": BOB.uid}
            assert (place / "second").stat().st_blocks * 512 <= LIMIT
            alice.call("remove", alice.path("second"))
            assert fill(alice, "third", LIMIT // 4) == 0
            results = [fill(alice, f"small{number}", 0) for number in range(LIMIT_OF_FILES)]
            assert results == [0] * (LIMIT_OF_FILES - 2) + [NtStatus.STATUS_DISK_FULL] * 2
            alice.call("remove", alice.path("small0"))
            assert fill(alice, "another", 0) == 0


def test_a_quota_of_a_tree(against: str, directory: Path) -> None:
    """Of all who write there together, as btrfs has it; the error is the same."""
    with mounted(directory, "mkfs.btrfs", "-q", "-m", "single") as place:
        for words in ("quota enable", f"qgroup limit {4 * LIMIT}"):
            done = subprocess.run(["btrfs", *words.split(), str(place)], check=False, capture_output=True)
            skip_unless(done.returncode == 0, Need.TREE_QUOTAS)
        with serving(against, directory, place) as server:
            with logged_on(server, ALICE.name) as alice:
                assert fill(alice, "first", LIMIT) == 0
                assert fill(alice, "second", 8 * LIMIT) == NtStatus.STATUS_DISK_FULL
                assert alice.call("stat", alice.path("first")).st_size == LIMIT
            assert {path.stat().st_uid for path in place.iterdir()} == {ALICE.uid}
