"""Where a benchmark takes place: the servers that take part, the CPUs they run on, and who watches."""

import contextlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.compiled import compiled_environment
from tests.interop.servers import SERVERS, Configuration, LocalUser, Server

__all__ = ["choose_cpus", "contestants", "progress", "started"]

_SMBD = {
    "aio read size": "0",  # what is cached is otherwise twice as dear
    "aio write size": "0",
    "use sendfile": "yes",
    "socket options": "TCP_NODELAY",
    "kernel share modes": "no",
    "kernel change notify": "no",
    "posix locking": "no",
    "durable handles": "yes",
    "vfs objects": "acl_xattr streams_xattr",
    "acl_xattr:ignore system acls": "yes",
    "store dos attributes": "yes",
    "map archive": "no",
    "map readonly": "no",
}
_USER = LocalUser("bench", 57_000, (("bench", 57_000),))
"""An ordinary user, as those of a file server are: for root, servers need not change who they act as."""
_PARAMETERS = {"smbgate": {}, "compiled": {}, "smbd": _SMBD}


def contestants(alone: bool, compiled: bool = False) -> list[str]:
    """The servers there are to be measured; `compiled` is smbgate with its data path compiled."""
    own = ["smbgate", "compiled"] if compiled else ["smbgate"]
    return own if alone or not shutil.which("smbd") or os.geteuid() != 0 else ["smbd", *own]


def started(
    stack: contextlib.ExitStack,
    name: str,
    directory: Path,
    cpu: int,
    parameters: Mapping[str, str] | None = None,
    shares: Mapping[str, Mapping[str, str]] | None = None,
    module: str = "gateway",
    *,
    as_ordinary: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Server:
    """Start a server on one CPU, with its shares below `directory`; it ends with the stack.

    `as_ordinary`: for a user who is not the one who runs this; that takes root. `environment`: what is to be added to
    its own.
    """
    progress(f"starting {name}")
    (directory / name).mkdir()
    own = {"server signing": "auto", "server max protocol": "SMB3_11"} | _PARAMETERS[name]
    if environment is None:
        environment = compiled_environment() if name == "compiled" else {}
    all_shares = shares or {"share": {}}
    users = (_USER,) if as_ordinary else ()
    configuration = Configuration(own | dict(parameters or {}), all_shares, 1 << 40, module, dict(environment), users)
    serves = SERVERS["smbd" if name == "smbd" else "smbgate"]
    server = stack.enter_context(serves(directory / name, configuration))
    for user in users:
        server.user = user.name
        for path in server.shares.values():
            os.chown(path, user.uid, user.gid)
    os.sched_setaffinity(server.process.pid, {cpu})
    return server


def choose_cpus(text: str | None) -> tuple[int, int]:
    """The CPU of the servers and the one of the client."""
    if text:
        server, _, client = text.partition(",")
        return int(server), int(client or server)
    available = sorted(os.sched_getaffinity(0))
    return available[0], available[1 if len(available) > 1 else 0]


def progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
