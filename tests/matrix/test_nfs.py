"""NFS clients of the mount, while it comes and goes."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.matrix.kept_connection import KeptConnection
from tests.matrix.nfs import Client, ganesha
from tests.ports import free_port
from tests.requirements import Need, needs, skip_unless

pytestmark = [pytest.mark.interop, needs(Need.ROOT, Need.FUSE, Need.GANESHA, Need.EXPORTABLE), pytest.mark.timeout(120)]

PATHS = ("/", "/directory", "/directory/file", "/link")


@contextmanager
def mounted(directory: Path) -> Iterator[Path]:
    """`smbgate mount`, of one share."""
    mount, files = directory / "mount", directory / "files"
    for path in (mount, files):
        path.mkdir(exist_ok=True)
    configuration = directory / "smbgate.conf"
    configuration.write_text(
        f"[global]\nstate directory = {directory / 'state'}\n[share]\npath = {files}\nread only = no\n"
    )
    command = [sys.executable, "-m", "gateway", "mount", "-c", str(configuration), str(mount)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "mounted on" in process.stdout.readline()
        try:
            yield mount / "share"
        finally:
            process.terminate()
            assert process.wait(20) == 0


def numbers(client: Client) -> list[int]:
    return [client.stat(path).ino for path in PATHS]


def test_numbers_are_the_same_after_a_restart(tmp_path: Path) -> None:
    found = []
    for number in range(2):
        with mounted(tmp_path) as top, ganesha(tmp_path / f"ganesha {number}", {"share": top}) as server:
            client = server.client("share")
            if number == 0:
                client.mkdir("/directory")
                client.close(client.open("/directory/file", os.O_CREAT | os.O_RDWR))
                os.link(tmp_path / "files/directory/file", tmp_path / "files/link")
            found.append(numbers(client))
            client.aclose()
    assert found[0] == found[1]
    assert found[0][2] == found[0][3]


def test_handles_are_good_after_the_kernel_has_forgotten(tmp_path: Path) -> None:
    with mounted(tmp_path) as top, ganesha(tmp_path / "ganesha", {"share": top}) as server:
        client = server.client("share")
        client.mkdir("/directory")
        handle = client.open("/directory/file", os.O_CREAT | os.O_RDWR)
        client.write(handle, 0, b"contents")
        before = client.stat("/directory/file").ino
        # Dentries and inodes that nobody uses: the server asks for what it has handles of by `.` and `..`.
        Path("/proc/sys/vm/drop_caches").write_text("2")
        assert client.read(handle, 0, 100) == b"contents"
        assert client.stat("/directory/file").ino == before
        client.write(handle, 8, b", and more")
        client.close(handle)
        client.rename("/directory/file", "/directory/other")
        assert (tmp_path / "files/directory/other").read_bytes() == b"contents, and more"
        client.aclose()


@contextmanager
def held(directory: Path) -> Iterator[tuple[Client, ctypes.c_void_p, int, int]]:
    """A client that has a file open on a mount that has ended since, with its NFS server: it, the open, the device that
    the mount was, and the port of the NFS server."""
    port = free_port()
    connection = KeptConnection(port)
    client = None
    try:
        with mounted(directory) as top, ganesha(directory / "before", {"share": top}, port):
            client = Client(connection.port, "share")
            client.mkdir("/directory")
            handle = client.open("/directory/file", os.O_CREAT | os.O_RDWR)
            client.write(handle, 0, b"contents")
            device = top.stat().st_dev
        yield client, handle, device, port
    finally:
        if client is not None:
            client.aclose()
        connection.close()


def test_a_handle_is_good_after_a_restart(tmp_path: Path) -> None:
    with held(tmp_path) as (client, handle, device, port):
        number = (tmp_path / "files/directory/file").stat().st_ino
        for _ in range(20):
            with mounted(tmp_path) as top:
                if top.stat().st_dev != device:
                    continue  # somebody else has mounted something meanwhile
                with ganesha(tmp_path / "after", {"share": top}, port):
                    found = client.stat_open(handle)
                    assert (found.ino & (1 << 48) - 1, found.size) == (number, 8)
                    assert client.stat("/directory/file").ino == found.ino
                    # What was open the NFS server knows no more; that is for it and its client to see to. It has
                    # been seen to say so in two ways.
                    with pytest.raises(OSError, match=r"NFS4ERR_(STALE_STATEID|EXPIRED)"):
                        client.read(handle, 0, 8)
                return
        pytest.fail("the kernel does not give a mount the number that the last one had")


def test_a_handle_is_stale_where_the_mount_is_another_device(tmp_path: Path) -> None:
    with held(tmp_path) as (client, handle, device, port):
        other = tmp_path / "other"
        other.mkdir()
        command = ["mount", "-t", "tmpfs", "tmpfs", str(other)]
        try:
            for _ in range(100):  # until the number is taken, by this or by somebody else
                skip_unless(subprocess.run(command, check=False, capture_output=True).returncode == 0, Need.MOUNT)
                if other.stat().st_dev >= device:
                    break
            with mounted(tmp_path) as top, ganesha(tmp_path / "after", {"share": top}, port):
                assert top.stat().st_dev != device
                with pytest.raises(OSError, match="NFS4ERR_STALE"):
                    client.stat_open(handle)
        finally:
            while other.is_mount():
                subprocess.run(["umount", str(other)], check=True)
