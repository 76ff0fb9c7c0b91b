"""`smbgate acl` on real files."""

from pathlib import Path

import pytest

from gateway.cli import main
from tests.requirements import Need, set_xattr


@pytest.fixture
def config(tmp_path: Path) -> Path:
    set_xattr(tmp_path, "user.test", b"", Need.XATTRS)
    path = tmp_path / "smbgate.conf"
    (tmp_path / "docs").mkdir()
    path.write_text(f"[global]\nstate directory = {tmp_path}/state\n[docs]\npath = {tmp_path}/docs\n")
    return path


def test_a_file_without_a_descriptor(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs/file").write_text("")
    (tmp_path / "docs/file").chmod(0o640)
    assert main(["acl", "get", "-c", str(config), str(tmp_path / "docs/file")]) == 0
    told = capsys.readouterr().out
    assert "none stored" in told
    assert "allow" in told


def test_setting_and_getting(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "docs/file"
    path.write_text("")
    assert main(["acl", "set", "-c", str(config), str(path), "D:P(A;;FA;;;OW)(A;;FR;;;WD)"]) == 0
    assert main(["acl", "get", "-c", str(config), "--sddl", str(path)]) == 0
    assert "D:P(A;;FA;;;OW)(A;;FR;;;WD)" in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o744
    assert main(["acl", "get", "-c", str(config), str(path), str(tmp_path / "docs")]) == 0
    told = capsys.readouterr().out
    assert "descriptor: stored\n" in told
    assert "dacl: (protected)" in told
    assert "allow  OWNER RIGHTS  full" in told
    assert f"group: @{path.group()}\n" in told
    path.chmod(0o600)
    assert main(["acl", "get", "-c", str(config), str(path)]) == 0
    assert "changed since: intersect" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["get", "/nowhere/at/all"], "/nowhere/at/all"),
        (["set", "{docs}", "X:nonsense"], "not understood"),
        (["set", "{docs}", ""], "nothing to set"),
    ],
)
def test_failures(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    filled = [argument.format(docs=tmp_path / "docs") for argument in arguments]
    assert main(["acl", filled[0], "-c", str(config), *filled[1:]]) == 1
    assert reason in capsys.readouterr().err
