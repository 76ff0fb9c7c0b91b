"""A server for each module of interop tests; `pytest tests/interop --against smbd` checks the tests with Samba's."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.interop.servers import MEGABYTE, SERVERS, Configuration, Server
from tests.interop.trees import emptied

HERE = Path(__file__).parent
PEAKS = pytest.StashKey[dict[str, int]]()
"""By module, the VmHWM of its server in bytes."""


class User(NamedTuple):
    """An account of the server under test."""

    name: str
    password: str


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--against", choices=sorted(SERVERS), default="smbgate", help="the server that tests/interop tests"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.interop)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for module, peak in config.stash.get(PEAKS, {}).items():
        terminalreporter.write_line(f"{module}: the server's VmHWM was {peak / MEGABYTE:.1f} MB")


@pytest.fixture(scope="session")
def against(request: pytest.FixtureRequest) -> str:
    """The name of the server under test."""
    # The option is unknown where pytest did not begin in this directory.
    return str(request.config.getoption("against", "smbgate"))


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest, against: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server as the module's CONFIGURATION asks for; in the end it has to stop as it should."""
    configuration = getattr(request.module, "CONFIGURATION", Configuration())
    with SERVERS[against](tmp_path_factory.mktemp("server"), configuration) as running:
        yield running
    request.config.stash.setdefault(PEAKS, {})[str(request.node.nodeid)] = running.peak_memory


@pytest.fixture
def serve(against: str, tmp_path: Path) -> Iterator[Callable[[Configuration], Server]]:
    """Start a server for this test alone, configured as given."""
    with contextlib.ExitStack() as stack:

        def start(configuration: Configuration) -> Server:
            directory = tmp_path / f"server{sum(1 for _ in tmp_path.iterdir())}"
            directory.mkdir()
            return stack.enter_context(SERVERS[against](directory, configuration))

        yield start


@pytest.fixture
def share_path(server: Server) -> Path:
    """The directory behind the share named share."""
    return server.shares["share"]


@pytest.fixture
def clean(share_path: Path) -> Iterator[None]:
    """That directory is empty, and is emptied again."""
    with emptied(share_path):
        yield


@pytest.fixture
def user(server: Server) -> User:
    """An account that may log on."""
    return User(server.user, server.password)
