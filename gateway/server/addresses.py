"""Which addresses the server listens on."""

import fnmatch
import ipaddress
import socket

import ifaddr

from gateway.config import Config
from gateway.server.errors import ServerError

__all__ = ["listening_hosts"]


def listening_hosts(config: Config) -> list[str]:
    """The addresses to listen on. Raises `ServerError` if an entry of `interfaces` fits nothing here."""
    if not config.bind_interfaces_only:
        return ["0.0.0.0", "::"] if _has_ipv6() else ["0.0.0.0"]
    if not config.interfaces:
        raise ServerError("`bind interfaces only` is set, and `interfaces` names none")
    addresses = _own_addresses()
    hosts: list[str] = []
    for entry in config.interfaces:
        found = _matching(entry, addresses)
        if not found:
            names = ", ".join(sorted({name for name, _ in addresses}))
            raise ServerError(f"`interfaces`: {entry!r} is no interface, address or network of this machine ({names})")
        hosts += [host for host in found if host not in hosts]
    return hosts


def _own_addresses() -> list[tuple[str, str]]:
    """Interface name and address, for each address of this machine."""
    pairs = []
    for adapter in ifaddr.get_adapters():
        for address in adapter.ips:
            text = address.ip if isinstance(address.ip, str) else address.ip[0]
            pairs.append((adapter.name, text))
    return pairs


def _matching(entry: str, addresses: list[tuple[str, str]]) -> list[str]:
    by_name = [address for name, address in addresses if fnmatch.fnmatchcase(name, entry)]
    if by_name:
        return by_name
    try:
        if "/" in entry:
            network = ipaddress.ip_network(entry, strict=False)
            return [address for _, address in addresses if ipaddress.ip_address(address) in network]
        wanted = ipaddress.ip_address(entry)
    except ValueError:
        return []
    if wanted.is_loopback or wanted.is_unspecified:
        return [entry]
    return [address for _, address in addresses if ipaddress.ip_address(address) == wanted]


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::", 0))
    except OSError:
        return False
    return True
