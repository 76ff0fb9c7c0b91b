"""The kernel's SMB client with several connections for a session."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.guest.conftest import PORT, eventually, run

DEBUG_DATA = Path("/proc/fs/cifs/DebugData")
MIB = 1 << 20


def extra_channels() -> list[int]:
    """How many connections each session has beside its first, as the client counts them."""
    return [int(number) for number in re.findall(r"Extra Channels: (\d+)", DEBUG_DATA.read_text())]


def connections() -> list[str]:
    """The client's ends of all connections, oldest first."""
    words = ["ss", "-Htn", "state", "established", f"dport = :{PORT}"]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted((line.split()[2] for line in lines), key=lambda end: int(end.rpartition(":")[2]))


def test_a_session_of_four_connections(channels: Path) -> None:
    print(DEBUG_DATA.read_text())
    assert 3 in extra_channels()
    data = os.urandom(8 * MIB)
    (channels / "file").write_bytes(data)
    assert (channels / "file").read_bytes() == data


@pytest.mark.parametrize("which", [0, -1], ids=["first", "last"])
def test_a_connection_breaks(channels: Path, which: int) -> None:
    """What is open stays open, and nothing that was written is lost."""
    before = connections()
    data = os.urandom(MIB)
    with (channels / f"broken{which}").open("w+b", buffering=0) as file:
        file.write(data)
        port = before[which].rpartition(":")[2]
        run("ss", "-K", "-tn", f"sport = :{port}", f"dport = :{PORT}")
        eventually(lambda: before[which] not in connections(), "the connection does not break")
        assert os.pwrite(file.fileno(), data[::-1], MIB) == MIB
        assert os.pread(file.fileno(), MIB, 0) == data
        assert os.pread(file.fileno(), MIB, MIB) == data[::-1]
