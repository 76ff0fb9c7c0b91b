"""The tables of docs/matrix.md: what is expected."""

from pathlib import Path
from typing import NamedTuple

__all__ = ["DOCUMENT", "Cell", "cells", "tables"]

DOCUMENT = Path(__file__).parents[2] / "docs/matrix.md"


class Cell(NamedTuple):
    """What happens when `other` does what the section is about, while `first` is as the row says."""

    section: str
    first: str
    other: str
    outcome: str


def tables(text: str) -> dict[str, list[list[str]]]:
    """By section, the rows of its table, the first of which are the headings."""
    found: dict[str, list[list[str]]] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        elif line.startswith("|") and not line.startswith("|---"):
            found.setdefault(section, []).append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def cells(text: str) -> list[Cell]:
    """All that the tables say."""
    found = []
    for section, (headings, *rows) in tables(text).items():
        for first, *outcomes in rows:
            assert len(outcomes) == len(headings) - 1, (section, first)
            found += [
                Cell(section, first, other, outcome) for other, outcome in zip(headings[1:], outcomes, strict=True)
            ]
    return found
