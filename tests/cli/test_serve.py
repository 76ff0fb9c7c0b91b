"""`smbgate serve`, with something else in the place of the server."""

import contextlib
import importlib
import os
import resource
import signal
import sys
import types

import pytest
import trio

import gateway
from gateway.cli import main


class ServerError(Exception):
    """As the server's own."""


class FakeServer(types.ModuleType):
    """Keeps the configuration it is started with, and does what the test says instead of serving."""

    ServerError = ServerError

    def __init__(self):
        super().__init__("gateway.server")
        self.config = None
        self.ended = False

    async def act(self):
        os.kill(os.getpid(), signal.SIGTERM)
        await trio.sleep_forever()

    async def serve(self, config, *, task_status):
        self.config = config
        task_status.started(["127.0.0.1 port 4450"])
        try:
            await self.act()
        finally:
            self.ended = True


@pytest.fixture
def server(monkeypatch, tmp_path):
    fake = FakeServer()
    monkeypatch.setitem(sys.modules, "gateway.server", fake)
    monkeypatch.setattr(gateway, "server", fake, raising=False)
    for name in ("gateway.cli.running", "gateway.cli.serve"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module("gateway.cli.running")
    monkeypatch.setattr(module, "default_config_path", lambda: tmp_path / "default.conf")
    yield fake
    for name in ("gateway.cli.running", "gateway.cli.serve"):
        sys.modules.pop(name, None)


def test_from_the_command_line(server, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    argv = ["--share", "docs=sub/50%,ro", "--share", "My data=/x", "--user", "ann:a:b", "--port", "4450"]
    assert main(["serve", *argv, "--bind", "127.0.0.1", "--bind", "::1"]) == 0
    config = server.config
    assert server.ended
    assert (config.tcp_port, config.interfaces, config.bind_interfaces_only) == (4450, ("127.0.0.1", "::1"), True)
    assert (config.shares["docs"].path, config.shares["docs"].read_only) == (f"{tmp_path}/sub/50%%", True)
    assert (config.shares["my data"].path, config.shares["my data"].read_only) == ("/x", False)
    assert config.users == {"ann": "a:b"}
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("smbgate ")
    assert out[1:] == [
        f"sharing docs: {tmp_path}/sub/50%, read-only",
        "sharing My data: /x",
        "listening on 127.0.0.1 port 4450",
        "ending, because of SIGTERM",
    ]
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_from_a_file(server, tmp_path, capsys):
    (tmp_path / "default.conf").write_text("[global]\ntcp port = 1\nipc timeout = 3\n[docs]\npath = /d\n")
    assert main(["serve", "--port", "4450"]) == 0
    assert (server.config.tcp_port, list(server.config.shares)) == (4450, ["docs"])
    assert "default.conf:3: 'ipc timeout': has no meaning here" in capsys.readouterr().err
    assert main(["serve", "-c", str(tmp_path / "default.conf"), "--share", "more=/m"]) == 0
    assert list(server.config.shares) == ["more", "docs"]
    assert main(["serve", "--share", "more=/m"]) == 0
    assert list(server.config.shares) == ["more"]


@pytest.mark.parametrize(
    ("argv", "what"),
    [
        ([], "there is nothing to share: there is no "),
        (["-c", "/nonexistent"], "/nonexistent: cannot read /nonexistent: No such file"),
        (["--share", "docs"], "--share docs: expected NAME=PATH or NAME=PATH,ro"),
        (["--share", "docs=,ro"], "expected NAME=PATH"),
        (["--share", "a/b=/d"], "has '/' in its name"),
        (["--share", "docs=/d", "--user", ":secret"], "--user :secret: expected NAME or NAME:PASSWORD"),
        (["--share", "docs=/d", "--port", "65536"], "command line: 'tcp port': expected a number from 0 to 65535"),
    ],
)
def test_what_cannot_be_served(server, capsys, argv, what):
    assert main(["serve", *argv]) == 1
    assert what in capsys.readouterr().err
    assert server.config is None


def test_a_file_without_shares(server, tmp_path, capsys):
    (tmp_path / "default.conf").write_text("[global]\n")
    assert main(["serve"]) == 1
    assert "default.conf has no section but [global]" in capsys.readouterr().err


def test_errors_of_the_server(server, capsys, monkeypatch):
    async def act():
        raise ServerError("cannot listen on port 445: Permission denied")

    monkeypatch.setattr(server, "act", act)
    assert main(["serve", "--share", "docs=/d"]) == 1
    assert "smbgate: cannot listen on port 445: Permission denied\n" in capsys.readouterr().err


def test_a_server_that_ends_by_itself(server, monkeypatch):
    monkeypatch.setattr(server, "act", trio.lowlevel.checkpoint)
    assert main(["serve", "--share", "docs=/d"]) == 0


def test_the_second_signal_ends_at_once(server, monkeypatch):
    seen: list[object] = []

    async def act():
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await trio.sleep_forever()
        finally:
            seen.extend(signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT))

    monkeypatch.setattr(server, "act", act)
    before = signal.getsignal(signal.SIGINT)
    assert main(["serve", "--share", "docs=/d"]) == 0
    assert seen == [signal.SIG_DFL, signal.SIG_DFL]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize(
    ("hard", "may_raise", "limit", "told"),
    [
        (1 << 20, False, 1 << 20, False),
        (resource.RLIM_INFINITY, False, resource.RLIM_INFINITY, False),
        (4096, True, 65535 + 1024 + 256, False),
        (4096, False, 4096, True),
    ],
)
def test_the_limit_of_descriptors(server, monkeypatch, capsys, hard, may_raise, limit, told):
    limits = []

    def setrlimit(which, both):
        if both[1] > hard and not may_raise:
            raise ValueError("not allowed to raise maximum limit")
        limits.append(both)

    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, hard))
    monkeypatch.setattr(resource, "setrlimit", setrlimit)
    assert main(["serve", "--share", "docs=/d"]) == 0
    assert limits == [(limit, limit)]
    assert ("allows 4096 open files" in capsys.readouterr().err) is told


def test_passwords_are_read_where_they_are_not_given(server, monkeypatch):
    with open(os.devnull) as nothing, contextlib.ExitStack() as stack:
        stack.callback(monkeypatch.undo)
        monkeypatch.setattr("sys.stdin", nothing)
        assert main(["serve", "--share", "docs=/d", "--user", "ann"]) == 1
