"""`smbgate idmap`, fed by Samba's own tools where they are there."""

import io
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.cli import main
from tests.requirements import Need, needs, set_xattr

USER = pwd.getpwuid(os.geteuid()).pw_name
SID = "S-1-5-21-1-2-3-1000"

Idmap = Callable[..., int]


@pytest.fixture
def idmap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Idmap:
    config = tmp_path / "smbgate.conf"
    config.write_text(f"[global]\nstate directory = {tmp_path}/state\n")

    def run(*arguments: str, stdin: str = "") -> int:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        return main(["idmap", arguments[0], "-c", str(config), *arguments[1:]])

    return run


def test_importing_and_listing(idmap: Idmap, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = f"Unix username: {USER}\nUser SID: {SID}\nPrimary Group SID: S-1-5-21-1-2-3-513\n"
    assert idmap("import", "-", stdin=told) == 0
    assert idmap("list") == 0
    assert f"{SID}  user {USER}\nS-1-5-21-1-2-3-513  Authenticated Users\n" in capsys.readouterr().out
    assert f"{SID} user {os.geteuid()}\n" in (tmp_path / "state/idmap").read_text()
    (tmp_path / "dump").write_text(f"UID 4711 {SID}\n")
    assert idmap("import", str(tmp_path / "dump")) == 0
    assert f"is user {USER} already" in capsys.readouterr().err
    assert idmap("import", "--replace", str(tmp_path / "dump")) == 0
    assert f"{SID} user 4711\n" in (tmp_path / "state/idmap").read_text()


def test_checking(idmap: Idmap, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    set_xattr(tmp_path, "user.probe", b"", Need.XATTRS)
    assert idmap("check", str(tmp_path / "docs")) == 0
    assert "0 descriptors, 0 SIDs" in capsys.readouterr().out
    assert (
        main(["acl", "set", "-c", str(tmp_path / "smbgate.conf"), str(tmp_path / "docs"), f"D:P(A;;FA;;;{SID})"]) == 0
    )
    assert idmap("check", str(tmp_path / "docs")) == 1
    assert f"{SID}  1 file, the first is {tmp_path}/docs\n" in capsys.readouterr().out
    assert idmap("import", "-", stdin=f"UID 4711 {SID}\n") == 0
    assert idmap("check", str(tmp_path / "docs")) == 0


@pytest.mark.parametrize(
    ("arguments", "reason"), [(["import", "-"], "no SID in it"), (["import", "/nowhere"], "cannot read /nowhere")]
)
def test_failures(idmap: Idmap, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str) -> None:
    assert idmap(*arguments) == 1
    assert reason in capsys.readouterr().err


SMB_CONF = """\
[global]
server role = standalone server
passdb backend = tdbsam
private dir = {0}
lock directory = {0}
state directory = {0}
cache directory = {0}
pid directory = {0}
ncalrpc dir = {0}
"""


@pytest.mark.interop
@needs(Need.ROOT, Need.SMBD)
def test_what_sambas_tools_print_is_understood(
    idmap: Idmap, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "samba").mkdir()
    config = tmp_path / "smb.conf"
    config.write_text(SMB_CONF.format(tmp_path / "samba"))

    def samba(*command: str, stdin: str = "") -> str:
        arguments = [command[0], "-s", str(config), *command[1:]]
        done = subprocess.run(arguments, input=stdin, text=True, check=True, capture_output=True, timeout=30)
        return done.stdout

    samba("pdbedit", "-a", "-t", "-u", USER, stdin="Secret.123\n" * 2)
    samba("net", "groupmap", "add", "ntgroup=The Team", "unixgroup=daemon", "type=d", "rid=4321")
    samba("net", "groupmap", "add", "ntgroup=Some", "unixgroup=bin", "type=l")
    told = samba("pdbedit", "-L", "-v") + samba("net", "groupmap", "list")
    (own,) = [line.split()[-1] for line in told.splitlines() if line.startswith("User SID")]
    assert idmap("import", "-", stdin=told) == 0
    lines = capsys.readouterr().out.splitlines()
    domain = own.rpartition("-")[0]
    assert f"{own}  user {USER}" in lines
    assert f"{domain}-4321  group daemon" in lines
    assert f"{domain}-513  Authenticated Users" in lines
    assert any(line.endswith("  group bin") for line in lines)
    assert len(lines) == 4
