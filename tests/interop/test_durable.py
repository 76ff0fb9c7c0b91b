"""smbprotocol loses its connection, and comes back for what it had open."""

import signal

import pytest
from smbprotocol.exceptions import SMBResponseException

from gateway.nt.status import STATUS_ACCESS_DENIED, STATUS_OBJECT_NAME_NOT_FOUND
from tests.interop.durable_peer import KINDS, RWH, durable_peer
from tests.interop.servers import Configuration

CONFIGURATION = Configuration(shares={"share": {}, "without": {"durable handles": "no"}})
pytestmark = pytest.mark.usefixtures("clean")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_as_it_was(server, kind):
    with durable_peer(server) as peer:
        file = peer.open("file", kind)
        file.write(b"data")
        file.lock(on=True)
        for _ in range(3):
            peer.cut()
            peer.comes_back(file)
            assert file.state == (RWH if file.has_lease else 9)
            assert file.read() == b"data"
        file.lock(on=False)
        file.open.close()
        peer.cut()
        peer.comes_in_vain(file)


def test_many_files(server):
    with durable_peer(server) as peer:
        files = [peer.open(f"file {number}", KINDS[-1]) for number in range(50)]
        for file in files:
            file.write(file.path.encode())
        peer.cut()
        for file in reversed(files):
            peer.comes_back(file)
            assert file.read() == file.path.encode()
            file.open.close()


def test_not_where_it_is_switched_off(server):
    with durable_peer(server, "without") as peer, pytest.raises(AssertionError, match="not durable"):
        peer.open("file", KINDS[-1])


def test_another_client_does_not_get_it(server):
    with durable_peer(server) as peer, durable_peer(server) as other:
        file = peer.open("file", KINDS[-1])
        peer.cut()
        other.comes_in_vain(file)
        file.path, right = "another", file.path
        with pytest.raises(SMBResponseException) as raised:
            peer.comes_back(file)
        assert raised.value.status not in (STATUS_OBJECT_NAME_NOT_FOUND, STATUS_ACCESS_DENIED)
        file.path = right
        peer.comes_back(file)
        file.open.close()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_that_is_started_anew_knows_nothing_of_it(serve, ending):
    """Whatever else it has given the same numbers to."""
    server = serve(CONFIGURATION)
    with durable_peer(server) as peer:
        file = peer.open("file", KINDS[0])
        peer.cut()
    if ending == signal.SIGKILL:
        server.good_codes = frozenset({-signal.SIGKILL})
    server.stop(ending)
    with durable_peer(serve(CONFIGURATION)) as peer:
        another = peer.open("another", KINDS[0])
        peer.cut()
        peer.comes_in_vain(file)
        peer.comes_back(another)
        another.open.close()
