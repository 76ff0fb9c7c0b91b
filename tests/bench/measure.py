"""How much CPU a server has used, and the rounds in which that is found out."""

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.link import Link
from tests.bench.scenarios import Scenario
from tests.interop.servers import Server

__all__ = ["Contestant", "Sample", "cpu_seconds", "median", "run_round"]

_TICK = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Contestant:
    """A server that takes part, and the links to it."""

    name: str
    server: Server
    links: dict[str, Link]
    """By mode."""

    def connect(self, mode: str) -> Link:
        return Link(self.server.port, "share", self.server.user, self.server.password, mode)


@dataclass(frozen=True, slots=True)
class Sample:
    """One round. Times in microseconds, sizes in megabytes (10^6)."""

    operations: int
    per_second: float
    megabytes_per_second: float
    p50: float
    p99: float
    server_cpu: float
    """For each operation."""


def _children_of(roots: Sequence[int]) -> dict[int, list[str]]:
    """The fields behind the name in /proc/PID/stat of these processes and all below them."""
    stats: dict[int, list[str]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):  # it has ended meanwhile
                stats[int(entry)] = Path(f"/proc/{entry}/stat").read_text(errors="replace").rpartition(")")[2].split()
    tree = set(roots)
    while more := {pid for pid, fields in stats.items() if int(fields[1]) in tree} - tree:
        tree |= more
    return {pid: stats[pid] for pid in tree if pid in stats}


def cpu_seconds(pid: int) -> float:
    """CPU used so far by a process, by those below it, and by those that these have waited for."""
    total = 0.0
    for child, fields in _children_of([pid]).items():
        with contextlib.suppress(OSError):
            # The clock of another process, as of clock_getcpuclockid(3): finer than the ticks of /proc/PID/stat.
            total += time.clock_gettime(~child << 3 | 2)
        total += (int(fields[13]) + int(fields[14])) * _TICK
    return total


def run_round(contestant: Contestant, scenario: Scenario, mode: str, count: int, seconds: float) -> Sample:
    """Measure one round of at most `count` operations and about `seconds`."""
    run = _connects(contestant, mode) if scenario.build is None else _operations(contestant, scenario, mode, count)
    before = cpu_seconds(contestant.server.process.pid)
    begin = time.perf_counter()
    latencies = run(count, seconds)
    elapsed = time.perf_counter() - begin
    cpu = cpu_seconds(contestant.server.process.pid) - before
    ordered = sorted(latencies)
    operations = len(ordered)
    return Sample(
        operations,
        operations / elapsed,
        operations * scenario.size / elapsed / 1e6,
        ordered[operations // 2] / 1e3,
        ordered[min(operations - 1, operations * 99 // 100)] / 1e3,
        cpu * 1e6 / operations,
    )


Run = Callable[[int, float], list[int]]


def _operations(contestant: Contestant, scenario: Scenario, mode: str, count: int) -> Run:
    assert scenario.build is not None
    link = contestant.links[mode]
    if scenario.prepare is not None:
        scenario.prepare(link, count)
    operation = scenario.build(link)
    return lambda count, seconds: link.run(operation, scenario.depth, count, seconds)


def _connects(contestant: Contestant, mode: str) -> Run:
    def run(count: int, seconds: float) -> list[int]:
        until = time.perf_counter() + seconds
        latencies: list[int] = []
        while len(latencies) < count and (not latencies or time.perf_counter() < until):
            begin = time.perf_counter_ns()
            contestant.connect(mode).close()
            latencies.append(time.perf_counter_ns() - begin)
        time.sleep(0.2)  # for the server to clean up, and a process of it to end
        return latencies

    return run


def median(samples: Sequence[Sample], what: str) -> float:
    figures: list[float] = [getattr(sample, what) for sample in samples]
    return statistics.median(figures)
