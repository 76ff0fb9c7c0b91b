"""How long the answer to a failed log-on is held back, so that guessing passwords takes for ever."""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

from gateway.nt.upcase import upcase

_NS = 1_000_000_000


@dataclass(slots=True)
class _Failures:
    count: int
    last: int


class Throttle:
    """Counts failures by address and account, and by address alone, in bounded memory.

    Only failures wait: whoever knows the password is never held up by somebody who guesses, not even from the same
    address. An IPv6 address counts with its /64, which is what one customer gets.
    """

    def __init__(
        self,
        *,
        free: int = 3,
        free_per_address: int = 20,
        first: float = 0.5,
        longest: float = 10.0,
        forget: float = 900.0,
        entries: int = 10_000,
    ) -> None:
        """After *free* failures of one account, or *free_per_address* of any, answers wait: *first* seconds, twice that
        the next time, and so on up to *longest*. *forget* seconds without a failure clear the count. At most *entries*
        are kept, the latest ones.
        """
        self._free = free
        self._free_per_address = free_per_address
        self._first = first
        self._longest = longest
        self._forget = int(forget * _NS)
        self._entries = entries
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def __len__(self) -> int:
        return len(self._failures)

    def failed(self, address: str, account: str, now: int) -> float:
        """A log-on failed at *now* ns since 1970: the seconds to wait before saying so."""
        network = _network(address)
        by_account = self._count((network, _fold(account)), now) - self._free
        by_address = self._count((network, ""), now) - self._free_per_address
        return self._delay(max(by_account, by_address))

    def succeeded(self, address: str, account: str) -> None:
        """A log-on succeeded: failures of this account from there are forgotten, those of others are not."""
        self._failures.pop((_network(address), _fold(account)), None)

    def _count(self, key: tuple[str, str], now: int) -> int:
        failures = self._failures.get(key)
        if failures is None or now - failures.last > self._forget:
            failures = self._failures[key] = _Failures(0, now)
        failures.count += 1
        failures.last = now
        self._failures.move_to_end(key)
        while len(self._failures) > self._entries:
            self._failures.popitem(last=False)
        return failures.count

    def _delay(self, excess: int) -> float:
        if excess <= 0:
            return 0.0
        # Past 32 doublings any limit is reached, and a float would some day not hold the power.
        return float(min(self._longest, self._first * 2 ** min(excess - 1, 32)))


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return str(parsed)


def _fold(account: str) -> str:
    """Accounts as they are looked up; the prefix keeps one without a name apart from the address alone."""
    return "=" + upcase(account)
