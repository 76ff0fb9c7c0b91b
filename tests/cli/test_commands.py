"""The commands that need no server."""

import re
import runpy

import pytest

import gateway.cli.common
from gateway.cli import main
from gateway.config.show import reference


@pytest.fixture
def config(tmp_path):
    """Writes a configuration file."""

    def write(text):
        path = tmp_path / "test.conf"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture(autouse=True)
def no_default_config(monkeypatch, tmp_path):
    for module in ("common", "testparm", "share"):
        monkeypatch.setattr(f"gateway.cli.{module}.default_config_path", lambda: tmp_path / "default.conf")


def test_version(capsys):
    assert main(["--version"]) == 0
    assert re.fullmatch(r"smbgate [\w.]+( \(compiled\))?\n", capsys.readouterr().out)


@pytest.mark.parametrize("argv", [[], ["serve"], ["user"], ["user", "add"], ["share", "list"], ["testparm"]])
def test_help(argv, capsys):
    assert main([*argv, "--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: smbgate")


@pytest.mark.parametrize(
    "argv", [[], ["dance"], ["user"], ["user", "add"], ["serve", "--port", "x"], ["serve", "--debug", "nfs"]]
)
def test_what_is_not_understood(argv, capsys):
    assert main(argv) == 2
    assert "usage: smbgate" in capsys.readouterr().err


def test_as_a_module(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["smbgate", "--version"])
    with pytest.raises(SystemExit) as end:
        runpy.run_module("gateway", run_name="__main__")
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith("smbgate ")


def test_testparm(config, tmp_path, capsys):
    path = config(f"[global]\nipc timeout = 3\n[here]\npath = {tmp_path}\n")
    assert main(["testparm", path]) == 0
    out, err = capsys.readouterr()
    assert out == f"[global]\n    ipc timeout = 3s\n\n[here]\n    path = {tmp_path}\n"
    assert err.startswith(f"smbgate: warning: {path}:2: 'ipc timeout': has no meaning here")
    assert main(["testparm", "-v", path]) == 0
    assert "    tcp port = 445\n" in capsys.readouterr().out


def test_testparm_of_a_wrong_file(config, capsys):
    path = config("[global]\ntcp prt = 1\nserver signing = perhaps\n")
    assert main(["testparm", path]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.partition(": ")[0] for line in err.splitlines()] == [f"{path}:2", f"{path}:3"]


def test_testparm_of_what_is_not_there(config, tmp_path, capsys):
    assert main(["testparm"]) == 1
    assert "default.conf" in capsys.readouterr().err
    assert main(["testparm", config("[s]\npath = /nonexistent/50%%\n")]) == 1
    assert "[s]: there is no directory /nonexistent/50%\n" in capsys.readouterr().err


def test_all_parameters(capsys):
    assert main(["testparm", "--parameters"]) == 0
    assert capsys.readouterr().out == reference()


def test_share_list(config, capsys):
    text = "[Docs]\npath=/d\ncomment=papers\n[m]\nbackend=memory\nread only=no\nbrowseable=no\nguest ok=yes\n"
    assert main(["share", "list", "-c", config(text)]) == 0
    assert capsys.readouterr().out == (
        "SHARE  PATH      ACCESS                      COMMENT\n"
        "Docs   /d        read-only                   papers\n"
        "m      (memory)  read-write, guests, hidden\n"
    )
    assert main(["share", "list"]) == 1
    assert "default.conf shares nothing" in capsys.readouterr().err


def test_the_default_file_is_read(tmp_path, capsys):
    (tmp_path / "default.conf").write_text("[docs]\npath = /d\n")
    assert main(["share", "list"]) == 0
    assert "docs" in capsys.readouterr().out


class Terminal:
    """A standard input that somebody types into."""

    def isatty(self):
        return True


@pytest.mark.parametrize(("typed", "result"), [(["a", "a"], "a"), (["a", "b"], "differ"), (["", ""], "no password")])
def test_a_password_is_typed_twice(monkeypatch, typed, result):
    monkeypatch.setattr("sys.stdin", Terminal())
    answers = iter(typed)
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    if len(result) == 1:
        assert gateway.cli.common.ask_password("ann") == result
    else:
        with pytest.raises(gateway.cli.common.Failure, match=result):
            gateway.cli.common.ask_password("ann")
