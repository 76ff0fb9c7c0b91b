"""Directories with more and more entries: what it costs to create there, to open in another case, and to list."""

import contextlib
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from acl.mask import DELETE, FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_READ_ATTRIBUTES
from gateway.nt.constants import FILE_CREATE, FILE_DELETE_ON_CLOSE, FILE_NON_DIRECTORY_FILE, FILE_OPEN
from tests.bench.growth.finding import Finding, Place, growth_of
from tests.bench.link import Link, Operation, Steps
from tests.bench.measure import cpu_seconds
from tests.bench.scenarios import close, create, lists
from tests.bench.setting import contestants, progress, started
from tests.interop.servers import Server

__all__ = ["directories"]

_BOUND = 1.2
_OPENED = 100
_SECONDS = 0.5
"""The most that one measurement takes: smbd reads a whole directory for a name in another case."""
_UNITS = {
    "create": "us of server CPU per file",
    "open in another case": "us of server CPU per open and close",
    "list": "us of server CPU per entry",
}
_new = itertools.count()


def directories(place: Place) -> Iterator[Finding]:
    """Directories of 1,000 to 100,000 entries, by turns."""
    sizes = [100, 1000] if place.quick else [1000, 3000, 10_000, 30_000, 100_000]
    with contextlib.ExitStack() as stack:
        servers = {name: started(stack, name, place.directory, place.server_cpu) for name in contestants(place.alone)}
        links = {}
        for name, server in servers.items():
            for size in sizes:
                progress(f"{size} files for {name}")
                _fill(server.shares["share"] / f"of{size}", size)
            links[name] = stack.enter_context(
                contextlib.closing(Link(server.port, "share", server.user, server.password))
            )
        os.sync()
        os.sched_setaffinity(0, {place.client_cpu})
        for what, unit in _UNITS.items():
            for name, server in servers.items():
                points = _curve(place, what, sizes, links[name], server)
                growth = growth_of(points)
                bound = _BOUND if name == "smbgate" else None
                yield Finding(what, name, "entries", unit, points, growth, "times as much with the most", bound)


def _fill(directory: Path, size: int) -> None:
    directory.mkdir()
    here = os.open(directory, os.O_RDONLY)
    try:
        for number in range(size):
            os.close(os.open(f"file{number:06}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    finally:
        os.close(here)


def _curve(place: Place, what: str, sizes: list[int], link: Link, server: Server) -> list[tuple[float, float]]:
    samples: dict[int, list[float]] = {size: [] for size in sizes}
    for number in range(place.rounds + 1):
        for size in sizes:
            progress(f"{what}: {size} entries, {number}/{place.rounds}")
            cost = _measured(what, size, link, server, place.scaled(300, 5))
            if number:  # the first time, a server may read what it remembers later
                samples[size].append(cost)
    # What else the machine does makes an operation dearer, and never cheaper.
    return [(size, min(costs)) for size, costs in samples.items()]


def _measured(what: str, size: int, link: Link, server: Server, count: int) -> float:
    """Microseconds of server CPU for one file or entry."""
    names: list[str] = []
    operation, per = {
        "create": lambda: (_creating(link, rf"of{size}", names), 1),
        "open in another case": lambda: (_opening(link, rf"of{size}", size), 1),
        "list": lambda: (lists(f"of{size}")(link), size),
    }[what]()
    if what == "list":
        count = max(1, min(count, 100_000 // size))
    link.run(operation, 1, 1, _SECONDS)
    before = cpu_seconds(server.process.pid)
    done = len(link.run(operation, 1, count, _SECONDS))
    cost = (cpu_seconds(server.process.pid) - before) * 1e6 / done / per
    if names:
        link.run(_removing(link, names), 1, len(names), 600)
    return cost


def _creating(link: Link, directory: str, names: list[str]) -> Operation:
    def operation() -> Steps:
        names.append(rf"{directory}\new{next(_new):08}")
        yield link.frame(create(names[-1], FILE_GENERIC_READ | FILE_GENERIC_WRITE, FILE_CREATE), close())

    return operation


def _opening(link: Link, directory: str, size: int) -> Operation:
    # The same number of files in each directory, so that each of them has been opened as often before.
    numbers = itertools.cycle(range(0, size, max(1, size // _OPENED)))

    def operation() -> Steps:
        name = rf"{directory}\FILE{next(numbers):06}"
        yield link.frame(create(name, FILE_READ_ATTRIBUTES), close())

    return operation


def _removing(link: Link, names: list[str]) -> Operation:
    def operation() -> Steps:
        options = FILE_NON_DIRECTORY_FILE | FILE_DELETE_ON_CLOSE
        yield link.frame(create(names.pop(), DELETE, FILE_OPEN, options), close())

    return operation
