"""Samba's smbclient as a peer."""

import os
import re
import subprocess
from pathlib import Path

from tests.interop.servers import Server

DIALECTS = ("SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11")
FAILED = re.compile(r"\bNT_STATUS_\w+|\btree connect failed|Connection to .* failed")


def smbclient(
    server: Server,
    *commands: str,
    share: str | None = "share",
    dialect: str | None = None,
    protection: str | None = None,
    user: str | None = None,
    options: tuple[str, ...] = (),
    port: int | None = None,
    cwd: Path | None = None,
    timeout: float = 120,
    check: bool | None = True,
) -> str:
    """Run smbclient's `commands` and return all it printed; without a share, list the shares (-L).

    Raises AssertionError where a command fails, or with `check=False` where none does; with None it is for the
    caller to see.
    """
    target = ["-L", "127.0.0.1"] if share is None else [f"//127.0.0.1/{share}"]
    arguments = ["smbclient", *target, "-p", str(port or server.port), "-s", "/dev/null"]
    arguments += ["-U", user or f"{server.user}%{server.password}", "--socket-options=TCP_NODELAY"]
    if dialect:
        arguments += [f"--option=client {edge} protocol={dialect}" for edge in ("min", "max")]
        arguments += [f"--option=client ipc {edge} protocol={dialect}" for edge in ("min", "max")]
    if protection:
        arguments.append(f"--client-protection={protection}")
    arguments += options
    if commands:
        arguments += ["-c", "; ".join(commands)]
    done = subprocess.run(
        arguments,
        check=False,
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=timeout,
        env=os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"},
    )
    failed = done.returncode != 0 or FAILED.search(done.stdout) is not None
    assert check is None or failed != check, (
        f"{' '.join(arguments)}\nexit code {done.returncode}\n{done.stdout[-4000:]}"
    )
    return done.stdout
