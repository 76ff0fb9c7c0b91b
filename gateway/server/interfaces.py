"""What clients are told of the server's interfaces, so that they make their further connections by the right ones."""

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from gateway.config import Config
from gateway.config.interfaces import InterfaceEntry
from gateway.server.addresses import Address, OwnAddress, fits, listening_hosts, own_addresses
from gateway.server.errors import ServerError
from gateway.wire.network_interface import NetworkInterface

__all__ = ["network_interfaces"]

_SYSTEM: Final = Path("/sys/class/net")
_UNKNOWN_SPEED: Final = 1_000_000_000
"""Of an interface that does not say how fast it is, as virtual ones do not."""


def network_interfaces(config: Config, system: Path = _SYSTEM) -> list[NetworkInterface]:
    """The addresses that the server listens on, but for those of a link alone, which clients could not name."""
    own = own_addresses()
    entries = [InterfaceEntry.parse(entry) for entry in config.interfaces]
    found = []
    for address in _addresses(config, own, entries):
        known = _having(own, address)
        if known is None or address.is_link_local or not _is_up(known, system):
            continue
        entry = next((one for one in entries if fits(one.where, known.name, address)), InterfaceEntry(known.name))
        found.append(
            NetworkInterface(
                index=known.number if entry.index is None else entry.index,
                address=address,
                speed=entry.speed or _speed(known, system),
                is_rss_capable=entry.is_rss_capable or _has_queues(known, system),
            )
        )
    return found


def _addresses(config: Config, own: Sequence[OwnAddress], entries: Sequence[InterfaceEntry]) -> list[Address]:
    """The addresses by which clients may come, one by one."""
    try:
        hosts = [ip_address(host) for host in listening_hosts(config)]
    except ServerError:  # an interface has gone since the server began to listen
        return []
    versions = {host.version for host in hosts if host.is_unspecified}
    if not versions:
        return hosts
    named = [one for one in entries if one.where not in {"0.0.0.0", "::"}]
    return [
        one.address
        for one in own
        if one.address.version in versions
        and (not named or any(fits(entry.where, one.name, one.address) for entry in named))
    ]


def _having(own: Sequence[OwnAddress], address: Address) -> OwnAddress | None:
    """The interface that has an address; the loopback interface has more addresses than it says."""
    for one in own:
        if one.address == address:
            return one
    return next((one for one in own if address.is_loopback and one.address.is_loopback), None)


def _is_up(known: OwnAddress, system: Path) -> bool:
    """Whether the interface may be of use; one that does not say so may."""
    return _read(system / known.name / "operstate") not in {"down", "lowerlayerdown", "notpresent"}


def _speed(known: OwnAddress, system: Path) -> int:
    text = _read(system / known.name / "speed")
    return int(text) * 1_000_000 if text.isdigit() and int(text) > 0 else _UNKNOWN_SPEED


def _has_queues(known: OwnAddress, system: Path) -> bool:
    """Whether what arrives is spread over several queues (receive side scaling)."""
    return len(list((system / known.name / "queues").glob("rx-*"))) > 1


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:  # not told: a container may hide it, and interfaces that are no hardware have no speed
        return ""
