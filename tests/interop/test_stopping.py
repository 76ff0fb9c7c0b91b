"""A server ends cleanly when it is told to, whatever its clients are doing."""

import signal
import socket
import subprocess

import pytest
from impacket.nmb import NetBIOSError
from impacket.smbconnection import SMBConnection

from tests.interop.servers import Configuration, answers_negotiate
from tests.interop.smbclient import smbclient
from tests.interop.trees import MIB


@pytest.fixture(params=[signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def how(request):
    """The signal to stop with."""
    return request.param


def test_with_nobody_there(serve, how) -> None:
    server = serve(Configuration())
    server.stop(how)
    assert not answers_negotiate(server.port)


def test_with_a_client_that_has_said_nothing(serve, how) -> None:
    server = serve(Configuration())
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        connection.sendall(b"\0\0")
        server.stop(how)


def test_with_a_file_open(serve, how) -> None:
    server = serve(Configuration())
    client = SMBConnection("127.0.0.1", "127.0.0.1", sess_port=server.port, timeout=20)
    client.login(server.user, server.password)
    tree = client.connectTree("share")
    file = client.createFile(tree, "open")
    client.writeFile(tree, file, b"kept")
    server.stop(how)
    assert (server.shares["share"] / "open").read_bytes() == b"kept"
    with pytest.raises((NetBIOSError, OSError)):
        client.writeFile(tree, file, b"lost")
    client.close()


def test_in_the_middle_of_a_download(serve, how) -> None:
    server = serve(Configuration())
    with (server.shares["share"] / "large").open("wb") as file:
        file.truncate(2048 * MIB)
    target = f"//127.0.0.1/share -p {server.port} -s /dev/null -U {server.user}%{server.password}".split()
    command = ["smbclient", *target, "-c", "get large -"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as client:
        assert client.stdout
        assert len(client.stdout.read(MIB)) == MIB
        server.stop(how)
        client.stdout.close()
        client.wait(30)
    smbclient(server, "ls", check=False)
