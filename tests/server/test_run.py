"""A server from its configuration to its end, over TCP."""

import socket
from collections.abc import Callable

import pytest
import trio

from gateway.server import ServerError, running, serve
from gateway.smb.connection import SmbConnection
from gateway.wire.echo import EchoRequest
from gateway.wire.header import Opcode
from tests.server.conftest import PASSWORD, USER, descriptors
from tests.smb.client import Call, Client, Refused


async def connected(port: int) -> Client:
    return Client(await trio.open_tcp_stream("127.0.0.1", port))


async def logged_on(port: int) -> Client:
    client = await connected(port)
    await client.negotiate()
    await client.log_on(USER, PASSWORD)
    return client


async def refused(port: int) -> bool:
    """Whether the server closes a new connection at once."""
    client = await connected(port)
    try:
        return await client.ended()
    finally:
        client.close()


async def wait_until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await trio.sleep(0.01)


async def test_from_beginning_to_end(make_config, tmp_path) -> None:
    """What is written is in the directory, and nothing stays open."""
    before = descriptors()
    async with running(make_config()) as server:
        assert server.addresses == [f"127.0.0.1:{server.port}"]
        client = await logged_on(server.port)
        tree = await client.connect("files")
        file = await client.create(tree, "file")
        await client.write(file, b"content")
        await client.close_file(file)
        client.close()
    assert (tmp_path / "files" / "file").read_bytes() == b"content"
    assert descriptors() - before == set()
    with pytest.raises(OSError, match="all attempts"):
        await connected(server.port)


async def test_the_end_with_clients(make_config) -> None:
    """Who is connected is disconnected, and what they had open is closed."""
    before = descriptors()
    clients = []
    async with running(make_config()) as server:
        for number in range(3):
            client = await logged_on(server.port)
            await client.create(await client.connect("files"), f"file {number}")
            clients.append(client)
        clients.append(await connected(server.port))
    for client in clients:
        assert await client.ended()
        client.close()
    assert server.service.opens == 0
    assert descriptors() - before == set()


async def test_serve(make_config) -> None:
    async with trio.open_nursery() as nursery:
        (address,) = await nursery.start(serve, make_config())
        client = await logged_on(int(address.rpartition(":")[2]))
        client.close()
        nursery.cancel_scope.cancel()


async def test_accounts_and_passwords(make_config, caplog) -> None:
    async with running(make_config()) as server:
        client = await connected(server.port)
        await client.negotiate()
        for user, password in ((USER, "wrong"), ("nobody-of-that-name", PASSWORD)):
            with pytest.raises(Refused):
                await client.log_on(user, password)
        await client.log_on(USER, PASSWORD)
        client.close()
    assert "log-on failed" in caplog.text


# --- how many


async def test_connections_in_all(make_config) -> None:
    async with running(make_config(max_connections="2")) as server:
        clients = [await logged_on(server.port) for _ in range(2)]
        assert await refused(server.port)
        clients[0].close()
        await wait_until(lambda: len(server._connections) < 2)
        clients.append(await logged_on(server.port))
        for client in clients:
            client.close()


async def test_connections_of_an_address(make_config) -> None:
    async with running(make_config(max_ip_connections="1")) as server:
        client = await logged_on(server.port)
        assert await refused(server.port)
        stream = await trio.open_tcp_stream("127.0.0.1", server.port, local_address="127.0.0.2")
        other = Client(stream)
        await other.negotiate()
        client.close()
        other.close()
        await wait_until(lambda: not server._per_address)
        client = await logged_on(server.port)
        client.close()


# --- what goes wrong


@pytest.mark.replaces
async def test_a_defect_costs_one_connection(make_config, monkeypatch, caplog) -> None:
    """Whatever it is, and wherever it shows: the others go on, and so does listening."""
    async with running(make_config()) as server:
        other = await logged_on(server.port)
        unlucky = await logged_on(server.port)
        connection = next(one for one in server._connections if one.sessions.keys() == unlucky.sessions.keys())

        def pack(*args):
            raise ZeroDivisionError

        monkeypatch.setattr(connection.protocol, "pack", pack)
        await unlucky.send(Call(Opcode.ECHO, EchoRequest()))
        assert await unlucky.ended()
        assert (await other.call(Opcode.ECHO, EchoRequest())).status == 0
        late = await logged_on(server.port)
        for client in (other, unlucky, late):
            client.close()
    assert "ZeroDivisionError" in caplog.text


async def test_a_share_that_is_not_there(make_config, tmp_path) -> None:
    """The others were started already: they are stopped again."""
    (tmp_path / "there").mkdir()
    shares = {"first": {"path": str(tmp_path / "there")}, "second": {"path": str(tmp_path / "not there")}}
    before = descriptors()
    with pytest.raises(ServerError, match="second"):
        async with running(make_config(shares)):
            pass
    assert descriptors() - before == set()


async def test_a_port_that_is_taken(make_config) -> None:
    before = descriptors()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(ServerError, match="another program"):
            async with running(make_config(tcp_port=port)):
                pass
    assert descriptors() - before == set()


async def test_an_interface_that_is_not_there(make_config) -> None:
    before = descriptors()
    with pytest.raises(ServerError, match=r"198\.51\.100\.1"):
        async with running(make_config(interfaces="198.51.100.1")):
            pass
    assert descriptors() - before == set()


async def test_what_goes_wrong_inside(make_config) -> None:
    """Comes out as it is."""
    with pytest.raises(ZeroDivisionError):
        async with running(make_config()):
            raise ZeroDivisionError


async def test_every_connection_is_known(make_config) -> None:
    async with running(make_config()) as server:
        client = await logged_on(server.port)
        assert {type(one) for one in server._connections} == {SmbConnection}
        (one,) = server._connections
        assert one.address == "127.0.0.1"
        client.close()
