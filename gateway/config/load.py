"""From files to a `Config`: which parameter stands where, which of several wins, and what is wrong with them.

A parameter of shares that stands in [global] is the default of every share. Of the same parameter given twice in a
section the first counts, unless it was empty; of a parameter's several names the strongest counts.
"""

import contextlib
import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gateway.config.consistency import contradictions, doubts
from gateway.config.effect import remark
from gateway.config.errors import ConfigError, Origin, Problem
from gateway.config.macros import DYNAMIC, check, expand, server_values
from gateway.config.model import Config
from gateway.config.parameters import Parameter, Table
from gateway.config.server_parameters import GlobalConfig
from gateway.config.share_parameters import ShareConfig, ShareParameters
from gateway.config.syntax import Entry, Section, normalise, read_file, read_text, section_key

__all__ = ["GLOBAL_TABLE", "SHARE_TABLE", "Settings", "load", "parse"]

GLOBAL_TABLE = Table(GlobalConfig)
SHARE_TABLE = Table(ShareParameters)

COMMAND_LINE = Origin("command line", 0)
_NAME_LIMIT = 63
"""Bytes of UTF-8 in a share's name."""
_BAD_IN_NAME = re.compile(r'[\x00-\x1f"*+,/:;<=>?\[\\\]|]')
_RESERVED_NAMES = {
    "ipc$": "is the share of named pipes, which is always there",
    "homes": "is not supported: every share is named",
    "printers": "is not supported: there is no printing",
    "print$": "is not supported: there is no printing",
}

Settings = Mapping[str, Mapping[str, str]]
"""Section to parameter to value, as they would stand in a file."""


def load(path: Path | None, *, settings: Settings | None = None, users: Mapping[str, str] | None = None) -> Config:
    """The configuration in a file. `settings` come first and win; `users` are accounts for this run only.

    Raises ConfigError with all that is wrong.
    """
    first = [
        Section(name, COMMAND_LINE, [Entry(key, value, COMMAND_LINE) for key, value in entries.items()])
        for name, entries in (settings or {}).items()
    ]
    read = [] if path is None else read_file(path, _expand_include)
    return _Loader(first + read, Origin(str(path), 0) if path else COMMAND_LINE).config(users or {})


def parse(text: str, name: str = "text") -> Config:
    """The configuration that the text of a file says. Raises ConfigError with all that is wrong."""
    return _Loader(read_text(text, name, _expand_include), Origin(name, 0)).config({})


def _expand_include(text: str) -> str:
    check(text, frozenset("h%"))
    return expand(text, {"h": server_values("")["h"], "%": "%"})


def _expand_static(declared: Parameter, text: str, macros: Mapping[str, str]) -> str:
    """The text with what is known already; if the rest is replaced later, percent signs stay doubled until then."""
    if declared.macros & DYNAMIC:
        return expand(text, {letter: value.replace("%", "%%") for letter, value in macros.items()})
    return expand(text, {**macros, "%": "%"})


class _Loader:
    def __init__(self, sections: Iterable[Section], whole: Origin) -> None:
        self._whole = whole
        self._sections: dict[str, Section] = {}
        for section in sections:
            known = self._sections.setdefault(section_key(section.name), Section(section.name, section.origin))
            known.entries += section.entries
        # Dictionaries, because a default for shares in [global] is read again for each share.
        self._problems: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}

    def config(self, users: Mapping[str, str]) -> Config:
        defaults = self._sections.pop("global", Section("global", self._whole)).entries
        self._check_names(defaults, None)
        values = self._values(GLOBAL_TABLE, [defaults], server_values(GlobalConfig().netbios_name))
        netbios_name = values.get("netbios_name", GlobalConfig().netbios_name)
        values |= self._values(GLOBAL_TABLE, [defaults], server_values(netbios_name))
        self._values(SHARE_TABLE, [defaults], server_values(netbios_name, "share"))
        shares = {key: self._share(section, defaults, netbios_name) for key, section in self._sections.items()}
        config = Config(**values, shares=shares, users=dict(users))
        if not self._problems:  # otherwise what is missing may be what was refused
            self._problems = dict.fromkeys(Problem(self._whole, "", message) for message in contradictions(config))
        if self._problems:
            raise ConfigError(list(self._problems))
        for message in doubts(config):
            self._warnings[Problem(self._whole, "", message)] = None
        return Config(**values, shares=shares, users=dict(users), warnings=tuple(self._warnings))

    def _share(self, section: Section, defaults: list[Entry], netbios_name: str) -> ShareConfig:
        name = section.name
        if problem := _name_problem(name):
            self._problems[Problem(section.origin, "", f"share [{name}] {problem}")] = None
        self._check_names(section.entries, section)
        values = self._values(SHARE_TABLE, [section.entries, defaults], server_values(netbios_name, name))
        return ShareConfig(**values, name=name)

    def _check_names(self, entries: list[Entry], share: Section | None) -> None:
        """Complain of every parameter that does not exist, or not there; remark on those without effect."""
        for entry in entries:
            found = (
                SHARE_TABLE.find(entry.key) if share else GLOBAL_TABLE.find(entry.key) or SHARE_TABLE.find(entry.key)
            )
            if found is None:
                self._complain(entry, _unknown(entry.key, share))
            elif (note := remark(found.name)) and _changes(found, entry.value):
                self._warnings[Problem(entry.origin, entry.key, note)] = None

    def _values(self, table: Table, levels: list[list[Entry]], macros: Mapping[str, str]) -> dict[str, Any]:
        """Field to value, of all parameters of the table that any of the levels sets; the first level wins."""
        values: dict[str, Any] = {}
        for entries in reversed(levels):
            given: dict[Parameter, list[Entry]] = {}
            for entry in entries:
                found = table.find(entry.key)
                if found is not None:
                    given.setdefault(found, []).append(entry)
            for declared, candidates in given.items():
                values |= self._strongest(declared, candidates, macros)
        return values

    def _strongest(self, declared: Parameter, candidates: list[Entry], macros: Mapping[str, str]) -> dict[str, Any]:
        """Field to value, from the entry that counts; empty if that leaves it at its default."""
        strength = [normalise(name) for name in declared.names]
        ranked = sorted(candidates, key=lambda entry: (not entry.value, strength.index(normalise(entry.key))))
        # All are read, so that what is wrong does not wait until it counts.
        winner, *others = [(entry, self._value(declared, entry, macros)) for entry in ranked]
        for entry, value in others:
            if entry.value and value not in ({}, winner[1]) and winner[0].origin.line:
                note = f"does not count, because of {winner[0].key!r} at {winner[0].origin}"
                self._warnings[Problem(entry.origin, entry.key, note)] = None
        return winner[1]

    def _value(self, declared: Parameter, entry: Entry, macros: Mapping[str, str]) -> dict[str, Any]:
        text = entry.value
        if not text and not isinstance(declared.default, str | tuple):
            return {}  # as if it was not there
        try:
            if declared.macros:
                check(text, declared.macros)
        except ValueError as error:
            self._complain(entry, str(error))
            return {}
        if declared.macros:
            text = _expand_static(declared, text, macros)
        try:
            value = declared.kind.parse(text)
        except ValueError:
            self._complain(entry, _wrong_value(declared, entry.value))
            return {}
        inverted = normalise(entry.key) in map(normalise, declared.inverted)
        return {declared.field: not value if inverted else value}

    def _complain(self, entry: Entry, message: str) -> None:
        self._problems[Problem(entry.origin, entry.key, message)] = None


def _changes(declared: Parameter, text: str) -> bool:
    """Whether a value asks for anything but the default: files that spell all defaults out need no remark."""
    with contextlib.suppress(ValueError):
        return bool(text) and bool(declared.kind.parse(text) != declared.default)
    return False


def _unknown(key: str, share: Section | None) -> str:
    if share and GLOBAL_TABLE.find(key):
        return "is a parameter of the whole server: it belongs in [global]"
    names = SHARE_TABLE.all_names() if share else GLOBAL_TABLE.all_names() + SHARE_TABLE.all_names()
    close = difflib.get_close_matches(" ".join(key.lower().split()), names, n=1, cutoff=0.7)
    hint = f"; did you mean {close[0]!r}?" if close else "; `smbgate testparm --parameters` lists all there are"
    return f"there is no such parameter{hint}"


def _wrong_value(declared: Parameter, text: str) -> str:
    message = f"expected {declared.kind.allowed}, not {text!r}"
    if re.search(r"\s[#;]", text):
        message += "; a comment stands on a line of its own"
    words = [word.strip() for word in re.split(r",| or ", declared.kind.allowed)]
    close = difflib.get_close_matches(text, words, n=1, cutoff=0.7)
    return f"{message}; did you mean {close[0]!r}?" if close else message


def _name_problem(name: str) -> str:
    if section_key(name) in _RESERVED_NAMES:
        return _RESERVED_NAMES[section_key(name)]
    if len(name.encode()) > _NAME_LIMIT:
        return f"has a name longer than {_NAME_LIMIT} bytes"
    if bad := _BAD_IN_NAME.search(name):
        return f"has {bad[0]!r} in its name, which clients cannot write"
    return ""
