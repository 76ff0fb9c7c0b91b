"""From where clients may connect: `hosts allow` and `hosts deny`.

An entry is an address, a network (`192.168.1.0/24`, `192.168.1.0/255.255.255.0`, `192.168.1.`), a host's name, or
`ALL`; what stands behind `EXCEPT` is taken out of what stands before it.
"""

import logging
import socket
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["Hosts"]

log = logging.getLogger("gateway.conn")

Network = IPv4Network | IPv6Network
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


class _List:
    """One list of hosts; names are looked up when it is made."""

    def __init__(self, entries: Sequence[str]) -> None:
        words = [entry.upper() for entry in entries]
        cut = words.index("EXCEPT") if "EXCEPT" in words else len(entries)
        self.is_empty = not entries
        self._all = "ALL" in words[:cut]
        self._networks = _networks(entries[:cut])
        self._except = _List(entries[cut + 1 :]) if cut < len(entries) else None

    def names(self, address: str) -> bool:
        """Whether an address is among them."""
        if self._except is not None and self._except.names(address):
            return False
        return self._all or _is_in(address, self._networks)


class Hosts:
    """Who may connect by their address: whom `allow` names; else, whom `deny` does not name, if `allow` is empty or
    there is a `deny`. The machine itself may, unless `deny` names it."""

    def __init__(self, allow: Sequence[str], deny: Sequence[str]) -> None:
        self._allow, self._deny = _List(allow), _List(deny)

    def may_connect(self, address: str) -> bool:
        """Whether a client with this address (empty if it is not known: a local one) may connect."""
        if self._allow.names(address):
            return True
        if self._deny.names(address):
            return False
        is_local = not address or _is_in(address, _LOOPBACK)
        return is_local or self._allow.is_empty or not self._deny.is_empty


def _networks(entries: Sequence[str]) -> tuple[Network, ...]:
    found: list[Network] = []
    for entry in entries:
        if entry.upper() != "ALL":
            network = _network(entry)
            found += [network] if network is not None else _looked_up(entry)
    return tuple(found)


def _network(entry: str) -> Network | None:
    text = entry
    if entry.endswith(".") and entry.strip(".").replace(".", "").isdigit():
        numbers = entry.strip(".").split(".")
        text = ".".join([*numbers, *("0",) * (4 - len(numbers))]) + f"/{8 * len(numbers)}"
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _looked_up(name: str) -> list[Network]:
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except OSError as error:
        log.warning("host %r of 'hosts allow' or 'hosts deny' is not known: %s", name, error.strerror or error)
        return []
    return [ip_network(address[0].partition("%")[0]) for *_, address in found if isinstance(address[0], str)]


def _is_in(address: str, networks: Sequence[Network]) -> bool:
    try:
        number = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(number, IPv6Address) and number.ipv4_mapped is not None:
        number = number.ipv4_mapped
    return any(number in network for network in networks)
