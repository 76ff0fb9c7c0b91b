"""What well-known SIDs are called, and to which domain they belong: [MS-DTYP] 2.4.2.4."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from acl.sid import Sid

BUILTIN: Final = "BUILTIN"
NT_AUTHORITY: Final = "NT AUTHORITY"

# S-1-5-32, the domain of the groups that every machine has.
BUILTIN_DOMAIN: Final = Sid.of(5, 32)


class WellKnown(NamedTuple):
    """A name, and the domain it is in; that has no name for SIDs that are the same everywhere."""

    domain: str
    name: str


_UNIVERSAL: Final = {
    (0, 0): "NULL SID",
    (1, 0): "Everyone",
    (2, 0): "LOCAL",
    (3, 0): "CREATOR OWNER",
    (3, 1): "CREATOR GROUP",
    (3, 2): "CREATOR OWNER SERVER",
    (3, 3): "CREATOR GROUP SERVER",
    (3, 4): "OWNER RIGHTS",
}
_AUTHORITY: Final = {
    1: "DIALUP",
    2: "NETWORK",
    3: "BATCH",
    4: "INTERACTIVE",
    6: "SERVICE",
    7: "ANONYMOUS LOGON",
    8: "PROXY",
    9: "ENTERPRISE DOMAIN CONTROLLERS",
    10: "SELF",
    11: "Authenticated Users",
    12: "RESTRICTED",
    13: "TERMINAL SERVER USER",
    14: "REMOTE INTERACTIVE LOGON",
    15: "This Organization",
    17: "IUSR",
    18: "SYSTEM",
    19: "LOCAL SERVICE",
    20: "NETWORK SERVICE",
}
_BUILTIN: Final = {
    544: "Administrators",
    545: "Users",
    546: "Guests",
    547: "Power Users",
    548: "Account Operators",
    549: "Server Operators",
    550: "Print Operators",
    551: "Backup Operators",
    552: "Replicator",
    555: "Remote Desktop Users",
    556: "Network Configuration Operators",
    558: "Performance Monitor Users",
    559: "Performance Log Users",
    562: "Distributed COM Users",
    568: "IIS_IUSRS",
    569: "Cryptographic Operators",
    573: "Event Log Readers",
}

WELL_KNOWN: Final[Mapping[Sid, WellKnown]] = MappingProxyType(
    {Sid.of(authority, rid): WellKnown("", name) for (authority, rid), name in _UNIVERSAL.items()}
    | {Sid.of(5, rid): WellKnown(NT_AUTHORITY, name) for rid, name in _AUTHORITY.items()}
    | {BUILTIN_DOMAIN.child(rid): WellKnown(BUILTIN, name) for rid, name in _BUILTIN.items()}
)
