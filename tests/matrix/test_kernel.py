"""All who can use a share's directory, against each other, where the share asks the kernel: docs/matrix-kernel.md."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fuse.programs import let_all_get_to
from tests.interop.servers import Configuration, smbgate
from tests.matrix.actors import Actor, NfsClient, Program
from tests.matrix.nfs import ganesha
from tests.matrix.scenes import SCENES, World, fits
from tests.matrix.smb import smb_client
from tests.matrix.table import DOCUMENT, Cell, cells
from tests.requirements import Need, needs

pytestmark = [
    pytest.mark.interop,
    needs(Need.ROOT, Need.FANOTIFY, Need.SMBD, Need.GANESHA, Need.EXPORTABLE),
    pytest.mark.timeout(120),
]

SMB, LOCAL, LOCAL_NFS = "SMB client", "local program", "NFS client of the directory"
BASE = {"kernel notify": "yes", "kernel locks": "yes"}
CELLS = cells(DOCUMENT.with_name("matrix-kernel.md").read_text(encoding="utf-8"))


def parameter_of(cell: Cell) -> tuple[str, str]:
    name, _, value = cell.section.partition(", with ")[2].partition(" = ")
    return name, value


def of_parameter(name: str) -> list[Cell]:
    return [cell for cell in CELLS if parameter_of(cell)[0] == name]


@contextmanager
def world(directory: Path, parameter: str, value: str) -> Iterator[World]:
    with smbgate(directory, Configuration(shares={"share": BASE | {parameter: value}})) as server:
        top, stranger = server.shares["share"], (server.user, server.password)
        let_all_get_to(top)
        with (
            ganesha(directory / "ganesha", {"directory": top}) as nfs,
            smb_client(SMB, server, stranger) as one,
            smb_client(SMB, server, stranger) as other,
        ):
            others: dict[str, Actor] = {
                SMB: other,
                LOCAL: Program(LOCAL, top),
                LOCAL_NFS: NfsClient(LOCAL_NFS, nfs, "directory"),
            }
            yield World(top, one, other, others)


@pytest.fixture(scope="module")
def leasing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("leasing"), "kernel leases", "yes") as made:
        yield made


@pytest.fixture(scope="module")
def enforcing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("enforcing"), "kernel share modes", "enforce") as made:
        yield made


def check(world: World, cell: Cell) -> None:
    outcome = SCENES[cell.section.partition(", with ")[0]](world, cell.first, cell.other)
    assert fits(outcome, cell.outcome), outcome


def name_of(cell: Cell) -> str:
    return f"{cell.section}-{cell.first}-{cell.other}".replace(" ", "_")


def test_every_table_has_its_parameter() -> None:
    assert {parameter_of(cell) for cell in CELLS} == {("kernel leases", "yes"), ("kernel share modes", "enforce")}


@pytest.mark.parametrize("cell", of_parameter("kernel leases"), ids=name_of)
def test_leases(leasing: World, cell: Cell) -> None:
    check(leasing, cell)


@pytest.mark.parametrize("cell", of_parameter("kernel share modes"), ids=name_of)
def test_share_modes(enforcing: World, cell: Cell) -> None:
    check(enforcing, cell)
