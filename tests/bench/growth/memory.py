"""Large messages of many clients at once: how much memory the server has for them."""

import contextlib
import os
import threading
from collections.abc import Iterator

from tests.bench.growth.crowds import resident
from tests.bench.growth.finding import Finding, Place
from tests.bench.link import Link
from tests.bench.scenarios import lay_out, reads, writes
from tests.bench.setting import progress, started
from tests.interop.servers import Server

__all__ = ["memory"]

_MIB = 1 << 20
_SIZE = 8 * _MIB
_BUFFER = 18 * _MIB
_BUDGET = 128
"""`memory budget`, in MiB."""
_DEPTH = 2


def memory(place: Place) -> Iterator[Finding]:
    """Reads and writes of 8 MiB on more and more connections, two at a time on each; none may fail."""
    counts = [2] if place.quick else [1, 10, 25, 50, 100]
    for mode in ("plain", "seal"):
        points = []
        for count in counts:  # a server for each: what one has had it may keep
            with contextlib.ExitStack() as stack:
                limits = {"memory budget": f"{_BUDGET}m", "max ip connections": "1000"}
                own = place.directory / f"{mode}{count}"
                own.mkdir()
                own.chmod(0o755)
                server = started(stack, "smbgate", own, place.server_cpu, limits)
                lay_out(server.shares["share"], 1)
                os.sched_setaffinity(0, {place.client_cpu})
                progress(f"memory: {mode}, {count} of {counts[-1]} connections")
                points.append((count, _used(stack, server, mode, count, place.scaled(6, 2)) / _MIB))
        most = max(used for _, used in points)
        unit = "MiB more at the peak"
        bound = _BUDGET + _SIZE / _MIB  # one message at a time may go beyond it, so that those that have begun can end
        yield Finding(f"memory, {mode}", "smbgate", "connections", unit, points, most, "MiB at the most", bound)


def _used(stack: contextlib.ExitStack, server: Server, mode: str, count: int, operations: int) -> int:
    """Bytes by which a server's memory grows at most while so many clients read and write."""
    links = []
    for _ in range(count):
        link = Link(server.port, "share", server.user, server.password, mode, buffer=_BUFFER)
        links.append(stack.enter_context(contextlib.closing(link)))
    before = resident(server)
    failures: list[BaseException] = []
    threads = [
        threading.Thread(target=_load, args=(link, number, operations, failures)) for number, link in enumerate(links)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return server.vm_hwm() - before


def _load(link: Link, number: int, operations: int, failures: list[BaseException]) -> None:
    """Read or write, by turns of the number."""
    try:
        build = (reads, writes)[number % 2](_SIZE)
        done = len(link.run(build(link), _DEPTH, operations, 600))
        assert done == operations
    except BaseException as error:  # told by the thread that waits for this one
        failures.append(error)
