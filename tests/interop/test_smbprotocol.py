"""smbprotocol puts and gets trees, in every dialect and with every cipher and signing algorithm of 3.1.1."""

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
from smbprotocol.connection import Ciphers, Dialects, SigningAlgorithms
from smbprotocol.exceptions import AccessDenied, LogonFailure, SMBConnectionClosed, SMBOSError
from smbprotocol.tree import TreeConnect

from tests.interop.relay import relayed
from tests.interop.servers import Configuration
from tests.interop.smbprotocol_peer import Peer, smbprotocol_peer
from tests.interop.trees import FULL_PYTHON_CLIENTS, MIB, PYTHON_CLIENTS, checksums, tree_fixture

CONFIGURATION = Configuration({"server signing": "auto", "server min protocol": "SMB2_02"})

pytestmark = pytest.mark.usefixtures("clean")


tree = tree_fixture(PYTHON_CLIENTS, FULL_PYTHON_CLIENTS)


def put(peer: Peer, root: Path) -> None:
    for path in sorted(root.rglob("*")):
        there = peer.path(path.relative_to(root))
        if path.is_dir():
            peer.call("mkdir", there)
            continue
        with path.open("rb") as source, peer.call("open_file", there, mode="xb", buffering=0) as sink:
            while block := source.read(MIB):
                assert sink.write(block) == len(block)


def get(peer: Peer, root: Path, relative: Path = Path()) -> None:
    for entry in peer.call("scandir", peer.path(relative)):
        here = root / relative / entry.name
        if entry.is_dir():
            here.mkdir()
            get(peer, root, relative / entry.name)
            continue
        with here.open("wb") as sink, peer.call("open_file", entry.path, mode="rb", buffering=0) as source:
            shutil.copyfileobj(source, sink, MIB)
        assert here.stat().st_size == entry.smb_info.end_of_file


@pytest.mark.parametrize("dialect", [Dialects.SMB_2_1_0, Dialects.SMB_3_1_1], ids=["2.1", "3.1.1"])
def test_a_tree_is_put_and_got(server, share_path, tree, tmp_path, dialect) -> None:
    root, sums = tree
    with smbprotocol_peer(server, dialect) as peer:
        put(peer, root)
        assert checksums(share_path) == sums
        get(peer, tmp_path)
        assert checksums(tmp_path) == sums


def round_trip(peer: Peer, share_path: Path) -> None:
    """A file large enough for several credits, written and read."""
    data = os.urandom(300_001)
    with peer.call("open_file", peer.path("round trip"), mode="wb") as file:
        file.write(data)
    assert (share_path / "round trip").read_bytes() == data
    with peer.call("open_file", peer.path("round trip"), mode="rb") as file:
        assert file.read() == data


@pytest.mark.parametrize(
    ("dialect", "protection"),
    [
        (Dialects.SMB_2_0_2, "plain"),
        (Dialects.SMB_2_0_2, "signed"),
        (Dialects.SMB_2_1_0, "plain"),
        (Dialects.SMB_2_1_0, "signed"),
        (Dialects.SMB_3_0_0, "plain"),
        (Dialects.SMB_3_0_0, "signed"),
        (Dialects.SMB_3_0_0, "sealed"),
        (Dialects.SMB_3_0_2, "plain"),
        (Dialects.SMB_3_0_2, "signed"),
        (Dialects.SMB_3_0_2, "sealed"),
        (Dialects.SMB_3_1_1, "signed"),
        (Dialects.SMB_3_1_1, "sealed"),
    ],
)
def test_every_dialect_and_protection(server, share_path, dialect, protection) -> None:
    how = {"sign": protection != "plain", "seal": protection == "sealed"}
    with relayed(server.port) as relay, smbprotocol_peer(server, dialect, port=relay.port, **how) as peer:
        round_trip(peer, share_path)
    assert relay.dialect == dialect
    assert relay.seen[protection] == relay.seen.total() > 6


def test_a_tree_connect_at_3_1_1_has_to_be_signed(server) -> None:
    # smbprotocol leaves the signature out where it need not sign. [MS-SMB2] 3.3.5.7 ends the connection, smbd refuses.
    with smbprotocol_peer(server, Dialects.SMB_3_1_1, sign=False) as peer:
        tree = TreeConnect(peer.session, peer.path())
        with pytest.raises((AccessDenied, SMBConnectionClosed)):
            tree.connect()


@pytest.mark.parametrize("cipher", ["AES_128_CCM", "AES_128_GCM", "AES_256_CCM", "AES_256_GCM"])
def test_every_cipher(server, share_path, cipher) -> None:
    number = getattr(Ciphers, cipher)
    with smbprotocol_peer(server, Dialects.SMB_3_1_1, seal=True, ciphers=[number]) as peer:
        assert peer.connection.cipher_id == number
        round_trip(peer, share_path)


@pytest.mark.parametrize("algorithm", ["HMAC_SHA256", "AES_CMAC", "AES_GMAC"])
def test_every_signing_algorithm(server, share_path, algorithm) -> None:
    number = getattr(SigningAlgorithms, algorithm)
    with smbprotocol_peer(server, Dialects.SMB_3_1_1, signing=[number]) as peer:
        assert peer.connection.signing_algorithm_id == number
        round_trip(peer, share_path)


def test_a_wrong_password_fails(server) -> None:
    with pytest.raises(LogonFailure), smbprotocol_peer(server, password="wrong"):
        pass


def test_a_file_is_stated_changed_and_removed(server, share_path) -> None:
    (share_path / "datei").write_bytes(b"content")
    with smbprotocol_peer(server) as peer:
        found = peer.call("stat", peer.path("DATEI"))
        assert (found.st_size, stat.S_ISREG(found.st_mode)) == (7, True)
        peer.call("utime", peer.path("datei"), times=(1_000_000_000, 1_100_000_000))
        assert int((share_path / "datei").stat().st_mtime) == 1_100_000_000
        peer.call("truncate", peer.path("datei"), 3)
        assert (share_path / "datei").read_bytes() == b"con"
        peer.call("rename", peer.path("datei"), peer.path("file"))
        with peer.call("open_file", peer.path("file"), mode="ab") as file:
            file.write(b"tinued")
        assert (share_path / "file").read_bytes() == b"continued"
        peer.call("remove", peer.path("file"))
        assert list(share_path.iterdir()) == []


@pytest.mark.parametrize(
    ("function", "arguments", "number"),
    [
        ("stat", ["nothing"], errno.ENOENT),
        ("listdir", ["file"], errno.ENOTDIR),
        ("mkdir", ["file"], errno.EEXIST),
        ("remove", ["directory"], errno.EISDIR),
        ("rmdir", ["full"], errno.ENOTEMPTY),
        ("rename", ["file", "directory"], errno.EEXIST),
    ],
)
def test_refusals(server, share_path, function, arguments, number) -> None:
    (share_path / "file").write_bytes(b"x")
    (share_path / "directory").mkdir()
    (share_path / "full").mkdir()
    (share_path / "full" / "x").write_bytes(b"")
    with smbprotocol_peer(server) as peer, pytest.raises(SMBOSError) as error:
        peer.call(function, *(peer.path(name) for name in arguments))
    assert error.value.errno == number


def test_a_large_directory_is_listed_completely(server, share_path) -> None:
    names = {f"{number:05} {'x' * 100}" for number in range(3000)}
    for name in names:
        (share_path / name).touch()
    with smbprotocol_peer(server) as peer:
        listed = peer.call("listdir", peer.path())
    assert len(listed) == len(names)
    assert set(listed) == names
