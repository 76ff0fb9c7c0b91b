"""What the values of parameters may be: each kind reads text, shows a value and says what it takes."""

import enum
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Boolean", "Choice", "Duration", "Integer", "Kind", "Mode", "Names", "Patterns", "Size", "Text"]

T = TypeVar("T")
E = TypeVar("E", bound=enum.Enum)

_TRUE = frozenset({"yes", "true", "on", "1"})
_FALSE = frozenset({"no", "false", "off", "0"})
_SIZE = re.compile(r"(\d+)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_SHIFTS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_DURATION = re.compile(r"(\d+)\s*(?:([smhd])(?:ec|in|ours?|ays?|econds?|inutes?)?)?", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_WORD = re.compile(r'"([^"]*)"|([^\s,"]+)')


class Kind(ABC, Generic[T]):
    """The type of a parameter."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """What may stand there, to follow the word "expected"."""

    @abstractmethod
    def parse(self, text: str) -> T:
        """The value that the text means. Raises ValueError if there is none."""

    @abstractmethod
    def show(self, value: T) -> str:
        """Text that `parse` reads as this value."""


def _unquoted(text: str) -> str:
    """The text without the pair of double quotes around it, if there is one."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1]
    return text


@dataclass(frozen=True)
class Boolean(Kind[bool]):
    """yes or no."""

    @property
    def allowed(self) -> str:
        return "yes or no"

    def parse(self, text: str) -> bool:
        word = _unquoted(text).lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise ValueError(text)

    def show(self, value: bool) -> str:
        return "yes" if value else "no"


@dataclass(frozen=True)
class Integer(Kind[int]):
    """A decimal number within bounds, both included."""

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        return f"a number from {self.minimum} to {self.maximum}"

    def parse(self, text: str) -> int:
        value = int(_unquoted(text))
        if not self.minimum <= value <= self.maximum:
            raise ValueError(text)
        return value

    def show(self, value: int) -> str:
        return str(value)


@dataclass(frozen=True)
class Mode(Kind[int]):
    """Permission bits in octal."""

    @property
    def allowed(self) -> str:
        return "an octal mode from 0000 to 7777"

    def parse(self, text: str) -> int:
        value = int(_unquoted(text), 8)
        if not 0 <= value <= 0o7777:
            raise ValueError(text)
        return value

    def show(self, value: int) -> str:
        return f"{value:04o}"


@dataclass(frozen=True)
class Size(Kind[int]):
    """A number of bytes within bounds; K, M, G and T are powers of 1024."""

    minimum: int
    maximum: int

    @property
    def allowed(self) -> str:
        return f"a size from {self.show(self.minimum)} to {self.show(self.maximum)}, such as 65536, 64K or 8M"

    def parse(self, text: str) -> int:
        match = _SIZE.fullmatch(_unquoted(text))
        if match is None:
            raise ValueError(text)
        value = int(match[1]) << _SHIFTS[match[2].lower()]
        if not self.minimum <= value <= self.maximum:
            raise ValueError(text)
        return value

    def show(self, value: int) -> str:
        for suffix, shift in reversed(_SHIFTS.items()):
            if value and value % (1 << shift) == 0:
                return f"{value >> shift}{suffix.upper()}"
        return str(value)


@dataclass(frozen=True)
class Duration(Kind[int]):
    """A time in seconds; a bare number counts in `unit`, a letter of `s m h d` after it says otherwise."""

    maximum: int
    """Seconds."""
    unit: str = "s"

    @property
    def allowed(self) -> str:
        names = {"s": "seconds", "m": "minutes"}
        return f"a time of at most {self.show(self.maximum)}: a number of {names[self.unit]}, or such as 90s, 5m or 1h"

    def parse(self, text: str) -> int:
        match = _DURATION.fullmatch(_unquoted(text))
        if match is None:
            raise ValueError(text)
        value = int(match[1]) * _SECONDS[(match[2] or self.unit).lower()]
        if value > self.maximum:
            raise ValueError(text)
        return value

    def show(self, value: int) -> str:
        if value == 0:
            return "0"
        unit = max((unit for unit, seconds in _SECONDS.items() if value % seconds == 0), key=_SECONDS.__getitem__)
        return f"{value // _SECONDS[unit]}{unit}"


@dataclass(frozen=True)
class Text(Kind[str]):
    """Free text; one pair of double quotes around it is dropped."""

    maximum: int = 4096
    """Characters."""
    what: str = ""
    """Says what the text is, if it is not just any."""
    pattern: str = ".*"
    """A regular expression that all of it must match."""

    @property
    def allowed(self) -> str:
        return self.what or f"text of at most {self.maximum} characters"

    def parse(self, text: str) -> str:
        value = _unquoted(text)
        if len(value) > self.maximum or re.fullmatch(self.pattern, value) is None:
            raise ValueError(text)
        return value

    def show(self, value: str) -> str:
        return f'"{value}"' if value != value.strip() or value[:1] == '"' else value


@dataclass(frozen=True)
class Choice(Kind[E]):
    """One member of an enumeration, written as its name in lower case (upper case if `upper`)."""

    members: type[E]
    synonyms: Mapping[str, E] = field(default_factory=dict)
    upper: bool = False

    @property
    def allowed(self) -> str:
        words = [self.show(member) for member in self.members]
        return f"{', '.join(words[:-1])} or {words[-1]}"

    def parse(self, text: str) -> E:
        word = " ".join(_unquoted(text).lower().split())
        for member in self.members:
            if self.show(member).lower() == word:
                return member
        if word in self.synonyms:
            return self.synonyms[word]
        raise ValueError(text)

    def show(self, value: E) -> str:
        return value.name if self.upper else value.name.lower().replace("_", " ")


@dataclass(frozen=True)
class Names(Kind[tuple[str, ...]]):
    """Names separated by spaces or commas; one with either in it stands in double quotes."""

    what: str = "names"
    among: tuple[str, ...] = ()
    """All there are, if they are known."""

    @property
    def allowed(self) -> str:
        known = f"any of {', '.join(self.among)}" if self.among else self.what
        return f"{known}, separated by spaces or commas"

    def parse(self, text: str) -> tuple[str, ...]:
        words = _WORD.findall(text)
        # What is left when all words are taken out can only be separators.
        if _WORD.sub("", text).strip(" \t,"):
            raise ValueError(text)
        names = tuple(quoted or plain for quoted, plain in words if quoted or plain)
        if self.among and not set(names) <= set(self.among):
            raise ValueError(text)
        return names

    def show(self, value: tuple[str, ...]) -> str:
        return " ".join(f'"{name}"' if re.search(r"[\s,]", name) else name for name in value)


@dataclass(frozen=True)
class Patterns(Kind[tuple[str, ...]]):
    """Patterns of names between slashes, `*` and `?` being wildcards."""

    @property
    def allowed(self) -> str:
        return "patterns between slashes, such as /*.tmp/.cache/"

    def parse(self, text: str) -> tuple[str, ...]:
        text = _unquoted(text)
        if text and not (text[0] == text[-1] == "/" and len(text) > 1):
            raise ValueError(text)
        return tuple(pattern for pattern in text.split("/") if pattern)

    def show(self, value: tuple[str, ...]) -> str:
        return f"/{'/'.join(value)}/" if value else ""
