"""Entries of `interfaces`."""

import re

import pytest

from gateway.config.interfaces import InterfaceEntry, Interfaces


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("eth0", InterfaceEntry("eth0")),
        ("10.0.0.0/8;", InterfaceEntry("10.0.0.0/8")),
        ("eth*;speed=10000000000", InterfaceEntry("eth*", 10_000_000_000)),
        ("::1;capability=RSS", InterfaceEntry("::1", is_rss_capable=True)),
        ("e;if_index=7, Capability=rss, speed=1", InterfaceEntry("e", 1, True, 7)),
    ],
)
def test_entries(text, entry) -> None:
    assert InterfaceEntry.parse(text) == entry


@pytest.mark.parametrize(
    "text",
    [
        ";",
        ";speed=1",
        "eth0;speed=",
        "eth0;speed=0",
        "eth0;speed=-1",
        "eth0;speed=10G",
        "eth0;if_index=4294967296",
        "eth0;capability=RDMA",
        "eth0;nonsense=1",
        "eth0;speed=1;capability=RSS",
    ],
)
def test_what_is_none(text) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        InterfaceEntry.parse(text)


def test_several() -> None:
    kind = Interfaces()
    text = 'eth0 "eth1;speed=25000000000,capability=RSS" 10.0.0.1'
    entries = kind.parse(text)
    assert entries == ("eth0", "eth1;speed=25000000000,capability=RSS", "10.0.0.1")
    assert kind.show(entries) == text
    with pytest.raises(ValueError, match="fast"):
        kind.parse("eth0 eth1;fast")
