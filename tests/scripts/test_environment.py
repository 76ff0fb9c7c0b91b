"""What the scripts stand on. Nothing is installed here: the commands are replaced."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


def load():
    """The module `environment`, as a script sees it when it begins."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.reload(importlib.import_module("environment"))
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """The module, in a checkout of its own, in which `commands` keeps what would have been run."""
    module = load()
    (tmp_path / "pyproject.toml").write_text('[build-system]\n[project]\nname = "x"\n')
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "VENV", tmp_path / ".venv")
    module.commands = []

    def run(*command, quiet=False):
        words = [str(word) for word in command]
        module.commands.append(words)
        if "venv" in words:
            python = tmp_path / ".venv/bin/python"
            python.parent.mkdir(parents=True)
            python.write_text("#!/bin/sh\n")
            python.chmod(0o755)

    monkeypatch.setattr(module, "run", run)
    return module


def test_an_environment_is_made_once(environment, tmp_path):
    python = environment.prepare()
    assert python == tmp_path / ".venv/bin/python"
    make, install = environment.commands
    assert make[1:] == ["-m", "venv", "--clear", str(tmp_path / ".venv")]
    assert install[-2:] == ["--editable", str(tmp_path)]
    assert "--only-binary" in install
    environment.prepare()
    assert len(environment.commands) == 2


def test_what_is_asked_for_is_installed(environment, tmp_path):
    environment.prepare("test")
    assert environment.commands[-1][-1] == f"{tmp_path}[test]"
    assert "--only-binary" not in environment.commands[-1]
    environment.prepare()
    environment.prepare("test")
    assert len(environment.commands) == 2
    with (tmp_path / "pyproject.toml").open("a") as file:
        file.write("[tool.x]\n")
    environment.prepare("test")
    assert len(environment.commands) == 2
    (tmp_path / "pyproject.toml").write_text('[build-system]\n[project]\nname = "y"\n')
    environment.prepare()
    environment.prepare("test")
    assert len(environment.commands) == 4


def test_python_without_venv(environment, monkeypatch):
    monkeypatch.setattr(environment, "_works", lambda python, code="": False)
    installed = []
    monkeypatch.setattr(environment, "install_packages", lambda packages, purpose: installed.extend(packages))
    environment.prepare()
    assert installed == ["python3-venv"]
    assert environment.commands[0][0] == "/usr/bin/python3"


def test_packages_that_only_root_can_install(environment, monkeypatch):
    monkeypatch.setattr(environment, "_is_installed", lambda package: package == "here")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    environment.install_packages(["here"], "this")
    with pytest.raises(SystemExit, match=r"^error: this needs .* root .*: apt-get install .* gone$"):
        environment.install_packages(["here", "gone"], "this")


def test_missing_packages_are_installed(environment, monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "_is_installed", lambda package: package == "here")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(environment, "POLICY", tmp_path / "policy")
    monkeypatch.setenv("DEBIAN_FRONTEND", "")
    environment.install_packages(["here", "gone"], "this")
    assert [command[-1] for command in environment.commands] == ["update", "gone"]
    assert not (tmp_path / "policy").exists()


def test_a_command_that_fails(tmp_path, capfd):
    module = load()
    module.run("true")
    with pytest.raises(SystemExit, match=r"`sh -c 'echo why; false'` failed"):
        module.run("sh", "-c", "echo why; false", quiet=True)
    assert capfd.readouterr().out == "why\n"


@pytest.mark.parametrize("script", ["serve", "test", "check", "conformance"])
def test_every_script_explains_itself(script):
    done = subprocess.run([SCRIPTS / script, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert len(done.stdout) > 50
