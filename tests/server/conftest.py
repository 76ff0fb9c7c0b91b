import os
import pwd
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gateway.config import Config, load

# A server that is root acts for an account as the system's user of that name.
USER, PASSWORD = pwd.getpwuid(os.geteuid()).pw_name, "Secret-1"

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path) -> MakeConfig:
    """Configurations of a server on 127.0.0.1; parameters are given with underscores for blanks."""

    def make(shares: Mapping[str, Mapping[str, str]] | None = None, **parameters: str) -> Config:
        directory = tmp_path / "files"
        directory.mkdir(exist_ok=True)
        everything = {
            "tcp port": "0",
            "interfaces": "127.0.0.1",
            "bind interfaces only": "yes",
            "state directory": str(tmp_path / "state"),
            **{name.replace("_", " "): value for name, value in parameters.items()},
        }
        named = {"files": {"path": str(directory), "read only": "no"}} if shares is None else shares
        settings = {"global": everything, **{name: dict(share) for name, share in named.items()}}
        return load(None, settings=settings, users={USER: PASSWORD})

    return make


def descriptors() -> set[str]:
    """What this process has open."""
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        try:
            found.add(os.readlink(one))
        except OSError:
            continue
    return found
