"""What clients are told of the server's addresses."""

from ipaddress import ip_address

import pytest

from gateway.server import interfaces as module
from gateway.server.addresses import OwnAddress
from gateway.server.interfaces import network_interfaces

GIGABIT = 1_000_000_000
ADDRESSES = [
    OwnAddress("lo", 1, "127.0.0.1"),
    OwnAddress("lo", 1, "::1"),
    OwnAddress("eth0", 2, "192.0.2.2"),
    OwnAddress("eth0", 2, "2001:db8::2"),
    OwnAddress("eth0", 2, "fe80::2"),
    OwnAddress("eth1", 3, "198.51.100.3"),
    OwnAddress("wlan0", 4, "203.0.113.4"),
]


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with two wired interfaces and one without a cable, whatever this one has."""
    monkeypatch.setattr(module, "own_addresses", lambda: ADDRESSES)
    monkeypatch.setattr("gateway.server.addresses.own_addresses", lambda: ADDRESSES)
    monkeypatch.setattr("gateway.server.addresses._has_ipv6", lambda: True)
    states = {"lo": ("unknown", None, 1), "eth0": ("up", "10000", 4), "eth1": ("up", "-1", 1), "wlan0": ("down", "", 1)}
    for name, (state, speed, queues) in states.items():
        directory = tmp_path / "net" / name
        directory.mkdir(parents=True)
        (directory / "operstate").write_text(f"{state}\n")
        if speed is not None:
            (directory / "speed").write_text(f"{speed}\n")
        for number in range(queues):
            (directory / "queues" / f"rx-{number}").mkdir(parents=True)
    return tmp_path / "net"


def told(config, system) -> list[tuple[int, str, int, bool]]:
    return [(one.index, str(one.address), one.speed, one.is_rss_capable) for one in network_interfaces(config, system)]


LOOPBACK = [(1, "127.0.0.1", GIGABIT, False), (1, "::1", GIGABIT, False)]
ETH0 = [(2, "192.0.2.2", 10 * GIGABIT, True), (2, "2001:db8::2", 10 * GIGABIT, True)]
ETH1 = [(3, "198.51.100.3", GIGABIT, False)]


def test_all_that_is_listened_on(make_config, system) -> None:
    """But for addresses of a link alone, and interfaces that are down."""
    config = make_config(interfaces="", bind_interfaces_only="no")
    assert told(config, system) == [*LOOPBACK, *ETH0, *ETH1]


@pytest.mark.parametrize("bound", ["yes", "no"])
@pytest.mark.parametrize(
    ("interfaces", "expected"),
    [
        ("eth1", ETH1),
        ("eth*", [*ETH0, *ETH1]),
        ("192.0.2.0/24", ETH0[:1]),
        ("2001:db8::2 198.51.100.3", [ETH0[1], *ETH1]),
        ('"eth1;speed=25000000000,capability=RSS"', [(3, "198.51.100.3", 25 * GIGABIT, True)]),
        ('"198.51.100.0/24;if_index=9"', [(9, "198.51.100.3", GIGABIT, False)]),
        (
            '"eth*;speed=5" "eth0;speed=7"',
            [(2, *ETH0[0][1:2], 5, True), (2, *ETH0[1][1:2], 5, True), (3, *ETH1[0][1:2], 5, False)],
        ),
    ],
)
def test_what_is_configured(make_config, system, interfaces, expected, bound) -> None:
    assert told(make_config(interfaces=interfaces, bind_interfaces_only=bound), system) == expected


def test_loopback_addresses_that_no_interface_tells_of(make_config, system) -> None:
    config = make_config(interfaces='127.0.0.1 "127.0.0.2;speed=7"')
    assert told(config, system) == [LOOPBACK[0], (1, "127.0.0.2", 7, False)]


def test_an_interface_that_has_gone(make_config, system, monkeypatch) -> None:
    config = make_config(interfaces="eth1")
    monkeypatch.setattr("gateway.server.addresses.own_addresses", lambda: ADDRESSES[:2])
    assert network_interfaces(config, system) == []


def test_this_machine(make_config) -> None:
    (one,) = network_interfaces(make_config())
    assert (one.address, one.index) == (ip_address("127.0.0.1"), 1)
    assert one.speed > 0
