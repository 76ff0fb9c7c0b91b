"""FSCTL_QUERY_NETWORK_INTERFACE_INFO ([MS-SMB2] 2.2.32.5)."""

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ["NetworkInterface", "pack_interfaces"]

RSS_CAPABLE: Final = 0x00000001
_ENTRY_SIZE: Final = 152
# Next, IfIndex, Capability, LinkSpeed; SockAddr_Storage takes the rest.
_ENTRY: Final = struct.Struct("<IIIxxxxQ128s")
# [MS-SMB2] 2.2.32.5.1: the addresses stand in network order, the families are those of Windows.
_INET: Final = struct.Struct("<HH4s8x")
_INET6: Final = struct.Struct("<HHI16sI")
_INTER_NETWORK: Final = 0x0002
_INTER_NETWORK_V6: Final = 0x0017


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """One address by which clients may connect."""

    index: int
    """Of the interface that has the address."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    speed: int
    """Bits per second."""
    is_rss_capable: bool = False
    """Whether several connections go by it side by side."""


def pack_interfaces(interfaces: Sequence[NetworkInterface]) -> bytes:
    """The output of the control: an entry of 152 bytes for each."""
    whole = b""
    for left, one in zip(range(len(interfaces) - 1, -1, -1), interfaces, strict=True):
        capability = RSS_CAPABLE if one.is_rss_capable else 0
        following = _ENTRY_SIZE if left else 0
        whole += _ENTRY.pack(following, one.index, capability, one.speed, _socket_address(one.address))
    return whole


def _socket_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bytes:
    if address.version == 4:
        return _INET.pack(_INTER_NETWORK, 0, address.packed)
    return _INET6.pack(_INTER_NETWORK_V6, 0, 0, address.packed, 0)
