"""What a case of growth finds out, and where it looks."""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SLOW_SECONDS", "Case", "Finding", "Place", "growth_of", "percentile"]

SLOW_SECONDS = float(os.environ.get("SLOW_SECONDS", "1"))
"""How long a slow storage takes for each answer."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how thoroughly a case is to look."""

    directory: Path
    """Its own, and empty."""
    server_cpu: int
    client_cpu: int
    rounds: int
    quick: bool
    alone: bool

    def scaled(self, usual: int, quick: int) -> int:
        """How much of something to do."""
        return quick if self.quick else usual


@dataclass(frozen=True, slots=True)
class Finding:
    """A curve, and the one figure by which it is judged."""

    case: str
    server: str
    x: str
    """What grows."""
    unit: str
    """What is measured."""
    points: Sequence[tuple[float, float]]
    figure: float
    meaning: str
    """What the figure is."""
    bound: float | None = None
    """The most it may be; None if it is only told."""

    @property
    def holds(self) -> bool:
        return self.bound is None or self.figure <= self.bound


Case = Callable[[Place], Iterator[Finding]]


def growth_of(points: Sequence[tuple[float, float]]) -> float:
    """How many times as much the last point is as the first."""
    return points[-1][1] / points[0][1]


def percentile(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies; the median for 0.5."""
    if part == 0.5:
        return statistics.median(values)
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]
