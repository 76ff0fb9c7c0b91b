import logging
import os

import pytest

from tests.smb.server import Exported, Server


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def expected_logs():
    """Beginnings of messages of WARNING and above that a test is about."""
    return []


@pytest.fixture
async def make_server(nursery, caplog, expected_logs):
    """Makes servers; at the end nothing of them is left, and they have told of nothing that was not expected."""
    servers = []
    before = descriptors()

    async def make(*exported: Exported, **options) -> Server:
        server = Server(nursery, exported or [Exported()], **options)
        servers.append(server)
        await server.start()
        return server

    yield make
    for server in servers:
        await server.stop()
    assert descriptors() <= before  # fewer, if something of an earlier test was only collected now
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    for record in told:
        message = record.getMessage()
        assert any(expected in message for expected in expected_logs), f"{record.name}: {message} {record.exc_text}"


@pytest.fixture
async def server(make_server):
    """A server with one share in memory, and every default."""
    return await make_server()


@pytest.fixture(params=["memory", "posix"])
async def any_server(request, make_server, tmp_path):
    """The same share, in memory and in a directory."""
    return await make_server(Exported(path=tmp_path if request.param == "posix" else None))


@pytest.fixture
async def leasing(make_server):
    """One that offers leases."""
    return await make_server(leases=True)


@pytest.fixture
async def multi(make_server):
    """A server whose sessions may have several connections."""
    return await make_server(multi_channel=True)
