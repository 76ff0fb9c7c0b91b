"""What SIDs are called: the vocabulary of LSA's lookups ([MS-LSAT] 2.2, [MS-SAMR] 2.2.2.3)."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from acl.sid import Sid


class SidUse(IntEnum):
    """SID_NAME_USE: what a SID stands for ([MS-SAMR] 2.2.2.3)."""

    USER = 1
    DOMAIN = 3
    ALIAS = 4
    WELL_KNOWN_GROUP = 5
    UNKNOWN = 8


@dataclass(frozen=True, slots=True)
class Named:
    """A SID and its name. A domain's own name is in `domain`, and `name` is empty."""

    sid: Sid
    domain: str
    name: str
    use: SidUse

    @property
    def domain_sid(self) -> bytes:
        """The domain's SID in binary form; that of S-1-5-11 is S-1-5, without any sub-authority."""
        data = self.sid.data
        return data if self.use is SidUse.DOMAIN else bytes((data[0], data[1] - 1)) + data[2:-4]


class Names(Protocol):
    """Names of SIDs, and SIDs of names, as this machine knows them."""

    @property
    def machine(self) -> Sid:
        """The machine's SID, of which those of its users and groups are made."""

    def of_sid(self, sid: Sid) -> Named | None: ...

    def of_name(self, name: str) -> Named | None:
        """Takes `DOMAIN\\name`, `name@domain`, a name alone, and the name of a domain, in any case."""
