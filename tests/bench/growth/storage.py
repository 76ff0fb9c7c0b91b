"""Slow storage: what the others notice of a client who waits for it all the time."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.growth.crowds import run_together
from tests.bench.growth.finding import SLOW_SECONDS, Finding, Place, percentile
from tests.bench.growth.slow_files import FILES, SIZE
from tests.bench.link import BenchError, Link, Load, Operation
from tests.bench.scenarios import lay_out, reads, stats
from tests.bench.setting import progress, started

__all__ = ["slow_storage"]

_BOUND = 1.5
_DEPTH = 32
_FILES = 500
_MODULE = "tests.bench.growth.slow_server"


def slow_storage(place: Place) -> Iterator[Finding]:
    """The 99th percentile of clients of one share, with and without a client of another that waits for its storage."""
    with contextlib.ExitStack() as stack:
        mount = place.directory / "mount"
        mount.mkdir()
        stack.enter_context(_slow_files(mount))
        shares = {"share": {}, "sleeping": {}, "blocking": {}, "fuse": {"path": str(mount)}}
        server = started(stack, "smbgate", place.directory, place.server_cpu, shares=shares, module=_MODULE)
        for name in ("share", "sleeping", "blocking"):
            lay_out(server.shares[name], _FILES)
        os.sched_setaffinity(0, {place.client_cpu})

        def link(share: str) -> Link:
            made = Link(server.port, share, server.user, server.password)
            return stack.enter_context(contextlib.closing(made))

        others = [link("share") for _ in range(place.scaled(8, 2))]
        operations = [(reads(4096) if number % 2 else stats(files=_FILES))(one) for number, one in enumerate(others)]
        calm = list(zip(others, operations, strict=True))
        for name in ("sleeping", "blocking"):
            slow = link(name)
            yield _finding(place, f"slow storage: {name}", calm, [(slow, reads(4096)(slow))])
        slow, other = link("fuse"), link("fuse")
        loads = [(slow, stats("", FILES, digits=3)(slow)), (other, reads(4096, "file000", SIZE)(other))]
        yield _finding(place, "slow storage: FUSE", calm, loads)


def _finding(
    place: Place, case: str, calm: list[tuple[Link, Operation]], slow: list[tuple[Link, Operation]]
) -> Finding:
    without, beside = [], []
    for number in range(place.rounds):
        progress(f"{case}: {number}/{place.rounds}")
        without.append(_p99(place, calm, []))
        beside.append(_p99(place, calm, slow))
    points = [(0, percentile(without, 0.5)), (1, percentile(beside, 0.5))]
    figure = points[1][1] / points[0][1]
    return Finding(case, "smbgate", "slow clients", "us, 99th percentile", points, figure, "times as long", _BOUND)


def _p99(place: Place, calm: list[tuple[Link, Operation]], slow: list[tuple[Link, Operation]]) -> float:
    loads = [Load(link, operation, 1) for link, operation in calm]
    waiting = [Load(link, operation, _DEPTH) for link, operation in slow]
    run_together([*waiting, *loads], place.scaled(3, 1))
    if any(latency < SLOW_SECONDS * 1e9 for load in waiting for latency in load.latencies):
        raise BenchError("the slow storage was not slow")
    return percentile([latency / 1e3 for load in loads for latency in load.latencies], 0.99)


@contextlib.contextmanager
def _slow_files(mount: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.bench.growth.slow_files", str(mount)]
    with subprocess.Popen(command) as process:
        try:
            deadline = time.monotonic() + 30 * SLOW_SECONDS
            while not mount.is_mount():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError("the slow file system is not mounted")
                time.sleep(0.1)
            yield
        finally:
            subprocess.run(["umount", "--lazy", mount], check=False)
            process.terminate()
