"""Which addresses the server listens on."""

import fnmatch
import ipaddress
import socket
from dataclasses import dataclass

import ifaddr

from gateway.config import Config
from gateway.config.interfaces import InterfaceEntry
from gateway.server.errors import ServerError

__all__ = ["Address", "OwnAddress", "fits", "listening_hosts", "own_addresses"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def listening_hosts(config: Config) -> list[str]:
    """The addresses to listen on. Raises `ServerError` if an entry of `interfaces` fits nothing here."""
    if not config.bind_interfaces_only:
        return ["0.0.0.0", "::"] if _has_ipv6() else ["0.0.0.0"]
    if not config.interfaces:
        raise ServerError("`bind interfaces only` is set, and `interfaces` names none")
    addresses = own_addresses()
    hosts: list[str] = []
    for entry in config.interfaces:
        found = _matching(InterfaceEntry.parse(entry).where, addresses)
        if not found:
            names = ", ".join(sorted({one.name for one in addresses}))
            raise ServerError(f"`interfaces`: {entry!r} is no interface, address or network of this machine ({names})")
        hosts += [host for host in found if host not in hosts]
    return hosts


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """An address of this machine."""

    name: str
    """The interface's."""
    number: int
    """The interface's."""
    text: str

    @property
    def address(self) -> Address:
        return ipaddress.ip_address(self.text)


def own_addresses() -> list[OwnAddress]:
    """All addresses of this machine."""
    found = []
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            text = address.ip if isinstance(address.ip, str) else address.ip[0]
            found.append(OwnAddress(adapter.name, adapter.index or 0, text))
    return found


def fits(where: str, name: str, address: Address) -> bool:
    """Whether the name of an interface, an address or a network means this address of this interface."""
    if fnmatch.fnmatchcase(name, where):
        return True
    try:
        if "/" in where:
            return address in ipaddress.ip_network(where, strict=False)
        return address == ipaddress.ip_address(where)
    except ValueError:
        return False


def _matching(where: str, addresses: list[OwnAddress]) -> list[str]:
    found = [one.text for one in addresses if fits(where, one.name, one.address)]
    if not found:
        try:
            wanted = ipaddress.ip_address(where)
        except ValueError:
            return []
        if wanted.is_loopback or wanted.is_unspecified:
            # The loopback interface has more addresses than it says.
            return [where]
    return found


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True
