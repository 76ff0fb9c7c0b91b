"""FSCTL_QUERY_NETWORK_INTERFACE_INFO: what a client is told, read by smbprotocol."""

from ipaddress import ip_address

import pytest
from smbprotocol.ioctl import IfCapability, SMB2NetworkInterfaceInfo

from gateway.nt.constants import FSCTL_QUERY_NETWORK_INTERFACE_INFO
from gateway.nt.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_DEVICE_REQUEST
from gateway.wire.ioctl import IoctlResponse
from gateway.wire.network_interface import NetworkInterface
from tests.smb.client import Client, Response

INTERFACES = (
    NetworkInterface(1, ip_address("127.0.0.1"), 1_000_000_000),
    NetworkInterface(7, ip_address("192.0.2.2"), 25_000_000_000, is_rss_capable=True),
    NetworkInterface(8, ip_address("2001:db8::2"), 1_000_000_000),
)


def entries(data: bytes) -> list[NetworkInterface]:
    """The entries as smbprotocol reads them."""
    found = []
    for one in SMB2NetworkInterfaceInfo.unpack_multiple(data):
        text = one["sock_addr_storage"]["buffer"].get_value().get_ipaddress()
        is_rss_capable = one["capability"].has_flag(IfCapability.RSS_CAPABLE)
        speed = one["link_speed"].get_value()
        found.append(NetworkInterface(one["if_index"].get_value(), ip_address(text), speed, is_rss_capable))
    return found


async def ask(client: Client, tree: int, most: int = 65536) -> Response:
    (response,) = await client.ask(client.ioctl_call(tree, FSCTL_QUERY_NETWORK_INTERFACE_INFO, b"", most))
    return response


@pytest.fixture
async def told(multi):
    multi.service.interfaces = lambda: INTERFACES
    return multi


@pytest.mark.parametrize("share", ["files", "IPC$"])
async def test_the_addresses_of_the_server(told, share) -> None:
    client = await told.logged_on()
    response = await ask(client, await client.connect(share))
    assert entries(bytes(response.parse(IoctlResponse).output)) == list(INTERFACES[1:])


@pytest.mark.parametrize("own", ["127.0.0.1", "::1"])
async def test_who_comes_by_the_loopback_interface_is_told_of_it(told, own) -> None:
    client, tree = await told.with_tree()
    told.connections[0].server_address = own
    response = await ask(client, tree)
    assert entries(bytes(response.parse(IoctlResponse).output)) == [INTERFACES[0]]


async def test_too_little_room(told) -> None:
    client, tree = await told.with_tree()
    assert (await ask(client, tree, 303)).status == STATUS_BUFFER_TOO_SMALL
    assert (await ask(client, tree, 304)).status == 0


async def test_no_addresses(told) -> None:
    told.service.interfaces = tuple
    client, tree = await told.with_tree()
    response = await ask(client, tree, 0)
    assert (response.status, bytes(response.parse(IoctlResponse).output)) == (0, b"")


async def test_where_a_session_has_one_connection_alone(server, told) -> None:
    for one, dialect in ((server, 0x0311), (told, 0x0210)):
        client, tree = await one.with_tree(dialects=(dialect,))
        assert (await ask(client, tree)).status == STATUS_INVALID_DEVICE_REQUEST
