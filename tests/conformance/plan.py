"""Which tests run with which configuration, and how each is expected to end: `suites.toml` and `expected.toml`."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.conformance.verdict import STATUSES, Verdict

__all__ = ["Expectation", "Expected", "Run", "load_expected", "load_runs"]

HERE = Path(__file__).parent
DEFAULT_LIMIT = 60.0


@dataclass(frozen=True)
class Run:
    """Tests that share a server. All names of tests are globs."""

    name: str
    config: Path
    quick: tuple[str, ...]
    full: tuple[str, ...]
    limits: Mapping[str, float]
    """Seconds for tests that need longer than others."""
    options: tuple[str, ...] = ()
    """Of smbtorture."""
    arguments: tuple[str, ...] = ()
    """Of the server."""

    def choose(self, listed: Iterable[str], globs: Iterable[str], everything: bool) -> list[str]:
        """The tests to run: those of the globs, or else the quick ones, or all."""
        ours = self.quick + self.full
        wanted = tuple(globs) or (ours if everything else self.quick)
        return [name for name in listed if _matches(name, ours) and _matches(name, wanted)]

    def limit(self, test: str) -> float:
        """Seconds that the test may take."""
        return max([DEFAULT_LIMIT, *(seconds for glob, seconds in self.limits.items() if fnmatchcase(test, glob))])


def _matches(name: str, globs: Iterable[str]) -> bool:
    """Whether a glob matches the test or a suite that it is in."""
    return any(fnmatchcase(name, glob) or fnmatchcase(name, f"{glob}.*") for glob in globs)


def load_runs(path: Path = HERE / "suites.toml") -> list[Run]:
    """All runs there are."""
    return [
        Run(
            name,
            path.parent / fields["config"],
            tuple(fields.get("quick", ())),
            tuple(fields.get("full", ())),
            fields.get("limits", {}),
            tuple(fields.get("options", ())),
            tuple(fields.get("arguments", ())),
        )
        for name, fields in tomllib.loads(path.read_text(encoding="utf-8")).items()
    ]


@dataclass(frozen=True)
class Expectation:
    """Tests that are not expected to pass."""

    test: str
    """A glob."""
    status: str
    reason: str
    run: str = "*"
    """A glob of the runs it is about."""


class Expected:
    """How every test is expected to end."""

    def __init__(self, entries: Iterable[Expectation]) -> None:
        self._entries = list(entries)

    def find(self, run: str, test: str) -> Expectation | None:
        """The entry about a test; None if it is expected to pass."""
        matching = (e for e in self._entries if fnmatchcase(test, e.test) and fnmatchcase(run, e.run))
        return next(matching, None)

    def differences(self, run: str, verdicts: Mapping[str, Verdict]) -> list[str]:
        """One text for each test that ended otherwise, better or worse."""
        texts = []
        for test, verdict in verdicts.items():
            entry = self.find(run, test)
            expected = entry.status if entry else "pass"
            if verdict.status != expected:
                reason = f": {verdict.reason}" if verdict.reason else ""
                texts.append(f"{test}: expected {expected}, got {verdict.status}{reason}")
        return texts

    def useless(self, tests_of_runs: Mapping[str, Iterable[str]]) -> list[str]:
        """The entries that decide about none of the tests of these runs."""
        used = {self.find(run, test) for run, tests in tests_of_runs.items() for test in tests}
        return [entry.test for entry in self._entries if entry not in used]


def load_expected(path: Path = HERE / "expected.toml") -> Expected:
    """The checked-in list. Raises ValueError for an entry that says nothing."""
    return Expected(map(_expectation, tomllib.loads(path.read_text(encoding="utf-8")).get("expected", [])))


def _expectation(fields: dict[str, Any]) -> Expectation:
    entry = Expectation(**fields)
    if entry.status not in STATUSES or entry.status == "pass" or not entry.reason:
        raise ValueError(f"{entry.test}: expected a status that is no pass, and a reason")
    return entry
