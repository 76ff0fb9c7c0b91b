"""All who can use a share, against each other: what docs/matrix.md says is what happens."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuse.mounts import served
from tests.fuse.programs import let_all_get_to
from tests.interop.servers import Configuration, Server
from tests.matrix.actors import Actor, NfsClient, Program
from tests.matrix.nfs import ganesha
from tests.matrix.samba import smbclient_actor
from tests.matrix.scenes import SCENES, World, fits
from tests.matrix.smb import smb_client
from tests.matrix.table import DOCUMENT, Cell, cells, tables
from tests.requirements import Need, needs

pytestmark = [
    pytest.mark.interop,
    needs(Need.ROOT, Need.FUSE, Need.SMBD, Need.GANESHA, Need.EXPORTABLE),
    pytest.mark.timeout(120),
]

SMB, SAMBA, MOUNT, MOUNT_NFS = "SMB client", "smbclient", "program on the mount", "NFS client of the mount"
LOCAL, LOCAL_NFS = "local program", "NFS client of the directory"
STRANGER = ("nobody", "Stranger.123")
CONFIGURATION = Configuration(
    parameters={"fuse sharing timeout": "0"},
    shares={
        "share": {
            "kernel notify": "yes",
            "kernel locks": "yes",
            "kernel leases": "yes",
            "kernel share modes": "enforce",
        }
    },
)
CELLS = cells(DOCUMENT.read_text(encoding="utf-8"))


def add_stranger(server: Server) -> None:
    command = [
        sys.executable,
        "-m",
        "gateway",
        "user",
        "add",
        "-c",
        str(server.directory / "smbgate.conf"),
        STRANGER[0],
    ]
    subprocess.run(command, input=f"{STRANGER[1]}\n", text=True, check=True, timeout=30, capture_output=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory: Path = tmp_path_factory.mktemp("server")
    with served(directory, CONFIGURATION) as mount:
        server, top, mounted = mount.server, mount.server.shares["share"], mount.path / "share"
        add_stranger(server)
        let_all_get_to(top)
        exports = {"mount": mounted, "directory": top}
        with (
            ganesha(directory / "ganesha", exports) as nfs,
            smb_client(SMB, server, STRANGER) as one,
            smb_client(SMB, server, STRANGER) as other,
            smbclient_actor(SAMBA, server) as samba,
        ):
            others: dict[str, Actor] = {
                SMB: other,
                SAMBA: samba,
                MOUNT: Program(MOUNT, mounted),
                MOUNT_NFS: NfsClient(MOUNT_NFS, nfs, "mount"),
                LOCAL: Program(LOCAL, top),
                LOCAL_NFS: NfsClient(LOCAL_NFS, nfs, "directory"),
            }
            yield World(top, one, other, others)


def test_there_is_a_table_for_each_scene() -> None:
    assert list(tables(DOCUMENT.read_text(encoding="utf-8"))) == list(SCENES)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.section}-{cell.first}-{cell.other}".replace(" ", "_"))
def test_it_is_as_documented(world: World, cell: Cell) -> None:
    outcome = SCENES[cell.section](world, cell.first, cell.other)
    assert fits(outcome, cell.outcome), outcome
