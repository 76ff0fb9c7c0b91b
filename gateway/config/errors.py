"""What is wrong with a configuration, and where."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ConfigError", "Origin", "Problem"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where something was written. Line 0 is the file as a whole, or what is no file (the command line)."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that an administrator has to mend, or to know."""

    origin: Origin
    parameter: str
    """As it was written; empty where no parameter is meant."""
    message: str

    def __str__(self) -> str:
        subject = f"{self.parameter!r}: " if self.parameter else ""
        return f"{self.origin}: {subject}{self.message}"


class ConfigError(Exception):
    """A configuration cannot be used; `problems` says all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
