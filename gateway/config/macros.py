"""Macros in values: `%U` and its kin, replaced by what is known of the server, the share and the client."""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

__all__ = [
    "DYNAMIC",
    "MACROS",
    "STATIC",
    "Client",
    "check",
    "expand",
    "expand_for",
    "is_dynamic",
    "server_values",
    "smbgate_version",
]

MACROS: Mapping[str, str] = {
    "h": "the server's host name",
    "L": "the server's NetBIOS name",
    "v": "the version of smbgate",
    "S": "the name of the share",
    "U": "the name that the user logged on with",
    "u": "the name of the account that acts for the user (`force user`, the guest account)",
    "g": "the primary group of %u",
    "D": "the domain that the user logged on with",
    "m": "the name that the client's machine gave, or else its address",
    "I": "the client's IP address",
    "i": "the server's IP address that the client is connected to",
    "R": "the dialect spoken, such as SMB3_11",
    "%": "a percent sign",
}
"""Letter to meaning."""
STATIC = frozenset("hLvS%")
"""Replaced when a configuration is loaded."""
DYNAMIC = frozenset(MACROS) - STATIC
"""Replaced when a client connects to a share."""

_MACRO = re.compile(r"%(.?)", re.DOTALL)
_UNSAFE_IN_PATH = re.compile(r"[/\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class Client:
    """What is known of who connects to a share; see `MACROS`."""

    user: str
    account: str
    group: str
    domain: str
    machine: str
    address: str
    server_address: str
    dialect: str

    def values(self) -> dict[str, str]:
        """Letter to value."""
        return {
            "U": self.user,
            "u": self.account,
            "g": self.group,
            "D": self.domain,
            "m": self.machine or self.address,
            "I": self.address,
            "i": self.server_address,
            "R": self.dialect,
        }


def smbgate_version() -> str:
    """The version that is installed; `0` in a checkout that is not."""
    try:
        return version("smbgate")
    except PackageNotFoundError:
        return "0"


def server_values(netbios_name: str, share: str | None = None) -> dict[str, str]:
    """The static macros' values; `%S` only within a share."""
    values = {"h": socket.gethostname(), "L": netbios_name, "v": smbgate_version()}
    return values if share is None else values | {"S": share}


def check(text: str, allowed: frozenset[str]) -> None:
    """Raises ValueError if the text has a macro that does not exist or is not allowed."""
    for match in _MACRO.finditer(text):
        if match[1] not in MACROS:
            known = " ".join(f"%{letter}" for letter in sorted(allowed))
            raise ValueError(f"there is no macro {match[0]!r}; expected one of {known} (%% is a percent sign)")
        if match[1] not in allowed:
            raise ValueError(f"{match[0]} ({MACROS[match[1]]}) is not known here")


def is_dynamic(text: str) -> bool:
    """Whether the text means something else for each client."""
    return not DYNAMIC.isdisjoint(_MACRO.findall(text))


def expand(text: str, values: Mapping[str, str]) -> str:
    """The text with those macros replaced that have a value; the others stay, and so does `%%`."""
    return _MACRO.sub(lambda match: values.get(match[1], match[0]), text)


def expand_for(text: str, client: Client, *, path: bool = False) -> str:
    """The text with all macros replaced, `%%` too.

    In a path a value must be the name of one directory: raises ValueError if a client's words would lead elsewhere.
    """
    values = client.values() | {"%": "%"}
    if path:
        for letter in set(_MACRO.findall(text)) & DYNAMIC:
            value = values[letter]
            if not value or value in {".", ".."} or _UNSAFE_IN_PATH.search(value):
                raise ValueError(f"%{letter} is {value!r}, which cannot be part of a path")
    return expand(text, values)
