"""A server for each module; local programs use the directory of its share without it."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.interop.servers import Configuration, Server, smbgate
from tests.requirements import Need, needs

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.interop)
            item.add_marker(needs(Need.ROOT, Need.FANOTIFY))


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as the module's CONFIGURATION asks for; in the end it has to stop as it should."""
    configuration: Configuration = request.module.CONFIGURATION
    with smbgate(tmp_path_factory.mktemp("server"), configuration) as running:
        yield running


@pytest.fixture
def top(server: Server) -> Path:
    """The directory behind the share."""
    return server.shares["share"]


@pytest.fixture
def sleep_a_tick() -> Callable[[], None]:
    """Wait for so long that the clock of the file system has gone on."""
    return partial(time.sleep, 0.05)
