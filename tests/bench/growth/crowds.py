"""Many connections: what idle ones cost in memory, and whether busy ones get their share of the server."""

import contextlib
import os
import re
import selectors
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.growth.finding import Finding, Place, percentile
from tests.bench.link import Link, Load
from tests.bench.measure import cpu_seconds
from tests.bench.scenarios import lay_out, reads
from tests.bench.setting import progress, started
from tests.interop.servers import Server

__all__ = ["busy", "idle", "resident", "run_together"]

_KIB = 1024
_IDLE_BOUND_KIB = 60
_SMALL_BUFFER = 300 * _KIB
_UNFAIR = 1.5
"""How many times as much the one who gets most may get as the one who gets least."""
_MANY = {"max connections": "4000", "max ip connections": "4000", "max active sessions": "4000"}


def resident(server: Server) -> int:
    """Bytes of memory that a server has resident."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.findall(r"^VmRSS:\s*(\d+) kB$", status, re.MULTILINE)[0]) * _KIB


def connect(server: Server, buffer: int = _SMALL_BUFFER) -> Link:
    return Link(server.port, "share", server.user, server.password, buffer=buffer)


def run_together(loads: Sequence[Load], seconds: float) -> None:
    """Keep all of them busy for so long, each as soon as something arrives for it."""
    until = time.perf_counter_ns() + int(seconds * 1e9)
    with selectors.EpollSelector() as selector:
        for load in loads:
            selector.register(load.link, selectors.EVENT_READ, load)
        for load in loads:
            load.begin(until)
        busy = len(loads)
        while busy:
            for key, _ in selector.select():
                load = key.data
                load.go_on()
                if not load.is_busy:
                    selector.unregister(load.link)
                    busy -= 1


def idle(place: Place) -> Iterator[Finding]:
    """Connections that have logged on and connected to a share, and then say nothing."""
    steps = [5, 10] if place.quick else [250, 500, 750, 1000]
    with contextlib.ExitStack() as stack:
        server = started(stack, "smbgate", place.directory, place.server_cpu, _MANY)
        os.sched_setaffinity(0, {place.client_cpu})
        for _ in range(3):  # what a server loads and fills with its first clients is not the others' cost
            connect(server).close()
        time.sleep(0.5)
        before = resident(server)
        points = [(0.0, 0.0)]
        links = 0
        for step in steps:
            while links < step:
                progress(f"idle connections: {links}/{steps[-1]}")
                stack.enter_context(contextlib.closing(connect(server)))
                links += 1
            time.sleep(0.5)
            points.append((step, (resident(server) - before) / (1 << 20)))
        each = points[-1][1] * _KIB / steps[-1]
        yield Finding("idle", "smbgate", "connections", "MiB more of RSS", points, each, "KiB each", _IDLE_BOUND_KIB)


def busy(place: Place) -> Iterator[Finding]:
    """Clients that read 4 KiB again and again: alike, and some who ask for much more at a time."""
    count = place.scaled(200, 10)
    with contextlib.ExitStack() as stack:
        server = started(stack, "smbgate", place.directory, place.server_cpu, _MANY)
        lay_out(server.shares["share"], 1)
        os.sched_setaffinity(0, {place.client_cpu})
        links = []
        for number in range(count):
            progress(f"busy connections: {number}/{count}")
            links.append(stack.enter_context(contextlib.closing(connect(server))))
        for what, depths in (("busy alike", [4] * count), ("busy, one in ten at depth 64", [64, *[1] * 9])):
            progress(what)
            loads = [Load(link, reads(4 * _KIB)(link), depths[n % len(depths)]) for n, link in enumerate(links)]
            before = cpu_seconds(server.process.pid)
            run_together(loads, place.scaled(5, 1))
            cpu = cpu_seconds(server.process.pid) - before
            done = sum(len(load.latencies) for load in loads)
            meek = [load for load, depth in zip(loads, depths * count, strict=False) if depth < 64]
            served = sorted(len(load.latencies) for load in meek)
            points = [(number + 1, float(each)) for number, each in enumerate(served)]
            most = percentile([float(one) for one in served], 1) / max(1, served[0])
            unit = "operations served"
            yield Finding(what, "smbgate", "connections, by what they got", unit, points, most, "most / least", _UNFAIR)
            jain = sum(served) ** 2 / len(served) / sum(one * one for one in served)
            cost = cpu * 1e6 / done
            yield Finding(f"{what}: 1 / Jain's index", "smbgate", "", "", (), 1 / jain, "at best 1", 1.05)
            yield Finding(f"{what}: CPU", "smbgate", "", "", (), cost, "us of server CPU per operation")
