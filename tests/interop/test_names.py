"""Names instead of SIDs: Samba's rpcclient and smbcacls ask for them, and set entries by them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.port_445 import Run, on_port_445
from tests.interop.servers import Server
from tests.interop.test_rpcclient import rpcclient

SID = re.compile(r"S-1-[0-9-]+")


class Smbcacls:
    """It connects to port 445 only."""

    def __init__(self, server: Server, run: Run) -> None:
        self._server, self._run = server, run

    def __call__(self, path: Path, *options: str) -> str:
        """What smbcacls prints about a file of the share. Raises AssertionError where it fails."""
        arguments = ["smbcacls", "//127.0.0.1/share", path.name, "-s", "/dev/null"]
        done = self._run([*arguments, "-U", f"{self._server.user}%{self._server.password}", *options])
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def smbcacls(server) -> Iterator[Smbcacls]:
    with on_port_445(server.port) as run:
        yield Smbcacls(server, run)


@pytest.fixture
def file(share_path) -> Path:
    path: Path = share_path / "file"
    path.write_text("x")
    path.chmod(0o644)
    # The thread may still have the group of somebody for whom a test of the storage has acted.
    os.chown(path, os.geteuid(), os.getegid())
    return path


def test_names_lead_to_sids_and_back(server) -> None:
    for name in (server.user, f"INTEROP\\{server.user}", "Everyone", "BUILTIN\\Administrators", "Unix Group\\daemon"):
        told = rpcclient(server, f"lookupnames '{name}'")
        (sid,) = SID.findall(told)
        plain = name.rpartition("\\")[2]
        assert re.search(rf"^{sid} (.*\\)?{plain} \(\d\)$", rpcclient(server, f"lookupsids {sid}"), re.MULTILINE)


def test_all_levels_and_forms(server) -> None:
    (sid,) = SID.findall(rpcclient(server, f"lookupnames {server.user}"))
    for command in (f"lookupsids_level 1 {sid}", f"lookupnames_level 1 {server.user}"):
        assert server.user in rpcclient(server, command)
    assert "NT_STATUS_NONE_MAPPED" in failed(server, "lookupnames nobody-here")
    assert "INTEROP" in rpcclient(server, "lsaquery 5")


def failed(server: Server, command: str) -> str:
    with pytest.raises(AssertionError) as error:
        rpcclient(server, command)
    return str(error.value)


def test_descriptors_are_shown_with_names(server, smbcacls, file) -> None:
    shown = smbcacls(file)
    assert f"OWNER:INTEROP\\{server.user}" in shown
    assert "ACL:Everyone:ALLOWED/0x0/" in shown
    assert not SID.search(shown)
    assert SID.search(smbcacls(file, "--numeric"))


def test_entries_are_set_by_name(server, smbcacls, file) -> None:
    entries = [
        f"ACL:INTEROP\\{server.user}:DENIED/0x0/D",
        "ACL:BUILTIN\\Backup Operators:ALLOWED/0x0/READ",
        "ACL:INTEROP\\daemon:ALLOWED/0x0/READ",
    ]
    smbcacls(file, "-a", ",".join(entries[:2]))
    # Without its domain, and of a user who has no account, but is one of the system's.
    smbcacls(file, "-a", "ACL:daemon:ALLOWED/0x0/READ")
    assert set(entries) <= set(smbcacls(file).splitlines())
    smbcacls(file, "-D", entries[2])
    shown = smbcacls(file).splitlines()
    assert entries[0] in shown
    assert entries[2] not in shown
