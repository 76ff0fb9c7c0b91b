"""The syntax of smb.conf files: sections, parameters, comments, continued lines and included files.

A file is lines. `[name]` begins a section, `key = value` sets a parameter of the section, a line whose first character
is `#` or `;` is a comment, and a line that ends in a backslash goes on in the next one. `include = FILE` reads another
file at that place, as if its lines stood in the section; a section that it begins ends with it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gateway.config.errors import ConfigError, Origin, Problem

__all__ = ["Entry", "Section", "normalise", "read_file", "read_text", "section_key"]

MAX_DEPTH = 8
"""How deep files may include each other."""
MAX_FILE_SIZE = 4 << 20
"""Bytes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One `key = value`, as it was written."""

    key: str
    value: str
    origin: Origin


@dataclass(slots=True)
class Section:
    """All that files say in the sections of one name."""

    name: str
    """As it was written first."""
    origin: Origin
    entries: list[Entry] = field(default_factory=list)


def normalise(name: str) -> str:
    """The name of a parameter without what does not count: case and spaces."""
    return "".join(name.lower().split())


def section_key(name: str) -> str:
    """The name of a section without what does not count: case, and how many spaces stand between words."""
    return " ".join(name.lower().split())


def read_file(path: Path, expand: Callable[[str], str] = str) -> list[Section]:
    """The sections of a file and of what it includes; `expand` replaces macros in names of included files.

    Raises ConfigError with all that is wrong.
    """
    reader = _Reader(expand)
    reader.include(path, Origin(str(path), 0), None)
    return reader.finish()


def read_text(text: str, name: str, expand: Callable[[str], str] = str) -> list[Section]:
    """The sections of a text; `name` stands for the file in messages. Raises ConfigError with all that is wrong."""
    reader = _Reader(expand)
    reader.read(text, name, Path(), None)
    return reader.finish()


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each line with its continuations, stripped, and the number of the first."""
    parts: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), 1):
        start = start if parts else number
        stripped = line.strip()
        is_comment = not parts and stripped[:1] in {"#", ";"}
        if stripped.endswith("\\") and not is_comment:
            parts.append(stripped[:-1].rstrip())
            continue
        parts.append(stripped)
        yield start, " ".join(part for part in parts if part)
        parts = []
    if parts:
        yield start, " ".join(part for part in parts if part)


class _Reader:
    def __init__(self, expand: Callable[[str], str]) -> None:
        self._expand = expand
        self._sections: dict[str, Section] = {}
        self._problems: list[Problem] = []
        self._open_files: list[Path] = []

    def finish(self) -> list[Section]:
        if self._problems:
            raise ConfigError(self._problems)
        return list(self._sections.values())

    def include(self, path: Path, origin: Origin, section: Section | None) -> None:
        """Read a file within a section; `origin` is where it was asked for."""
        resolved = path.resolve()
        if resolved in self._open_files:
            return self._complain(origin, "include", f"{path} is already being read: files include each other")
        if len(self._open_files) >= MAX_DEPTH:
            return self._complain(origin, "include", f"files include each other more than {MAX_DEPTH} deep")
        try:
            text = _content(path)
        except OSError as error:
            return self._complain(origin, "include" if origin.line else "", f"cannot read {path}: {error.strerror}")
        except ValueError as error:
            return self._complain(origin, "include" if origin.line else "", f"cannot read {path}: {error}")
        self._open_files.append(resolved)
        self.read(text, str(path), path.parent, section)
        self._open_files.pop()
        return None

    def read(self, text: str, file: str, directory: Path, section: Section | None) -> None:
        for number, line in _logical_lines(text):
            origin = Origin(file, number)
            if not line or line[0] in "#;":
                continue
            if line[0] == "[":
                section = self._begin(line, origin) or section
                continue
            key, equals, value = (part.strip() for part in line.partition("="))
            if not equals or not key:
                self._complain(origin, "", f"expected [section] or parameter = value, not {line!r}")
            elif normalise(key) == "include":
                self._include(value, directory, origin, section)
            elif section is None:
                self._complain(origin, key, "stands before the first [section]; server-wide ones belong in [global]")
            else:
                section.entries.append(Entry(key, value, origin))

    def _begin(self, line: str, origin: Origin) -> Section | None:
        name = line[1:-1].strip()
        if line[-1] != "]" or not name:
            self._complain(origin, "", f"expected a section's name in brackets, not {line!r}")
            return None
        return self._sections.setdefault(section_key(name), Section(name, origin))

    def _include(self, value: str, directory: Path, origin: Origin, section: Section | None) -> None:
        try:
            name = self._expand(value.strip('"'))
        except ValueError as error:
            return self._complain(origin, "include", str(error))
        if not name:
            return self._complain(origin, "include", "expected the name of a file")
        return self.include(directory / name, origin, section)

    def _complain(self, origin: Origin, parameter: str, message: str) -> None:
        self._problems.append(Problem(origin, parameter, message))


def _content(path: Path) -> str:
    with path.open("rb") as file:
        data = file.read(MAX_FILE_SIZE + 1)
    if len(data) > MAX_FILE_SIZE:
        raise ValueError(f"it is larger than {MAX_FILE_SIZE >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(f"line {line} is not UTF-8") from None
