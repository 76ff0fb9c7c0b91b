"""Servers under test, as processes of their own: smbgate, and Samba's smbd to check the tests themselves with."""

import contextlib
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from tests.ports import free_port

# Who runs the tests: a server that is root acts for each account as the system's user of that name.
USER, PASSWORD = pwd.getpwuid(os.geteuid()).pw_name, "Tester.123"
START_SECONDS = 30.0
STOP_SECONDS = 20.0
MEGABYTE = 1_000_000
COMPLAINTS = re.compile(r"^Traceback |\b(?:ERROR|CRITICAL)\b|Exception ignored|never awaited", re.MULTILINE)


class LocalUser(NamedTuple):
    """A user of the system. `groups` are names and numbers, the primary one first."""

    name: str
    uid: int
    groups: tuple[tuple[str, int], ...]

    @property
    def gid(self) -> int:
        return self.groups[0][1]

    @property
    def gids(self) -> list[int]:
        return [gid for _, gid in self.groups]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a test wants of its server: parameters of smb.conf, global and by share; `max_memory` in bytes."""

    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    shares: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({"share": {}}))
    max_memory: int = 200 * MEGABYTE
    module: str = "gateway"
    """What Python runs as smbgate."""
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """What smbgate has in its environment beside the test's own."""
    users: tuple[LocalUser, ...] = ()
    """Users whom the server finds in the system, and nobody else does; they have accounts with `PASSWORD`."""


@dataclass(slots=True)
class Server:
    """A server that runs. `peak_memory` is its VmHWM in bytes, known once it was stopped."""

    port: int
    directory: Path
    shares: dict[str, Path]
    process: subprocess.Popen[bytes]
    log: Path
    good_codes: frozenset[int] = frozenset({0})
    stopped: bool = False
    peak_memory: int = 0
    user: str = USER
    password: str = PASSWORD

    def output(self) -> str:
        """What it wrote to its standard output and error."""
        return self.log.read_text(errors="replace")

    def vm_hwm(self) -> int:
        """The most memory it has had resident, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)[0]) * 1024

    def stop(self, signal_number: int = signal.SIGTERM) -> None:
        """End it with a signal; raises AssertionError if it does not end, or did not run, as it should."""
        if self.stopped:
            return
        assert self.process.poll() is None, f"ended by itself with {self.process.returncode}:\n{self.output()}"
        self.peak_memory = self.vm_hwm()
        self.process.send_signal(signal_number)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still there {STOP_SECONDS} s after a signal:\n{self.output()}") from None
        assert code in self.good_codes, f"exit code {code}:\n{self.output()}"
        self.stopped = True


def answers_negotiate(port: int) -> bool:
    """Whether an SMB2 NEGOTIATE for 2.1 ([MS-SMB2] 2.2.3) is answered on `port`."""
    header = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, bytes(16))
    body = struct.pack("<HHHHI16sQH", 36, 1, 1, 0, 0, bytes(16), 0, 0x0210)
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            connection.sendall(struct.pack(">I", len(header) + len(body)) + header + body)
            return connection.recv(8)[4:] == b"\xfeSMB"
    except OSError:
        return False


def _configuration_file(sections: Mapping[str, Mapping[str, str]]) -> str:
    return "".join(
        f"[{section}]\n" + "".join(f"    {name} = {value}\n" for name, value in parameters.items()) + "\n"
        for section, parameters in sections.items()
    )


def _await_start(server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers_negotiate(server.port):
        assert server.process.poll() is None, f"ended at once:\n{server.output()}"
        assert time.monotonic() < deadline, f"no answer after {START_SECONDS} s:\n{server.output()}"
        time.sleep(0.05)


@contextlib.contextmanager
def _process(arguments: list[str], server_log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with server_log.open("wb") as log:
        # In a session of its own: smbd signals its whole process group when it ends.
        process = subprocess.Popen(
            arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _share_paths(directory: Path, configuration: Configuration) -> dict[str, Path]:
    paths = {name: directory / "shares" / name for name in configuration.shares}
    for path in paths.values():
        path.mkdir(parents=True)
    return paths


def _share_sections(configuration: Configuration, paths: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    return {
        name: {"path": str(paths[name]), "read only": "no"} | dict(parameters)
        for name, parameters in configuration.shares.items()
    }


def _among(users: Sequence[LocalUser], directory: Path) -> list[str]:
    """What to put before a command, so that it runs in a machine that has these users, too."""
    if not users:
        return []
    groups = dict(group for user in users for group in user.groups)
    lines = {
        "passwd": [f"{user.name}:x:{user.uid}:{user.gid}::/:/bin/false" for user in users],
        "group": [
            f"{group}:x:{gid}:{','.join(user.name for user in users if (group, gid) in user.groups)}"
            for group, gid in groups.items()
        ],
    }
    for name, added in lines.items():
        (directory / name).write_text("\n".join([Path("/etc", name).read_text().rstrip("\n"), *added, ""]))
    binds = " && ".join(f'mount --bind "{directory / name}" /etc/{name}' for name in lines)
    return ["unshare", "--mount", "sh", "-c", f'{binds} && exec "$@"', "sh"]


@contextlib.contextmanager
def smbgate(directory: Path, configuration: Configuration) -> Iterator[Server]:
    """smbgate with its state, and one directory for each share, below `directory`."""
    port = free_port()
    paths = _share_paths(directory, configuration)
    parameters = {
        "tcp port": str(port),
        "interfaces": "127.0.0.1",
        "bind interfaces only": "yes",
        "netbios name": "INTEROP",
        "server string": "the server under test",
        "state directory": str(directory / "state"),
    }
    sections = {"global": parameters | dict(configuration.parameters)} | _share_sections(configuration, paths)
    file = directory / "smbgate.conf"
    file.write_text(_configuration_file(sections))
    variables = [f"{name}={value}" for name, value in configuration.environment.items()]
    command = ["env", *variables, sys.executable, "-m", configuration.module]
    add_user = [*command, "user", "add", "-c", str(file)]
    for name in (USER, *(user.name for user in configuration.users)):
        given = f"{PASSWORD}\n"
        subprocess.run([*add_user, name], input=given, text=True, check=True, timeout=30, capture_output=True)
    log = directory / "log"
    with _process([*_among(configuration.users, directory), *command, "serve", "-c", str(file)], log) as process:
        server = Server(port, directory, paths, process, log)
        _await_start(server)
        yield server
        server.stop()
    complaint = COMPLAINTS.search(server.output())
    assert not complaint, server.output()
    assert server.peak_memory < configuration.max_memory, f"VmHWM {server.peak_memory / MEGABYTE:.1f} MB"


_SMBD_DIRECTORIES = {
    "private dir": "private",
    "lock directory": "lock",
    "state directory": "state",
    "cache directory": "cache",
    "pid directory": "pid",
    "ncalrpc dir": "ncalrpc",
    "binddns dir": "bind-dns",
}
_SMBD_PARAMETERS = {
    "server role": "standalone server",
    "netbios name": "INTEROP",
    "server string": "the server under test",
    "disable netbios": "yes",
    "interfaces": "127.0.0.1/8",
    "bind interfaces only": "yes",
    "usershare path": "",
    "load printers": "no",
    "printcap name": "/dev/null",
    "passdb backend": "tdbsam",
    "map to guest": "never",
    "server min protocol": "SMB2_10",
    "server signing": "mandatory",
    "kernel oplocks": "no",
    "log level": "1",
}
_SMBD_NAMES = {"smb3 encryption": "server smb encrypt"}


@contextlib.contextmanager
def smbd(directory: Path, configuration: Configuration) -> Iterator[Server]:
    """Samba's smbd, with smbgate's defaults where they differ; needs root, as its users are the system's."""
    port = free_port()
    paths = _share_paths(directory, configuration)
    places = {name: str(directory / place) for name, place in _SMBD_DIRECTORIES.items()}
    for place in places.values():
        Path(place).mkdir()
    own = {"smb ports": str(port), "log file": str(directory / "smbd.log")}
    asked = {_SMBD_NAMES.get(name, name): value for name, value in configuration.parameters.items()}
    sections = {"global": _SMBD_PARAMETERS | places | own | asked} | _share_sections(configuration, paths)
    file = directory / "smb.conf"
    file.write_text(_configuration_file(sections))
    among = _among(configuration.users, directory)
    add_user = [*among, "smbpasswd", "-c", str(file), "-s", "-a"]
    for name in (USER, *(user.name for user in configuration.users)):
        given = f"{PASSWORD}\n" * 2
        subprocess.run([*add_user, name], input=given, text=True, check=True, timeout=30, capture_output=True)
    log = directory / "log"
    arguments = [*among, "smbd", "--foreground", "--no-process-group", f"--configfile={file}"]
    with _process(arguments, log) as process:
        # It sends itself SIGTERM too, and leaves SIGINT to the system.
        codes = frozenset({0, -signal.SIGTERM, -signal.SIGINT})
        server = Server(port, directory, paths, process, log, codes)
        _await_start(server)
        yield server
        server.stop()


SERVERS = {"smbgate": smbgate, "smbd": smbd}
