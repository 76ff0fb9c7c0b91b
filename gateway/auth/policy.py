"""What a server decides about log-ons, and what one leads to."""

from dataclasses import dataclass, field
from enum import Enum


class MapToGuest(Enum):
    """When a log-on that fails becomes one as guest (``map to guest``)."""

    NEVER = "never"
    BAD_USER = "bad user"
    """When the account does not exist; a wrong password still fails."""


@dataclass(frozen=True, slots=True)
class AuthPolicy:
    """How a server names itself to clients, and whom it lets in without a password."""

    netbios_name: str
    netbios_domain: str = ""
    """The workgroup or domain; empty stands for ``netbios_name``, as with a server on its own."""
    dns_name: str = ""
    """The full host name; empty stands for ``netbios_name`` in lower case."""
    dns_domain: str = ""
    """Not sent where empty."""
    allow_anonymous: bool = False
    map_to_guest: MapToGuest = MapToGuest.NEVER
    guest_account: str = "nobody"
    """Whom a guest acts as."""
    require_mic: bool = False
    """Refuse clients that do not protect the NTLM exchange by a MIC: some, the Linux kernel's among them, never do.

    A MIC that the client says it made is always verified.
    """


@dataclass(frozen=True, slots=True)
class Identity:
    """Who logged on, and the key that only they and the server know."""

    user: str
    """The account's name as the server spells it; the guest account's for a guest; empty for an anonymous one."""
    domain: str
    """As the client named it."""
    workstation: str
    """As the client named it."""
    session_key: bytes = field(repr=False)
    """16 bytes. A guest's are zero and an anonymous one's known to anybody who listens: neither protects anything."""
    is_guest: bool = False
    is_anonymous: bool = False

    @property
    def account(self) -> tuple[str, bool, bool]:
        """Equal for the same account, and for no other; several may act as one user of the system."""
        return self.user, self.is_guest, self.is_anonymous
