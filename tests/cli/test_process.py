"""The program as an administrator runs it: a process that starts, serves, and ends when told to."""

import contextlib
import re
import signal
import socket
import subprocess
import sys

import pytest


@pytest.fixture
def start(tmp_path):
    """Starts `smbgate serve` with a share, and returns the process once it listens, and where."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "conf").write_text(f"[global]\nstate directory = {tmp_path}/state\n[docs]\npath = {tmp_path}/docs\n")
    with contextlib.ExitStack() as stack:

        def start(port=0):
            argv = ["serve", "-c", str(tmp_path / "conf"), "--bind", "127.0.0.1", "--port", str(port)]
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            said: list[str] = []
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if match := re.fullmatch(r"listening on 127\.0\.0\.1:(\d+)\n", line):
                    return process, int(match[1])
            return process, said

        yield start


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(start, number):
    process, port = start()
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        process.send_signal(number)
        assert process.wait(10) == 0
        client.settimeout(10)
        with contextlib.suppress(ConnectionResetError):
            assert client.recv(1) == b""
    assert process.stdout.read().splitlines()[-1] == f"ending, because of {number.name}"


def test_a_port_in_use(start):
    _, port = start()
    process, said = start(port)
    assert process.wait(10) == 1
    assert said[-1].startswith("smbgate: ")
    assert str(port) in said[-1]
    assert "another program is listening" in said[-1]
    assert "Traceback" not in "".join(said)


def test_a_directory_that_is_not_there(start, tmp_path):
    (tmp_path / "docs").rmdir()
    process, said = start()
    assert process.wait(10) == 1
    assert said[-1].startswith("smbgate: share docs: ")
    assert "Traceback" not in "".join(said)
