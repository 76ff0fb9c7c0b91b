"""The server, the kernel's NFS server, and the kernel's clients of both, on one directory of the machine."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

collect_ignore_glob = [] if os.environ.get("SMBGATE_GUEST") else ["test_*.py"]

DIRECTORY = Path("/srv/share")
PORT, PASSWORD = 4450, "Guest.123"
SECONDS = 200.0
"""For what should take a moment: the machine is emulated."""
NFSD = Path("/proc/fs/nfsd")
CONFIGURATION = f"""\
[global]
    state directory = /srv/state
    interfaces = "127.0.0.1;capability=RSS,speed=10000000000" 127.0.0.2
    bind interfaces only = yes
[share]
    path = {DIRECTORY}
    read only = no
    kernel notify = yes
    kernel locks = yes
    kernel leases = yes
"""


def run(*words: object) -> None:
    subprocess.run([str(word) for word in words], check=True, timeout=SECONDS)


def eventually(holds: Callable[[], bool], what: str) -> None:
    """Wait until something is so; fails if it does not become so."""
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def serves() -> bool:
    return subprocess.run(["ss", "-Hltn", f"sport = :{PORT}"], capture_output=True, check=True).stdout != b""


@pytest.fixture(scope="session")
def server() -> Iterator[None]:
    """smbgate, for the user root."""
    DIRECTORY.mkdir()
    Path("/srv/state").mkdir(mode=0o700)
    configuration = Path("/srv/smbgate.conf")
    configuration.write_text(CONFIGURATION)
    words = ["serve", "-c", configuration, "--port", PORT, "--user", f"root:{PASSWORD}"]
    with subprocess.Popen([sys.executable, "-m", "gateway", *map(str, words)]) as process:
        try:
            eventually(lambda: process.poll() is not None or serves(), "smbgate does not listen")
            yield
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.fixture(scope="session")
def exported(server: None) -> Iterator[None]:
    """The kernel's NFS server, for version 4 only, so that no port mapper is needed."""
    run("modprobe", "nfsd")
    run("mount", "-t", "nfsd", "nfsd", NFSD)
    for name in ("nfsv4leasetime", "nfsv4gracetime"):
        (NFSD / name).write_text("10\n")
    run("rpc.mountd", "-N", "3")
    run("exportfs", "-o", "rw,fsid=0,no_root_squash,no_subtree_check,sec=sys", f"127.0.0.1:{DIRECTORY}")
    run("rpc.nfsd", "-N", "3", "-U", "2")
    with contextlib.suppress(OSError):  # nobody is there who could reclaim anything
        (NFSD / "v4_end_grace").write_text("Y\n")
    yield
    run("rpc.nfsd", "0")


@pytest.fixture(scope="session")
def nfs(exported: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory as the kernel's NFS client shows it."""
    path = tmp_path_factory.mktemp("nfs")
    run("mount", "-t", "nfs4", "-o", "vers=4.2,lookupcache=none,actimeo=0", "127.0.0.1:/", path)
    yield path
    run("umount", path)


@pytest.fixture(scope="session")
def smb(server: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The share as the kernel's SMB client shows it; it caches what it has leases for."""
    yield from mounted(tmp_path_factory.mktemp("smb"), "cache=strict,actimeo=0")


@pytest.fixture
def channels(server: None, tmp_path: Path) -> Iterator[Path]:
    """The same by four connections; nothing is cached."""
    yield from mounted(tmp_path, "cache=none,multichannel,max_channels=4")


def mounted(path: Path, options: str) -> Iterator[Path]:
    options = f"port={PORT},username=root,password={PASSWORD},vers=3.1.1,{options}"
    run("mount", "-t", "cifs", "-o", options, "//127.0.0.1/share", path)
    yield path
    run("umount", path)
