"""Samba's rpcclient asks the named pipes of IPC$."""

import re
import subprocess

import pytest

from tests.interop.servers import Configuration, Server

CONFIGURATION = Configuration(
    {"server signing": "auto"},
    {"share": {"comment": "described"}, "hidden": {"browseable": "no"}, "Büro": {}},
)


def rpcclient(server: Server, command: str, *, protection: str = "sign", dialect: str = "SMB3_11") -> str:
    """Run one command of rpcclient; what it prints. Raises AssertionError where it fails."""
    arguments = ["rpcclient", "127.0.0.1", "-p", str(server.port), "-s", "/dev/null", "-c", command]
    arguments += ["-U", f"{server.user}%{server.password}", f"--client-protection={protection}"]
    arguments += [f"--option=client ipc {edge} protocol={dialect}" for edge in ("min", "max")]
    done = subprocess.run(
        arguments,
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TZ": "UTC"},
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("command", ["netshareenum", "netshareenumall"])
@pytest.mark.parametrize("protection", ["sign", "encrypt"])
def test_shares_are_enumerated(server, command, protection) -> None:
    output = rpcclient(server, f"{command} 1", protection=protection)
    names = set(re.findall(r"^netname: (.+)$", output, re.MULTILINE))
    assert names == {"share", "Büro"} | ({"IPC$"} if command == "netshareenumall" else set())
    assert "remark:\tdescribed" in output


@pytest.mark.parametrize("dialect", ["SMB2_10", "SMB3_00"])
def test_in_other_dialects(server, dialect) -> None:
    assert "netname: share" in rpcclient(server, "netshareenumall 1", dialect=dialect)


@pytest.mark.parametrize("level", [0, 1, 501, 1005])
def test_a_share_tells_about_itself(server, level) -> None:
    rpcclient(server, f"netsharegetinfo hidden {level}")


def test_the_server_tells_about_itself(server) -> None:
    output = rpcclient(server, "srvinfo")
    assert "INTEROP" in output
    assert "the server under test" in output
    assert re.search(r"platform_id\s*:\s*500", output)


def test_the_time_of_day(server) -> None:
    rpcclient(server, "netremotetod")


def test_names_are_validated(server) -> None:
    rpcclient(server, "netnamevalidate a-good-name 9")
