"""A server with a mount, for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuse.mounts import Mount, served
from tests.interop.servers import Configuration, Server
from tests.requirements import Need, needs

HERE = Path(__file__).parent
NEED_MOUNT = {"mount", "server", "place"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE) and NEED_MOUNT & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.interop)
            item.add_marker(needs(Need.FUSE))


@pytest.fixture(scope="module")
def mount(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mount]:
    """A server as the module's CONFIGURATION asks for, and its mount; in the end it has to stop as it should."""
    configuration = getattr(request.module, "CONFIGURATION", Configuration())
    with served(tmp_path_factory.mktemp("server"), configuration) as running:
        yield running


@pytest.fixture
def server(mount: Mount) -> Server:
    return mount.server
