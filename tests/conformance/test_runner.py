"""Running tests, with programs in the place of smbtorture and the server."""

import sys
import textwrap

import pytest

from tests.conformance.plan import Run
from tests.conformance.runner import Runner, list_tests
from tests.conformance.server import Server, ServerFailed

TORTURE = """\
    import os, socket, sys, time
    name = sys.argv[-1]
    port = [a.partition("=")[2] for a in sys.argv if a.startswith("--smb-ports=")]
    if name == "--list":
        print("smbtorture 4.17.12-Test\\nsmb2.a.good.good\\nsmb2.a.slow.slow\\nother")
    elif "good" in name:
        print(f"success: good")
    elif "bad" in name:
        print(f"failure: bad [\\n{sys.argv[1]}\\n]")
        sys.exit(1)
    elif "slow" in name:
        print("waiting", flush=True)
        time.sleep(30)
    elif "kill" in name:
        with socket.create_connection(("127.0.0.1", int(port[0]))) as s:
            s.sendall(b"end")
            s.recv(1)
        print("failure: kill")
    else:
        os.abort()
"""
SERVER = """\
    import os, signal, socket, sys
    print(sys.argv[1:], flush=True)
    if "broken" in open(sys.argv[sys.argv.index("-c") + 1]).read():
        sys.exit("no such thing")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = socket.create_server(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])))
    while True:
        with listener.accept()[0] as connection:
            if connection.recv(3) == b"end":
                # At once, as if killed: the client is not to go on while this one is still on its way out.
                print("Traceback (most recent call last):", flush=True)
                os._exit(1)
"""


@pytest.fixture
def torture(tmp_path):
    path = tmp_path / "torture"
    path.write_text(f"#!{sys.executable}\n{textwrap.dedent(TORTURE)}")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def server(tmp_path):
    """Makes a server with a configuration."""
    (tmp_path / "server").write_text(textwrap.dedent(SERVER))

    def make(text):
        (tmp_path / "test.conf").write_text(text)
        (tmp_path / "run").mkdir()
        return Server(tmp_path / "test.conf", tmp_path / "run", (sys.executable, str(tmp_path / "server")))

    return make


def test_list(torture):
    assert list_tests(torture) == {"smb2.a.good": "smb2.a.good.good", "smb2.a.slow": "smb2.a.slow.slow"}


def test_run(torture, server, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.conformance.plan.DEFAULT_LIMIT", 10.0)
    run = Run("x", tmp_path / "test.conf", (), (), {})
    monkeypatch.setattr(run.__class__, "limit", lambda self, test: 0.5 if "slow" in test else 10.0)
    seen = []
    names = {f"smb2.{test}": test for test in ("good", "bad", "slow", "abort", "kill")}
    with server("path = {DIR}/share1") as running:
        verdicts = Runner(run, running, tmp_path / "run", torture).run(names, 1, lambda *seen_: seen.append(seen_))
        assert running.is_running()
        assert running.tracebacks() == 1
    assert [(name, verdict.status) for name, verdict in verdicts.items()] == [
        ("smb2.good", "pass"),
        ("smb2.bad", "fail"),
        ("smb2.slow", "timeout"),
        ("smb2.abort", "crash"),
        ("smb2.kill", "crash"),
    ]
    assert seen == list(verdicts.items())
    assert verdicts["smb2.bad"].reason == "//127.0.0.1/share1"
    assert "waiting" in verdicts["smb2.slow"].reason
    assert (tmp_path / "run/smbgate.conf").read_text() == f"path = {tmp_path}/run/share1"


def test_a_server_that_does_not_start(server):
    with pytest.raises(ServerFailed, match="no such thing"):
        server("broken").start()
