"""An entry of `interfaces`: where, and what is to be told of it to clients that make several connections."""

import re
from dataclasses import dataclass

from gateway.config.values import Names

__all__ = ["InterfaceEntry", "Interfaces"]

_OPTION = re.compile(r"(speed|if_index)=(\d{1,19})|capability=(RSS)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class InterfaceEntry:
    """`where;speed=10000000000,capability=RSS,if_index=2`, as Samba has it; what is not said is asked of the system."""

    where: str
    """The name of an interface (with * and ?), an address or a network."""
    speed: int | None = None
    """Bits per second."""
    is_rss_capable: bool = False
    index: int | None = None

    @classmethod
    def parse(cls, text: str) -> "InterfaceEntry":
        """Raises ValueError for options that there are not."""
        where, _, options = text.partition(";")
        numbers: dict[str, int] = {}
        is_rss_capable = False
        for option in filter(None, map(str.strip, options.split(","))):
            match = _OPTION.fullmatch(option)
            if match is None:
                raise ValueError(text)
            if match[3]:
                is_rss_capable = True
            else:
                numbers[match[1].lower()] = int(match[2])
        if not where or not 0 <= numbers.get("if_index", 0) < 1 << 32 or numbers.get("speed", 1) == 0:
            raise ValueError(text)
        return cls(where, numbers.get("speed"), is_rss_capable, numbers.get("if_index"))


@dataclass(frozen=True)
class Interfaces(Names):
    """Where the server is to be found. What follows a semicolon stands, with the entry, in double quotes."""

    what: str = (
        'names of interfaces (with * and ?), addresses or networks such as 10.0.0.0/8, or such as "eth0;'
        'speed=10000000000,capability=RSS"'
    )

    def parse(self, text: str) -> tuple[str, ...]:
        entries = super().parse(text)
        for entry in entries:
            InterfaceEntry.parse(entry)
        return entries
