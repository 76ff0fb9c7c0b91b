#!/usr/bin/env python3
"""One directory served in turn by Samba's smbd and by smbgate: what is set through one is read through the other.

Needs root, smbd, smbclient, python3-samba and iproute2. Runs in network and mount namespaces of its own, where port 445
is free and two users exist; the rest of the machine sees nothing of it. Prints a report in JSON, and fails if anything
that was read is not what had been set.

usage: descriptors_both_ways.py DIRECTORY [COUNT]
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLIENT = Path(__file__).with_name("descriptors_client.py")
SAMBA_PYTHON = "/usr/bin/python3"
USER, PASSWORD, UID = "bothways", "Both.Ways.1", 7301
START_SECONDS = 30.0
ATTRIBUTES = {"set": "+rhs", "clear": "-rhs"}

SMBD = """\
[global]
server role = standalone server
disable netbios = yes
smb ports = 445
interfaces = lo
bind interfaces only = yes
passdb backend = tdbsam
load printers = no
printcap name = /dev/null
vfs objects = acl_xattr streams_xattr
ea support = yes
store dos attributes = yes
map archive = no
map hidden = no
map system = no
map readonly = no
kernel share modes = no
kernel oplocks = no
log level = 0
"""
SMBGATE = """\
[global]
tcp port = 445
interfaces = 127.0.0.1
bind interfaces only = yes
server signing = auto
"""


def in_namespaces(directory: Path, arguments: list[str]) -> int:
    """Run this program again where it is alone."""
    for name, line in (
        ("passwd", f"{USER}:x:{UID}:7300::/:/bin/false\nother:x:7302:7300::/:/bin/false\n"),
        ("group", f"bothways:x:7300:{USER}\n"),
    ):
        (directory / name).write_text(Path("/etc", name).read_text() + line)
    binds = "".join(f"mount --bind {directory}/{name} /etc/{name} && " for name in ("passwd", "group"))
    command = f"ip link set lo up && {binds} exec {sys.executable} {__file__} --inside {' '.join(arguments)}"
    return subprocess.run(["unshare", "-n", "-m", "sh", "-c", command], check=False).returncode


@contextlib.contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """A server on port 445, for as long as the context is open."""
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=ROOT)
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", 445), 1):
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError(f"{command[0]} does not run:\n{log.read_text(errors='replace')}")
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", 445), 1).close()
                time.sleep(0.1)
                continue
            break


class Both:
    """The directory, and both servers for it."""

    def __init__(self, directory: Path, *, ignores_system_acls: bool) -> None:
        self.share = directory / ("trusted" if ignores_system_acls else "checked")
        self.share.mkdir()
        os.chown(self.share, UID, 7300)
        self._directory = directory
        parameters = f"[share]\npath = {self.share}\nread only = no\n"
        parameters += f"acl_xattr:ignore system acls = {'yes' if ignores_system_acls else 'no'}\n"
        private = "".join(
            f"{name} = {directory}/{name.split()[0]}\n"
            for name in ("private dir", "lock directory", "state directory", "cache directory", "pid directory")
        )
        for name in ("private", "lock", "state", "cache", "pid", "ncalrpc"):
            (directory / name).mkdir(exist_ok=True)
        private += f"ncalrpc dir = {directory}/ncalrpc\nlog file = {directory}/smbd.log\n"
        self._smbd = directory / "smbd.conf"
        self._smbd.write_text(SMBD + private + parameters)
        self._smbgate = directory / "smbgate.conf"
        self._smbgate.write_text(SMBGATE + f"state directory = {directory}/smbgate\n" + parameters)
        done = subprocess.run(
            ["pdbedit", "-s", str(self._smbd), "-a", "-t", "-u", USER],
            input=f"{PASSWORD}\n{PASSWORD}\n",
            text=True,
            check=True,
            capture_output=True,
        )
        # smbgate is told whom smbd's own SID of the user means, by what pdbedit says of it.
        importing = [sys.executable, "-m", "gateway", "idmap", "import", "-c", str(self._smbgate), "-"]
        subprocess.run(importing, input=done.stdout, text=True, check=True, capture_output=True, cwd=ROOT)

    def server(self, name: str) -> contextlib.AbstractContextManager[None]:
        """`smbd` or `smbgate`."""
        if name == "smbd":
            command = ["smbd", "-F", "-s", str(self._smbd)]
        else:
            command = [
                sys.executable,
                "-m",
                "gateway",
                "serve",
                "-c",
                str(self._smbgate),
                "--user",
                f"{USER}:{PASSWORD}",
            ]
        return running(command, self._directory / f"{name}.out")


def client(action: str, prefix: str, count: int, seed: int) -> dict[str, Any]:
    asked = {
        "action": action,
        "prefix": prefix,
        "count": count,
        "seed": seed,
        "share": "share",
        "user": USER,
        "password": PASSWORD,
    }
    done = subprocess.run(
        [SAMBA_PYTHON, str(CLIENT)], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{action} {prefix}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def smbclient(commands: str) -> str:
    done = subprocess.run(
        ["smbclient", "//127.0.0.1/share", "-s", "/dev/null", "-U", f"{USER}%{PASSWORD}", "-c", commands],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{commands}: {done.stdout}{done.stderr}")
    return done.stdout


def attributes(prefix: str) -> dict[str, str]:
    """The DOS attributes of the first files, as smbclient lists them."""
    listed = {}
    for line in smbclient(f"ls {prefix}*").splitlines():
        name, _, rest = line.strip().partition(" ")
        if name.startswith(prefix):
            listed[name] = rest.split()[0]
    return listed


def compare(directory: Path, count: int, *, ignores_system_acls: bool) -> dict[str, Any]:
    """Set through each server, read through the other; the differences."""
    both = Both(directory, ignores_system_acls=ignores_system_acls)
    wanted: dict[str, dict[str, Any]] = {}
    shown: dict[str, dict[str, str]] = {}
    for name in ("smbd", "smbgate"):
        with both.server(name):
            prefix = f"by-{name}-"
            wanted[prefix] = client("set", prefix, count, len(name))
            for number in range(1, min(count, 40), 5):
                smbclient(f"setmode {prefix}{number} +hs")
            shown[prefix] = attributes(prefix)
    report: dict[str, Any] = {"ignore system acls": ignores_system_acls, "different": {}}
    for name, prefix in (("smbgate", "by-smbd-"), ("smbd", "by-smbgate-")):
        with both.server(name):
            found = client("get", prefix, count, 0)
            different = {
                key: [wanted[prefix][key], value] for key, value in found.items() if value != wanted[prefix][key]
            }
            if attributes(prefix) != shown[prefix]:
                different["attributes"] = [shown[prefix], attributes(prefix)]
        report[f"{prefix} read through {name}"] = {"compared": len(found), "different": len(different)}
        report["different"] |= different
    return report


def main(arguments: list[str]) -> int:
    inside = arguments[:1] == ["--inside"]
    arguments = arguments[inside:]
    directory = Path(arguments[0]).absolute()
    if not inside:
        return in_namespaces(directory, [str(directory), *arguments[1:]])
    count = int(arguments[1]) if len(arguments) > 1 else 500
    reports = [compare(directory, count, ignores_system_acls=ignores) for ignores in (True, False)]
    json.dump(reports, sys.stdout, indent=1)
    print()
    return 1 if any(report["different"] for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
