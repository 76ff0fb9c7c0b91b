"""Search patterns and the names they match ([MS-FSA] 2.1.4.3, 2.1.4.4).

| wildcard | matches |
|---|---|
| `*` | any number of characters |
| `?` | one character |
| `<` (DOS_STAR) | any number of characters, but not the last period of the name |
| `>` (DOS_QM) | one character; nothing before a period and at the end |
| `"` (DOS_DOT) | a period; nothing at the end |

Clients send the last three: Win32 translates `?`, `.` and `*` of a program's pattern into them where DOS meant
something else. `*.*` alone is everything, as on Windows: [MS-FSA] has the server itself treat it so.

No matcher backtracks; the time is bounded by the length of the name times that of the pattern.
"""

import re
from collections.abc import Callable
from typing import Final, TypeAlias

from gateway.nt.upcase import upcase

__all__ = ["Matcher", "compile_pattern", "contains_wildcards", "matches_everything"]

Matcher: TypeAlias = Callable[[str], bool]

_WILDCARD: Final = re.compile('[*?<>"]')
_DOS_WILDCARD: Final = re.compile('[<>"]')
_REPEATED_STAR: Final = re.compile(r"\*{2,}")
_ASTRAL: Final = re.compile("[\U00010000-\U0010ffff]")
_EVERYTHING: Final = frozenset({"", "*", "*.*"})


def contains_wildcards(pattern: str) -> bool:
    """Whether `pattern` is more than one name."""
    return _WILDCARD.search(pattern) is not None


def matches_everything(pattern: str) -> bool:
    """Whether every name matches; an empty pattern means `*` ([MS-FSA] 2.1.5.6)."""
    return pattern in _EVERYTHING


def compile_pattern(pattern: str, fold: Callable[[str], str] = upcase) -> Matcher:
    """What tells whether a name matches `pattern`; both are compared by their `fold`."""
    if matches_everything(pattern):
        return lambda name: True
    folded = _REPEATED_STAR.sub("*", fold(pattern))
    if not contains_wildcards(folded):
        return lambda name: fold(name) == folded
    if _DOS_WILDCARD.search(folded):
        automaton = _Automaton(_units(folded))
        return lambda name: automaton.matches(_units(fold(name)))
    head, star, tail = folded.partition("*")
    if star and not contains_wildcards(head + tail):
        return _one_star(head, tail, fold)
    match = _regex(_units(folded)).fullmatch
    return lambda name: match(_units(fold(name))) is not None


def _one_star(head: str, tail: str, fold: Callable[[str], str]) -> Matcher:
    shortest = len(head) + len(tail)
    if not head:
        return lambda name: fold(name).endswith(tail)

    def matches(name: str) -> bool:
        folded = fold(name)
        return len(folded) >= shortest and folded.startswith(head) and folded.endswith(tail)

    return matches


def _regex(pattern: str) -> re.Pattern[str]:
    """For `*` and `?`: what stands between two stars is taken where it is found first, and never given back.

    That loses nothing, since the star that follows takes up whatever is left.
    """
    first, *others = ("".join("." if unit == "?" else re.escape(unit) for unit in part) for part in pattern.split("*"))
    if not others:
        return re.compile(first, re.DOTALL)
    *between, last = others
    return re.compile(first + "".join(f"(?>.*?{part})" for part in between if part) + ".*" + last, re.DOTALL)


def _units(name: str) -> str:
    """With each character outside of the BMP as two: a wildcard for one character is one for a UTF-16 code unit."""
    if name.isascii() or not _ASTRAL.search(name):
        return name
    return _ASTRAL.sub(_surrogates, name)


def _surrogates(match: re.Match[str]) -> str:
    offset = ord(match[0]) - 0x10000
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


class _Automaton:
    """All wildcards: every way through the pattern at once, as one bit for each place in it where a way may stand.

    A place before `*` or `<` is left for the next one without taking a character, and so is one before `>` or `"`
    where these match nothing. Those steps make runs of places, along which an addition carries the bits.
    """

    __slots__ = ("_any", "_at_end", "_before_dot", "_end", "_free", "_literal", "_not_dot", "_stars", "_take_dot")

    def __init__(self, pattern: str) -> None:
        places: dict[str, int] = {}
        for place, unit in enumerate(pattern):
            places[unit] = places.get(unit, 0) | 1 << place
        star, dos_star = places.pop("*", 0), places.pop("<", 0)
        dos_qm, dos_dot = places.pop(">", 0), places.pop('"', 0)
        self._any = places.pop("?", 0)
        self._literal = places
        self._stars = star
        self._free = star | dos_star
        self._not_dot = dos_qm
        self._take_dot = dos_dot
        self._before_dot = self._free | dos_qm
        self._at_end = self._free | dos_qm | dos_dot
        self._end = 1 << len(pattern)

    def matches(self, name: str) -> bool:
        """Whether a way leads to the end of the pattern, with all of `name` taken."""
        last_dot = name.rfind(".")
        literal, any_unit, free = self._literal, self._any, self._free
        ways = 1
        for index, unit in enumerate(name):
            if unit == ".":
                skip, takes = self._before_dot, any_unit | self._take_dot
                stay = self._stars if index == last_dot else free
            else:
                skip, takes, stay = free, any_unit | self._not_dot, free
            ways |= ((ways & skip) + skip) ^ skip
            ways = (ways & (takes | literal.get(unit, 0))) << 1 | ways & stay
            if not ways:
                return False
        skip = self._at_end
        ways |= ((ways & skip) + skip) ^ skip
        return ways & self._end != 0
