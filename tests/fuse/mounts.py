"""Servers with a mount, as processes of their own."""

import contextlib
import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.interop.servers import Configuration, Server, smbgate


@dataclass(frozen=True, slots=True)
class Mount:
    """A server, and where its shares are mounted."""

    server: Server
    path: Path


@contextlib.contextmanager
def served(directory: Path, configuration: Configuration) -> Iterator[Mount]:
    """smbgate, serving SMB clients and a mount."""
    place = directory / "mount"
    place.mkdir()
    parameters = {"fuse mount": str(place)} | dict(configuration.parameters)
    with smbgate(directory, dataclasses.replace(configuration, parameters=parameters)) as server:
        yield Mount(server, place)
    assert not place.is_mount()
